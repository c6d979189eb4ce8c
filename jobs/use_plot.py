"""A measure over time as SVG paths in a box WIDTH by HEIGHT, with the line of its limit. Pure;
no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 1000, 100
_HEADROOM = 1.06

Point = tuple[datetime, float]
"""A moment and what was measured then."""


@dataclass(frozen=True, slots=True)
class Plot:
    """The line through the points, the area under it, and how far down the limit is."""

    line: str
    area: str
    limit_y: float


def plot_of(points: Sequence[Point], limit: float) -> Plot:
    """The plot of at least one point, in the order of time; values and limit in the same unit.
    The first point is at the left edge and the last at the right one; a single one is a dot
    there, with nothing under it."""
    first, last = points[0][0], points[-1][0]
    seconds = (last - first).total_seconds()
    top = _HEADROOM * max(limit, *(value for _, value in points)) or 1.0

    def height(value: float) -> str:
        return f"{HEIGHT * (1 - max(0.0, value) / top):.1f}"

    if seconds <= 0:
        return Plot(f"M{WIDTH} {height(points[-1][1])}h0", "", float(height(limit)))
    places = [
        f"{WIDTH * (at - first).total_seconds() / seconds:.1f} {height(value)}"
        for at, value in points
    ]
    line = "M" + "L".join(places)
    return Plot(line, f"{line}V{HEIGHT}H0Z", float(height(limit)))
