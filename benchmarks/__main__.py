"""`python -m benchmarks`: starts a Gantry of its own, measures it against the bare engine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from benchmarks.bare import BareSide
from benchmarks.baseline import keep
from benchmarks.idle import watch_idle
from benchmarks.orchestrated import OrchestratedSide
from benchmarks.pages import time_pages
from benchmarks.processes import Processes
from benchmarks.report import Report, machine_versions
from benchmarks.rounds import compare_burst, compare_latency, compare_throughput
from benchmarks.watching import watch_jobs
from tests.support.running import RunningGantry, running_gantry
from tests.support.unwinding import unwind_on_sigterm

CONCURRENCIES = (1, 4, 8)
BURST = 32


def main() -> int:
    """0 when every goal that was measured is met, 1 when one is missed."""
    asked = _arguments()
    unwind_on_sigterm()
    with running_gantry() as gantry:
        gantry.start()
        with closing(BareSide(1)) as engine:
            (version,) = gantry.ask("SHOW server_version")[0]
            (fsync,) = gantry.ask("SHOW fsync")[0]
            postgres = {"postgres": f"{version}, fsync {fsync}"}
            report = Report(machine_versions() | engine.versions() | postgres)
        _print(report.lines)
        processes = Processes(gantry)
        if asked.idle:
            _print(report.add_idle(watch_idle(processes)))
        elif asked.pages:
            _print(report.add_pages(time_pages(gantry)))
        elif asked.watch:
            _print(report.add_watching(watch_jobs(gantry, asked.watch)))
        else:
            _measure(asked, gantry, processes, report)
            if asked.keep:
                keep(report.ratios)
            _print(report.hold())
        _print([f"Written to {report.write()}"])
    return 1 if report.missed else 0


def _measure(
    asked: argparse.Namespace, gantry: RunningGantry, processes: Processes, report: Report
) -> None:
    token = gantry.manage("token", "admin", "--name", "bench").strip()
    with _sides(gantry, token, 1) as (bare, orchestrated):
        theirs = bare.host_config(orchestrated.container_of_a_job())
        assert theirs == bare.host_config(), "both sides run the same container"
        orchestrated.run(0)
    if asked.samples:
        with _sides(gantry, token, 1) as (bare, orchestrated):
            _print(report.add_latency(compare_latency(bare, orchestrated, asked.samples)))
    for concurrency in CONCURRENCIES if asked.rounds else ():
        with _sides(gantry, token, concurrency) as (bare, orchestrated):
            found = compare_throughput(
                bare,
                orchestrated,
                processes,
                concurrency=concurrency,
                each=asked.each,
                rounds=asked.rounds,
            )
        _print(report.add_throughput(found))
    if asked.bursts:
        with closing(BareSide(BURST)) as bare, _sides(gantry, token, 1) as (_, orchestrated):
            bursts = compare_burst(bare, orchestrated, many=BURST, rounds=asked.bursts)
        _print(report.add_burst(BURST, bursts))


@contextmanager
def _sides(
    gantry: RunningGantry, token: str, concurrency: int
) -> Iterator[tuple[BareSide, OrchestratedSide]]:
    with closing(BareSide(concurrency)) as bare:
        left = partial(bare.left, gantry.instance)
        with closing(OrchestratedSide(gantry, token, concurrency, left)) as orchestrated:
            yield bare, orchestrated


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="of both sides, per concurrency")
    parser.add_argument("--each", type=int, default=5, help="containers per thread and round")
    parser.add_argument("--bursts", type=int, default=6, help="rounds of 32 at once; 0: none")
    parser.add_argument("--samples", type=int, default=60, help="single jobs timed; 0: none")
    parser.add_argument("--keep", action="store_true", help="hold later runs against this one")
    parser.add_argument("--idle", action="store_true", help="watch an idle Gantry instead")
    parser.add_argument("--pages", action="store_true", help="time every page instead")
    parser.add_argument("--watch", type=int, default=0, help="jobs to watch in a browser instead")
    return parser.parse_args()


def _print(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
