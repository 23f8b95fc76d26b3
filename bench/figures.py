"""A figure with the aim beside it. Printed as one line that the report finds again in what a section printed."""

MARK = "▸"


def figure(name: str, value: float, unit: str, most: float | None = None, *, least: float | None = None) -> None:
    """Say it; `most` or `least` is the aim: the largest, the smallest value that would be well."""
    bound = f"≤ {most:g}" if most is not None else f"≥ {least:g}" if least is not None else ""
    aim = f"{bound} {unit}".rstrip() if bound else "–"
    print(f"{MARK} {name} | {value:.{0 if value >= 100 else 1}f} {unit} | {aim}", flush=True)
