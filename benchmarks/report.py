"""What a run says: a table for people, JSON for comparison with other runs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.baseline import compared, worse
from benchmarks.idle import MOST_CORE_SHARE, MOST_MIB, IdleProcess
from benchmarks.intervals import Estimate, estimate
from benchmarks.pages import MOST_MS, Pages
from benchmarks.rounds import (
    LEAST_BURST_RATIO,
    LEAST_RATIO,
    MOST_ADDED_P99_SECONDS,
    MOST_ADDED_SECONDS,
    MOST_TOLD_SECONDS,
    Latency,
    Round,
    Throughput,
)
from benchmarks.watching import MOST_LAG_MS, Watching

RESULTS = Path(__file__).parent / "results"


class Report:
    """Collects what was measured. The estimate meets a goal or misses it; where its interval
    reaches over to the other side, that is said."""

    def __init__(self, versions: dict[str, str]) -> None:
        self.lines = [f"{name:10}{text}" for name, text in versions.items()]
        self.missed = False
        self.ratios: dict[str, Estimate] = {}
        """What is held against `baseline.json`."""
        self._data: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "versions": versions}

    def add_throughput(self, found: Throughput) -> list[str]:
        """Containers per second, and what they cost."""
        ratio = found.ratio
        bare = estimate([each.bare for each in found.rounds])
        orchestrated = estimate([each.orchestrated for each in found.rounds])
        costs = ", ".join(f"{role} {ms:.1f}" for role, ms in found.cpu_ms_per_job.items())
        self.ratios[f"containers/s, orchestrated ÷ bare, at {found.concurrency}"] = ratio
        self._data[f"throughput_{found.concurrency}"] = asdict(found)
        return self._say(
            [
                f"Concurrency {found.concurrency}: {len(found.rounds)} rounds"
                f" of {found.containers} containers a side",
                f"  bare           {bare.told()} containers/s",
                f"  orchestrated   {orchestrated.told()} containers/s",
                f"  ratio          {ratio.told()}{self._at_least(LEAST_RATIO, ratio)}"
                f" (at least {LEAST_RATIO:g})",
                f"  processor ms a job: {costs}",
            ]
        )

    def add_burst(self, many: int, found: Sequence[Round]) -> list[str]:
        """Containers per second when all are asked for at once."""
        ratio = estimate([each.ratio for each in found])
        self.ratios[f"containers/s, orchestrated ÷ bare, {many} asked for at once"] = ratio
        self._data["burst"] = [asdict(each) for each in found]
        return self._say(
            [
                f"{many} asked for at once, {len(found)} rounds a side",
                f"  bare, {many} threads  {estimate([r.bare for r in found]).told()} containers/s",
                f"  orchestrated      {estimate([r.orchestrated for r in found]).told()}"
                " containers/s",
                f"  ratio             {ratio.told()}{self._at_least(LEAST_BURST_RATIO, ratio)}"
                f" (at least {LEAST_BURST_RATIO:g})",
            ]
        )

    def add_latency(self, found: Latency) -> list[str]:
        """From submit to running and from the end to its answer."""
        added = {name: _in_ms(each) for name, each in found.added.items()}
        told = _in_ms(estimate([job.told for job in found.jobs]))
        answered = _in_ms(estimate([job.answered for job in found.jobs]))
        self.ratios["added p50 ÷ bare start"] = found.added_share
        self._data["latency"] = asdict(found)
        met = self._at_most(MOST_ADDED_SECONDS, found.added["p50"])
        met_p99 = self._at_most(MOST_ADDED_P99_SECONDS, found.added["p99"])
        met_told = self._at_most(MOST_TOLD_SECONDS, estimate([job.told for job in found.jobs]))
        return self._say(
            [
                f"One at a time: {len(found.jobs)} bare containers and jobs in turn, in ms",
                f"  bare create to running        {1000 * median(found.bare_start):.0f}",
                f"  added by Gantry, p50          {added['p50'].told(1)}{met}"
                f" (at most {1000 * MOST_ADDED_SECONDS:g})",
                f"  added by Gantry, p95          {added['p95'].told(1)}",
                f"  added by Gantry, p99          {added['p99'].told(1)}{met_p99}"
                f" (at most {1000 * MOST_ADDED_P99_SECONDS:g})",
                f"  POST to its answer, p50       {answered.told(1)}",
                f"  program's end to answer, p50  {told.told(1)}{met_told}"
                f" (at most {1000 * MOST_TOLD_SECONDS:g})",
            ]
        )

    def add_watching(self, found: Watching) -> list[str]:
        """From the engine's stamp on a line to the line in the page."""
        self._data["watching"] = asdict(found)
        counts = ", ".join(map(str, found.half_way))
        return self._say(
            [
                f"Watched in a browser: {len(found.half_way)} jobs of 200 lines over 20 s, in ms",
                f"  a line's way into the page, p50  {found.p50.told(0)}",
                f"  a line's way into the page, p95  {found.p95.told(0)}"
                f"{self._at_most(MOST_LAG_MS, found.p95)} (at most {MOST_LAG_MS:g})",
                f"  lines in the page after 10 s     {counts}",
            ]
        )

    def add_idle(self, found: Sequence[IdleProcess]) -> list[str]:
        """Memory and processor of each process at rest."""
        memory = sum(each.usage.pss_mib for each in found)
        share = sum(each.core_share for each in found)
        self._data["idle"] = [asdict(each) for each in found]
        rows = [
            f"  {e.usage.role:12}{e.usage.pss_mib:7.1f} MiB {100 * e.core_share:6.2f} %"
            f"  {e.usage.command[:60]}"
            for e in found
        ]
        met = self._goal(memory <= MOST_MIB and share <= MOST_CORE_SHARE)
        total = f"  {'all':12}{memory:7.1f} MiB {100 * share:6.2f} %{met}"
        goal = f" (at most {MOST_MIB:g} MiB, {100 * MOST_CORE_SHARE:g} % of a core)"
        return self._say(["At rest:", *rows, total + goal])

    def add_pages(self, found: Pages) -> list[str]:
        """Server time of every page, the slowest first."""
        self._data["pages"] = asdict(found)
        slow = [each for each in found.times if each.p95 > MOST_MS]
        rows = [
            f"  {e.p50:6.0f} {e.p95:6.0f} {e.kib:7.1f}  {e.path}{'  over' if e in slow else ''}"
            for e in found.times
        ]
        met = self._goal(not slow)
        return self._say(
            [
                f"{len(found.times)} pages and regions with {found.jobs:,} jobs and"
                f" {found.providers} providers: ms p50, ms p95, KiB",
                *rows,
                f"  over {MOST_MS:g} ms at p95: {len(slow)}{met}",
            ]
        )

    def hold(self) -> list[str]:
        """Compare with the ratios that are kept."""
        lost = list(worse(self.ratios))
        self.missed |= bool(lost)
        if not lost:
            return self._say([f"Kept ratios: {len(compared(self.ratios))} compared, none is worse"])
        return self._say(["Kept ratios, WORSE than before:", *(f"  {line}" for line in lost)])

    def write(self) -> Path:
        """Keep the numbers; the file."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
        path.write_text(json.dumps(self._data, indent=1))
        return path

    def _say(self, lines: list[str]) -> list[str]:
        self.lines += lines
        return lines

    def _at_least(self, goal: float, found: Estimate) -> str:
        surely = found.low >= goal or found.high < goal
        return self._goal(found.value >= goal) + ("" if surely else ", not surely")

    def _at_most(self, goal: float, found: Estimate) -> str:
        surely = found.high <= goal or found.low > goal
        return self._goal(found.value <= goal) + ("" if surely else ", not surely")

    def _goal(self, met: bool) -> str:
        self.missed |= not met
        return "  met" if met else "  MISSED"


def machine_versions() -> dict[str, str]:
    """Of what is measured on."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return {
        "kernel": platform.release(),
        "cores": f"{os.cpu_count()}, load before {load}",
        "python": platform.python_version(),
    }


def _in_ms(found: Estimate) -> Estimate:
    return Estimate(*(1000 * each for each in (found.value, found.low, found.high)))
