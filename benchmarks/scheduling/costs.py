"""`plan`: the cost of plans by number of classes, of pending jobs and of providers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.scheduling import load, openb
from benchmarks.scheduling.decisions import EVENTS, Decisions, Stage
from benchmarks.scheduling.svg import Axis, Line, chart

PENDING = 100_000
CLASSES = (200, 2_000, 100_000)
PROVIDERS = 1_000
CURVE_PENDING = (1_000, 5_000, 20_000, 50_000, 100_000, 200_000)
CURVE_PROVIDERS = (10, 50, 200, 1_000, 2_000, 5_000)
CURVE_CLASSES = 1_000
MOST_COLD_SECONDS = 5.0
MOST_NEXT_SECONDS = 0.05
MOST_CLASSES = 2_000
"""Up to so many classes the goals hold."""
EVENTS_OF_FEW, EVENTS_OF_MANY = 100, 5


def by_classes(traces: Path | None) -> Iterator[tuple[str, Decisions]]:
    """100,000 pending jobs against 1,000 made-up providers and against those of openb."""
    for classes in CLASSES:
        events = EVENTS_OF_FEW if classes <= MOST_CLASSES else EVENTS_OF_MANY
        stage = Stage(PENDING, classes, load.providers(PROVIDERS))
        yield "made up", stage.measure(events)
        if traces is not None:
            stage = Stage(PENDING, classes, openb.nodes(traces, pack=True))
            yield "openb", stage.measure(events)


def by_pending() -> Iterator[Decisions]:
    """From 1,000 to 200,000 pending jobs of a thousand classes, against 1,000 providers."""
    for pending in CURVE_PENDING:
        stage = Stage(pending, min(CURVE_CLASSES, pending), load.providers(PROVIDERS))
        yield stage.measure(20)


def by_providers() -> Iterator[Decisions]:
    """100,000 pending jobs of a thousand classes against 10 to 5,000 providers."""
    for providers in CURVE_PROVIDERS:
        yield Stage(PENDING, CURVE_CLASSES, load.providers(providers)).measure(20)


def table_head() -> str:
    """Of the rows that follow."""
    return (
        "| providers | classes | pending | placed | cold, s | next p50, ms | next p99, ms |"
        f" p99 by event: {', '.join(EVENTS)} |\n|---|---|---|---|---|---|---|---|"
    )


def row(kind: str, found: Decisions) -> str:
    """A line of the table: processor time, the clock's in brackets."""
    each = ", ".join(f"{1000 * found.percentile(0.99, e).processor:.0f}" for e in EVENTS)
    middle, high = found.percentile(0.5), found.percentile(0.99)
    return (
        f"| {found.providers:,} {kind} | {found.classes:,} | {found.pending:,} |"
        f" {found.placements:,} | {found.cold.processor:.2f} ({found.cold.clock:.2f}) |"
        f" {1000 * middle.processor:.0f} ({1000 * middle.clock:.0f}) |"
        f" {1000 * high.processor:.0f} ({1000 * high.clock:.0f}) | {each} |"
    )


def missed(found: Decisions) -> bool:
    """Whether a goal is missed that holds for so many classes."""
    return found.classes <= MOST_CLASSES and (
        found.cold.processor > MOST_COLD_SECONDS
        or found.percentile(0.99).processor > MOST_NEXT_SECONDS
    )


def curve(title: str, across: str, points: list[tuple[int, Decisions]]) -> str:
    """The SVG of one cost curve, in milliseconds, both axes logarithmic."""
    marks = [(float(at), f"{at:,}") for at, _ in points]
    lines = [
        Line("first plan", [(at, 1000 * d.cold.processor) for at, d in points]),
        Line("next, p50", [(at, 1000 * d.percentile(0.5).processor) for at, d in points]),
        Line("next, p99", [(at, 1000 * d.percentile(0.99).processor) for at, d in points]),
    ]
    up = Axis(
        "processor ms", 1, 100_000,
        [(float(10**power), f"{10**power:,}") for power in range(6)], logarithmic=True,
    )  # fmt: skip
    return chart(title, Axis(across, marks[0][0], marks[-1][0], marks, logarithmic=True), up, lines)
