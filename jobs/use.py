"""What an attempt uses against its limits, as its page shows it: a line of words for each
measure, and the points of its chart. Values in, values out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.models import Attempt
from jobs.stat_pages import Reading, drawn_together
from jobs.states import Phase
from jobs.use_plot import Plot, plot_of
from projects.quantities import cores_text, memory_text

POINTS = 160
NEAR = 0.95
"""From this part of its limit on a measure is called near it."""
OLD = timedelta(seconds=90)
MEASURED = (Phase.RUNNING, Phase.FINISHING)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Meter:
    """One measure: "1.2 of 2 GiB memory", "peak 1.9 GiB", its plot, and whether it came near its
    limit."""

    key: str
    text: str
    note: str
    plot: Plot
    near: bool = False

    @property
    def words(self) -> str:
        """The whole of it in one line, for who does not see the chart."""
        return f"{self.text}, {self.note}"


@dataclass(frozen=True, slots=True)
class Use:
    """The measures of one attempt, and their points as JSON: what each was at which moment."""

    attempt: int
    live: bool
    meters: tuple[Meter, ...]
    series: str = ""
    last_at: datetime | None = None
    old: bool = False
    """Its last reading is not of now, though it runs: its provider does not tell."""


def use_of(attempt: Attempt | None, readings: Sequence[Reading], now: datetime) -> Use | None:
    """What to show of an attempt; None where nothing was measured and nothing will be soon."""
    if attempt is None:
        return None
    live = attempt.phase in MEASURED
    if not readings:
        began = attempt.running_at
        fresh = live and began is not None and now - began < OLD
        return Use(attempt.number, live, ()) if fresh else None
    last, drawn = readings[-1], drawn_together(readings, POINTS)
    memory = plot_of([(r.at, r.memory_bytes / _MIB) for r in drawn], attempt.memory_mb)
    cpu = plot_of([(r.at, r.cpu_millis) for r in drawn], attempt.cpu_millis)
    return Use(
        attempt=attempt.number,
        live=live,
        meters=(
            _memory(attempt, readings, memory, live=live),
            _cpu(attempt, readings, cpu, live=live),
        ),
        series=_series(drawn),
        last_at=last.at,
        old=live and now - last.at > OLD,
    )


def _memory(attempt: Attempt, readings: Sequence[Reading], plot: Plot, *, live: bool) -> Meter:
    peak = max([r.memory_bytes for r in readings] + [attempt.memory_peak_bytes or 0]) / _MIB
    limit = attempt.memory_mb
    near = peak >= NEAR * limit
    if live:
        shown = readings[-1].memory_bytes / _MIB
        note = f"peak {memory_text(peak)}"
    else:
        shown, note = peak, "at the limit" if near else "at its peak"
    text = f"{of(memory_text(shown), memory_text(limit))} memory"
    return Meter("memory", text, note, plot, near)


def _cpu(attempt: Attempt, readings: Sequence[Reading], plot: Plot, *, live: bool) -> Meter:
    peak = max([r.cpu_millis for r in readings] + [attempt.cpu_peak_millis or 0])
    mean = sum(r.cpu_millis for r in readings) / len(readings)
    limit = cores_text(attempt.cpu_millis)
    note = f"peak {cores_text(peak)}"
    if live:
        return Meter("cpu", f"{of(cores_text(readings[-1].cpu_millis), limit)} CPU", note, plot)
    return Meter("cpu", f"{of(cores_text(mean), limit)} CPU", f"on average, {note}", plot)


def of(part: str, whole: str) -> str:
    """As in "1.2 of 2 GiB": the unit once where both have the same."""
    number, _, unit = part.partition(" ")
    return f"{number if unit and whole.endswith(f' {unit}') else part} of {whole}"


def _series(drawn: Sequence[Reading]) -> str:
    return json.dumps(
        {
            "at": [round(r.at.timestamp(), 1) for r in drawn],
            "memory": [round(r.memory_bytes / _MIB, 1) for r in drawn],
            "cpu": [r.cpu_millis / 1000 for r in drawn],
        },
        separators=(",", ":"),
    )
