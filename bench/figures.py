"""A figure with the aim beside it. Printed as one line that the report finds again in what a section printed."""

MARK = "▸"


def figure(name: str, value: float, unit: str, most: float | None = None) -> None:
    """Say it; `most` is the aim, the largest value that would be well."""
    aim = "–" if most is None else f"≤ {most:g} {unit}".rstrip()
    print(f"{MARK} {name} | {value:.{0 if value >= 100 else 1}f} {unit} | {aim}", flush=True)
