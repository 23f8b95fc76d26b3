"""Lines over time as an SVG picture, by hand: a frame, round ticks, a line per name, a mark for each thing that happened."""

import math
from collections.abc import Iterator, Sequence
from html import escape

Lines = dict[str, list[tuple[float, float]]]

WIDTH, HEIGHT = 900, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 34, 30
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#0a7ea4", "#bf3989", "#57606a", "#6e4a1f")
MOST_POINTS = 400
# Larger holes between two samples are holes in the line.
GAP_S = 20.0
_ROUND = (1, 2, 5, 10)


def picture(title: str, lines: Lines, marks: Sequence[tuple[float, str]] = ()) -> str:
    """The picture. `lines`: name → (seconds, value); `marks`: (seconds, words), thin and upright; the words show on hovering."""
    last = max((at for points in lines.values() for at, _ in points), default=0.0) or 1.0
    most = max((value for points in lines.values() for _, value in points), default=0.0) or 1.0
    frame = _Frame(last, _ceiling(most))
    parts = [*_axes(frame), *(_mark(frame, at, words) for at, words in marks)]
    for number, (name, points) in enumerate(lines.items()):
        parts += _line(frame, points, COLOURS[number % len(COLOURS)])
        parts += _entry(number, name, COLOURS[number % len(COLOURS)])
    return _SVG.format(width=WIDTH, height=HEIGHT, title=escape(title), left=LEFT, body="\n".join(parts))


class _Frame:
    """Seconds and values as places on the picture."""

    def __init__(self, last_s: float, most: float) -> None:
        self.last_s, self.most = last_s, most

    def x(self, at: float) -> float:
        return round(LEFT + at / self.last_s * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - value / self.most * (HEIGHT - TOP - BOTTOM), 1)


def ticks(most: float, about: int = 5) -> list[float]:
    """Round numbers from 0 to `most`, about so many."""
    rough = most / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in _ROUND if step * power >= rough * 0.999)
    return [number * step for number in range(int(most / step + 1e-9) + 1)]


def _ceiling(most: float) -> float:
    """The next tick above."""
    step = ticks(most)[1]
    return math.ceil(most / step - 1e-9) * step


def _axes(frame: _Frame) -> Iterator[str]:
    for value in ticks(frame.most):
        y = frame.y(value)
        yield f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    unit, seconds = ("h", 3600) if frame.last_s > 3 * 3600 else ("min", 60)
    for value in ticks(frame.last_s / seconds, 8):
        yield f'<text x="{frame.x(value * seconds)}" y="{HEIGHT - 10}" text-anchor="middle">{value:g} {unit}</text>'


def _mark(frame: _Frame, at: float, words: str) -> str:
    x = frame.x(min(at, frame.last_s))
    return f'<line class="mark" x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}"><title>{escape(words)}</title></line>'


def _line(frame: _Frame, points: list[tuple[float, float]], colour: str) -> Iterator[str]:
    for part in _unbroken(_thinned(points)):
        places = " ".join(f"{frame.x(at)},{frame.y(value)}" for at, value in part)
        yield f'<polyline points="{places}" stroke="{colour}"/>'


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most so many points; of each bunch the highest, so that no peak is lost."""
    bunch = math.ceil(len(points) / MOST_POINTS)
    return [max(points[start : start + bunch], key=lambda point: point[1]) for start in range(0, len(points), max(bunch, 1))]


def _unbroken(points: list[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    gap = max(GAP_S, 3 * (points[-1][0] - points[0][0]) / len(points))
    part = points[:1]
    for point in points[1:]:
        if point[0] - part[-1][0] > gap:
            yield part
            part = []
        part.append(point)
    yield part


def _entry(number: int, name: str, colour: str) -> Iterator[str]:
    x, y = WIDTH - RIGHT + 14, TOP + 8 + 18 * number
    yield f'<line x1="{x}" y1="{y}" x2="{x + 18}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
    yield f'<text x="{x + 24}" y="{y + 4}">{escape(name)}</text>'


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">
<style>
text {{ font: 12px sans-serif; fill: #24292f }} .title {{ font-weight: bold; font-size: 14px }}
polyline {{ fill: none; stroke-width: 1.5 }} .grid {{ stroke: #d0d7de }} .mark {{ stroke: #afb8c1; stroke-dasharray: 2 3 }}
</style>
<rect width="{width}" height="{height}" fill="#ffffff"/>
<text class="title" x="{left}" y="20">{title}</text>
{body}
</svg>
"""
