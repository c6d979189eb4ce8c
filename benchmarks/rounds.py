"""The comparison: one side, the other side, and again, so that both meet the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

from benchmarks.bare import BareSide
from benchmarks.intervals import Estimate, difference, estimate, percentile
from benchmarks.orchestrated import JobTimes, OrchestratedSide
from benchmarks.processes import Processes

LEAST_RATIO, LEAST_BURST_RATIO = 0.95, 1.2
MOST_ADDED_SECONDS, MOST_ADDED_P99_SECONDS = 0.025, 0.100
MOST_TOLD_SECONDS = 0.050


@dataclass(frozen=True, slots=True)
class Round:
    """Containers per second of both sides, one right after the other."""

    bare: float
    orchestrated: float

    @property
    def ratio(self) -> float:
        """Above 1 where Gantry was faster than nothing in between."""
        return self.orchestrated / self.bare


@dataclass(slots=True)
class Throughput:
    """All rounds at one concurrency."""

    concurrency: int
    containers: int
    """Per side and round."""
    rounds: list[Round] = field(default_factory=list)
    cpu_ms_per_job: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> Estimate:
        """The median of the paired ratios."""
        return estimate([each.ratio for each in self.rounds])


@dataclass(slots=True)
class Latency:
    """Single containers and single jobs in turn, on a system that does nothing else."""

    bare_start: list[float] = field(default_factory=list)
    jobs: list[JobTimes] = field(default_factory=list)

    @property
    def added(self) -> dict[str, Estimate]:
        """Submit-to-running minus the bare median of create and start, in seconds."""
        started = [job.started for job in self.jobs]
        return {
            "p50": difference(started, self.bare_start),
            "p95": difference(started, self.bare_start, percentile(0.95)),
            "p99": difference(started, self.bare_start, percentile(0.99)),
        }

    @property
    def added_share(self) -> Estimate:
        """The added median as a share of what a bare start takes."""
        bare = median(self.bare_start)
        p50 = self.added["p50"]
        return Estimate(p50.value / bare, p50.low / bare, p50.high / bare)


def compare_throughput(
    bare: BareSide,
    orchestrated: OrchestratedSide,
    processes: Processes,
    *,
    concurrency: int,
    each: int,
    rounds: int,
) -> Throughput:
    """Run both sides in turn; which one begins changes from round to round."""
    bare.run(1)
    orchestrated.run(1)
    result = Throughput(concurrency, each * concurrency)
    spent: dict[str, float] = {}
    own = 0.0

    def run_jobs() -> float:
        nonlocal own
        before, own_before = processes.cpu_seconds(), time.process_time()
        seconds = orchestrated.run(each)
        own += time.process_time() - own_before
        for role, total in processes.cpu_seconds().items():
            spent[role] = spent.get(role, 0.0) + total - before[role]
        return seconds

    for bare_seconds, job_seconds in _in_turn(lambda: bare.run(each), run_jobs, rounds):
        count = result.containers
        result.rounds.append(Round(count / bare_seconds, count / job_seconds))
    jobs = result.containers * rounds
    result.cpu_ms_per_job = {role: 1000 * s / jobs for role, s in spent.items()}
    result.cpu_ms_per_job["this client"] = 1000 * own / jobs
    return result


def compare_burst(
    bare: BareSide, orchestrated: OrchestratedSide, *, many: int, rounds: int
) -> list[Round]:
    """So many containers asked for at once: of the engine in as many threads, of Gantry in one
    call, in turn."""
    bare.run(1)
    orchestrated.burst(many)
    pairs = _in_turn(lambda: bare.run(1), lambda: orchestrated.burst(many), rounds)
    return [Round(many / theirs, many / ours) for theirs, ours in pairs]


def compare_latency(bare: BareSide, orchestrated: OrchestratedSide, samples: int) -> Latency:
    """One bare container and one job in turn."""
    result = Latency()
    bare.start_seconds()
    orchestrated.job_times()

    def run_job() -> float:
        orchestrated.run(0)  # the container of the job before is gone first
        result.jobs.append(orchestrated.job_times())
        return 0.0

    for seconds, _ in _in_turn(bare.start_seconds, run_job, samples):
        result.bare_start.append(seconds)
    return result


def _in_turn(
    first: Callable[[], float], second: Callable[[], float], rounds: int
) -> Iterator[tuple[float, float]]:
    for number in range(rounds):
        if number % 2:
            other = second()
            yield first(), other
        else:
            one = first()
            yield one, second()
