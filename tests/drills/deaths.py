"""The drill of deaths: each process of a running Gantry is killed, and the time until its work
goes on is taken. The jobs that run meanwhile must not notice."""

from __future__ import annotations

import os
import signal
import statistics
import time
import urllib.error
from collections.abc import Callable

from tests.drills.client import Client, numbered, output_of
from tests.support.container_starts import StartCounter
from tests.support.running import RunningGantry, running_gantry
from tests.support.waiting import wait_until

JOBS = 10
ROUNDS = 5
LINES = 1000
PAUSE = 0.2
WATCH_SECONDS = 90
"""Longest that is waited for a process to be back."""


def deaths() -> dict[str, object]:
    """Run it; what was seen: of each kind of death the median and the longest time."""
    with running_gantry() as gantry:
        gantry.start()
        starts = StartCounter(gantry.instance)
        try:
            client = Client(gantry, "drill of deaths")
            jobs = [client.submit(f"job-{n}", numbered(LINES, PAUSE)) for n in range(JOBS)]
            client.wait_for(jobs, {"running"}, 120)
            figures = _kill_them(gantry)
            ends = client.wait_for(jobs, {"completed", "failed", "cancelled"}, 600)
            uids = [row[0] for row in gantry.ask("SELECT uid FROM jobs_attempt ORDER BY id")]
            figures |= {
                "jobs that ran meanwhile": JOBS,
                "completed": sum(state == "completed" for state in ends.values()),
                "started once": sum(starts.once(uid) for uid in uids),
                "logs whole, byte for byte": sum(
                    client.whole(job, output_of(LINES)) for job in jobs
                ),
            }
        finally:
            starts.close()
    for what in ("completed", "started once", "logs whole, byte for byte"):
        assert figures[what] == JOBS, figures
    return figures


def _kill_them(gantry: RunningGantry) -> dict[str, object]:
    served = _answers(gantry)
    ways: dict[str, tuple[Callable[[], None], Callable[[], bool]]] = {
        "web: pages served again": (lambda: _kill(gantry.pid_of("web")), served),
        "orchestrate: all jobs taken up": (
            lambda: _kill(gantry.pid_of("orchestrate")),
            _all_taken_up(gantry),
        ),
        "qcluster: another one": (lambda: _kill(gantry.pid_of("qcluster")), _another(gantry)),
        "Postgres: pages served again": (lambda: _kill(_postmaster(gantry)), served),
        "up itself, then `make up`: pages served again": (lambda: _again(gantry), served),
    }
    figures: dict[str, object] = {}
    for what, (kill, is_back) in ways.items():
        times = []
        for _ in range(ROUNDS):
            is_back()  # as it is before
            begun = time.monotonic()
            kill()
            wait_until(is_back, WATCH_SECONDS, what)
            times.append(time.monotonic() - begun)
            wait_until(served, WATCH_SECONDS, "it serves")
        median, longest = statistics.median(times), max(times)
        figures[f"{what}, s"] = f"median {median:.1f}, longest {longest:.1f} of {ROUNDS}"
    return figures


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _postmaster(gantry: RunningGantry) -> int:
    (record,) = gantry.data_dir.glob("postgres/**/postmaster.pid")
    return int(record.read_text().split()[0])


def _again(gantry: RunningGantry) -> None:
    gantry.process.kill()
    gantry.process.wait()
    gantry.start()


def _answers(gantry: RunningGantry) -> Callable[[], bool]:
    """Whether pages are served and the database answers, asked of the instance itself."""

    def is_served() -> bool:
        try:
            return gantry.get("/ready")[0] == 200
        except (urllib.error.URLError, OSError):
            return False

    return is_served


def _all_taken_up(gantry: RunningGantry) -> Callable[[], bool]:
    """Whether every job has been taken up once more than at the last death."""
    query = "SELECT count(*) FROM projects_event WHERE type = 'attempt.adopted'"
    before: list[int] = []

    def is_so() -> bool:
        now = int(str(gantry.ask(query)[0][0]))
        if not before or now >= before[0] + JOBS:
            before[:] = [now]
            return True
        return False

    return is_so


def _another(gantry: RunningGantry) -> Callable[[], bool]:
    """Whether its process is another than at the last death."""
    before: list[int] = []

    def is_so() -> bool:
        try:
            now = gantry.pid_of("qcluster")
        except KeyError:
            return False  # between its death and its next start
        if not before or now != before[0]:
            before[:] = [now]
            return True
        return False

    return is_so
