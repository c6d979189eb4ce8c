"""A campaign: scenarios run again and again, each trial from its own seed.

What a trial found is one line of a result file, on the disk before the next trial begins:
a campaign that was broken off goes on where it was, and trials are never run twice.
"""

from __future__ import annotations

import json
import os
import time
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MAXIMISED = ("most ", "longest ")
"""Figures whose names begin like this keep their greatest value in the table; all others
are summed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a scenario. `number` counts from 0; the seed follows from both."""

    scenario: str
    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial counted, and sentences of what went wrong; none: it held."""

    figures: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault and what must hold, with the driver that carries it and its number of trials."""

    name: str
    driver: str
    trials: int
    run: Callable[[Trial], Verdict]

    def trial(self, number: int) -> Trial:
        """That trial; the same seed whenever it is asked for."""
        return Trial(self.name, number, zlib.crc32(f"{self.name}/{number}".encode()))


@dataclass(frozen=True, slots=True)
class Result:
    """A trial that was run, as the file keeps it."""

    scenario: str
    driver: str
    number: int
    seed: int
    seconds: float
    figures: dict[str, float]
    broken: list[str]


class Results:
    """The result file: JSON lines. A line cut by a crash counts as not written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Result]:
        """All results so far."""
        if not self.path.exists():
            return []
        return list(_parsed(self.path.read_text().splitlines()))

    def add(self, result: Result) -> None:
        """Append one; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+") as file:
            file.seek(0, os.SEEK_END)
            torn = file.tell() > 0 and not self.path.read_bytes().endswith(b"\n")
            file.write(("\n" if torn else "") + json.dumps(asdict(result)) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _parsed(lines: Iterable[str]) -> Iterator[Result]:
    for line in lines:
        try:
            yield Result(**json.loads(line))
        except ValueError:
            continue


def missing(scenarios: Sequence[Scenario], done: Sequence[Result]) -> list[tuple[Scenario, Trial]]:
    """What is still to be run: all first trials before all second ones, so that a campaign
    that is broken off has tried everything."""
    ran = {(result.scenario, result.number) for result in done}
    open_trials = [
        (number, scenario)
        for scenario in scenarios
        for number in range(scenario.trials)
        if (scenario.name, number) not in ran
    ]
    open_trials.sort(key=lambda item: item[0])
    return [(scenario, scenario.trial(number)) for number, scenario in open_trials]


def run_trial(scenario: Scenario, trial: Trial) -> Result:
    """Run one trial; whatever it raises is a break."""
    begun = time.monotonic()
    try:
        verdict = scenario.run(trial)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}"
        verdict = Verdict({}, [words])
    took = time.monotonic() - begun
    return Result(
        scenario.name,
        scenario.driver,
        trial.number,
        trial.seed,
        round(took, 2),
        verdict.figures,
        verdict.broken,
    )


def table(results: Sequence[Result], scenarios: Sequence[tuple[str, int]] = ()) -> str:
    """The results as a Markdown table, one row per scenario and driver.

    `scenarios`: names with the trials that they want, where they are known.
    """
    wanted = dict(scenarios)
    rows: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        rows.setdefault((result.scenario, result.driver), []).append(result)
    lines = [
        "| scenario | driver | trials | held | figures |",
        "|---|---|---|---|---|",
    ]
    for (name, driver), found in sorted(rows.items()):
        held = sum(not result.broken for result in found)
        of = f" of {wanted[name]}" if name in wanted else ""
        figures = ", ".join(f"{word} {value:g}" for word, value in _figures(found).items())
        lines.append(f"| {name} | {driver} | {len(found)}{of} | {held} | {figures} |")
    broken = [result for result in results if result.broken]
    for result in broken:
        lines += [f"\n{result.scenario} {result.number} (seed {result.seed}):"]
        lines += [f"- {sentence}" for sentence in result.broken]
    return "\n".join(lines)


def _figures(results: Sequence[Result]) -> dict[str, float]:
    total: dict[str, Any] = {}
    for result in results:
        for word, value in result.figures.items():
            if word.startswith(MAXIMISED):
                total[word] = max(total.get(word, value), value)
            else:
                total[word] = round(total.get(word, 0) + value, 6)
    return total
