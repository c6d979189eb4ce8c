"""Line charts as SVG, legible on light and on dark ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 44, 72
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df")
DARK = ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff")
DASHES = ("", "7 4", "2 3", "10 3 2 3")


@dataclass(frozen=True, slots=True)
class Line:
    """A named line of points."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """What it tells, where it begins and ends, and the places that are marked with words."""

    title: str
    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Where on the axis a value is, 0 to 1."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def chart(title: str, across: Axis, up: Axis, lines: Sequence[Line]) -> str:
    """An SVG document. Lines differ by colour and by dash."""
    body = [f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>']
    for value, words in up.marks:
        y = _y(up, value)
        body.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        body.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(words)}</text>')
    for value, words in across.marks:
        x, y = _x(across, value), HEIGHT - BOTTOM
        body.append(f'<path class="grid" d="M{x} {TOP}V{y}"/>')
        body.append(f'<text x="{x}" y="{y + 16}" text-anchor="middle">{escape(words)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    body.append(
        f'<text x="{middle}" y="{HEIGHT - BOTTOM + 34}" text-anchor="middle">'
        f"{escape(across.title)}</text>"
    )
    body.append(f'<text x="{LEFT - 56}" y="{TOP - 8}">{escape(up.title)}</text>')
    for at, line in enumerate(lines):
        path = "L".join(f"{_x(across, x)} {_y(up, y)}" for x, y in line.points)
        body.append(f'<path class="line c{at}" d="M{path}"/>')
        x = LEFT + at * (WIDTH - LEFT - RIGHT) / len(lines)
        y = HEIGHT - 14
        body.append(f'<path class="line c{at}" d="M{x:.0f} {y - 4}h26"/>')
        body.append(f'<text x="{x + 32:.0f}" y="{y}">{escape(line.name)}</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_style()}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
            *body,
            "</svg>",
            "",
        ]
    )


def _style() -> str:
    def colours(values: Sequence[str]) -> str:
        return "".join(f".c{at}{{stroke:{value}}}" for at, value in enumerate(values))

    dashes = "".join(f".c{at}{{stroke-dasharray:{d}}}" for at, d in enumerate(DASHES) if d)
    return (
        "text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:14px}"
        ".ground{fill:#fff}.grid{stroke:#d1d9e0;fill:none}.line{stroke-width:2;fill:none}"
        f"{colours(COLOURS)}{dashes}"
        "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}"
        f".grid{{stroke:#3d444d}}{colours(DARK)}}}"
    )


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + axis.part(value) * (WIDTH - LEFT - RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(HEIGHT - BOTTOM - axis.part(value) * (HEIGHT - TOP - BOTTOM), 1)
