"""`python -m benchmarks.deep_queue`: what a long queue and a long history cost.

Two Gantries on one machine with scripted providers (docs/fake-driver.md), so that no container
counts: an empty one, and one with 1,000,000 finished and 100,000 waiting jobs in 200 classes.
In turn each of them is given a batch of jobs that end at once, and single jobs of the highest
priority; the other stands still meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from benchmarks.intervals import Estimate, estimate, percentile
from tests.support.running import RunningGantry, running_gantry
from tests.support.waiting import wait_until

WAITING, FINISHED, CLASSES = 100_000, 1_000_000, 200
MOST_START_MS, LEAST_RATIO = 250.0, 0.9
_STOPPED = ("web", "orchestrate", "qcluster")


class Side:
    """One of the two: an instance with a provider that ends jobs at once."""

    def __init__(self, gantry: RunningGantry) -> None:
        self.gantry = gantry
        gantry.start()
        self._token = gantry.manage("token", "admin", "--name", "bench").strip()
        for provider in self.post("/providers?limit=100", None)["items"]:
            self.post(f"/providers/{provider['id']}", {"mode": "inactive"}, "PATCH")
        size = {"cpu_cores": 64, "memory_mb": 256 * 1024}
        self.post("/providers", {"name": "quick", "kind": "fake", "options": size})
        self.post(
            "/providers",
            {"name": "busy", "kind": "fake", "options": {"cpu_cores": 1, "memory_mb": 1024},
             "labels": {"pool": "busy"}, "slots": 1},
        )  # fmt: skip
        wait_until(
            lambda: all(p["health"] == "healthy" for p in self._fakes()), 60, "both are healthy"
        )
        pattern = self.post("/jobs", {"name": "batch", "image": "any:1", "hold": True,
                                      "provider": "quick", "resources": _SMALL})  # fmt: skip
        self._pattern = int(pattern["id"])

    def _fakes(self) -> list[Any]:
        found = self.post("/providers?limit=100", None)["items"]
        return [p for p in found if p["kind"] == "fake"]

    def post(self, path: str, body: object, method: str = "") -> Any:
        """One call of the API; a body of None asks with GET."""
        request = urllib.request.Request(
            f"{self.gantry.url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method or ("GET" if body is None else "POST"),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def execute(self, statement: str, *values: object) -> None:
        """A statement of its own transaction on its database."""
        with psycopg.connect(self.gantry.database_url, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def copy(self, pattern: int, many: int, **columns: str) -> None:
        """So many more rows like that job's, with these columns as SQL says."""
        names = [
            str(name)
            for (name,) in self.gantry.ask(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = 'jobs_job' AND column_name <> 'id'"
            )
        ]
        taken = ", ".join(columns.get(name, f"j.{name}") for name in names)
        self.execute(
            f"INSERT INTO jobs_job ({', '.join(names)}) SELECT {taken}"
            f" FROM jobs_job AS j, generate_series(1, {many}) AS n WHERE j.id = {pattern}"
        )

    def batch(self, many: int) -> float:
        """Jobs that end at once, per second, from the moment that all of them are there."""
        before = int(str(self.gantry.ask("SELECT max(id) FROM jobs_job")[0][0]))
        self.copy(
            self._pattern, many, held="false", reason="'queued'", priority="100",
            queued_at="clock_timestamp()", created_at="clock_timestamp()",
        )  # fmt: skip
        self.execute("NOTIFY gantry_engine, 'jobs'")
        done = f"SELECT count(*) FROM jobs_job WHERE id > {before} AND state = 'completed'"
        wait_until(lambda: self.gantry.ask(done)[0][0] == many, 300, "the batch has ended")
        ((seconds,),) = self.gantry.ask(
            "SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8"
            f" FROM jobs_job WHERE id > {before}"
        )
        return many / float(str(seconds))

    def start(self) -> float:
        """Milliseconds from a job's submission to its program's start, in rows."""
        job = self.post("/jobs", {"name": "urgent", "image": "any:1", "priority": 100,
                                  "provider": "quick", "resources": _SMALL})["id"]  # fmt: skip
        asked = (
            "SELECT extract(epoch FROM a.running_at - j.created_at)::float8 * 1000"
            f" FROM jobs_job j JOIN jobs_attempt a ON a.job_id = j.id WHERE j.id = {job}"
            " AND a.running_at IS NOT NULL"
        )
        wait_until(lambda: bool(self.gantry.ask(asked)), 60, "it runs")
        return float(str(self.gantry.ask(asked)[0][0]))

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Its processes do nothing meanwhile."""
        for name in _STOPPED:
            os.killpg(self.gantry.pid_of(name), signal.SIGSTOP)
        try:
            yield
        finally:
            for name in _STOPPED:
                os.killpg(self.gantry.pid_of(name), signal.SIGCONT)


_SMALL = {"cpu_cores": 1, "memory_mb": 64}


def deepen(side: Side, waiting: int, finished: int) -> None:
    """A history, and a queue that waits for a provider with one place, which is taken."""
    busy = [{"key": "pool", "op": "eq", "values": ["busy"]}]
    sits = {"name": "sits", "image": "any:1", "command": ["duration=86400"], "requires": busy}
    side.post("/jobs", sits | {"resources": _SMALL})
    old = int(side.post("/jobs", {"name": "old", "image": "any:1", "provider": "quick"})["id"])
    state = f"SELECT 1 FROM jobs_job WHERE id = {old} AND state = 'completed'"
    wait_until(lambda: bool(side.gantry.ask(state)), 60, "the first of the history has ended")
    for _ in range(10):
        side.copy(old, finished // 10, finished_at="now() - n * interval '1 second'",
                  created_at="now() - n * interval '1 second'")  # fmt: skip
    side.execute(
        "INSERT INTO jobs_attempt (job_id, number, uid, provider_id, term, cpu_millis, memory_mb,"
        " gpus, phase, outcome, reason, reason_detail, progress, log_note, log_seq, log_lines,"
        " log_stdout_bytes, log_stderr_bytes, log_archived_seq, log_archive, ended_at, removed_at)"
        " SELECT id, 1, gen_random_uuid(), provider_id, 0, cpu_millis, memory_mb, 0, 'ended',"
        " 'completed', 'succeeded', '{}', '{}', '', 0, 0, 0, 0, 0, '[]', finished_at, finished_at"
        f" FROM jobs_job WHERE name = 'old' AND id <> {old}"
    )
    for number in range(CLASSES):
        spec = {"name": f"waits-{number}", "image": "any:1", "requires": busy, "hold": True,
                "priority": number % 90, "resources": {"memory_mb": 64 + number}}  # fmt: skip
        job = int(side.post("/jobs", spec)["id"])
        side.copy(job, waiting // CLASSES, held="false", reason="'queued'",
                  queued_at="now() - n * interval '0.1 second'")  # fmt: skip
    side.execute("VACUUM ANALYZE")


def main() -> int:
    """0 when both goals are met."""
    asked = _arguments()
    fake = {"GANTRY_ALLOW_FAKE": "1"}
    with ExitStack() as stack:
        empty, deep = (Side(stack.enter_context(running_gantry(fake))) for _ in range(2))
        begun = time.monotonic()
        deepen(deep, asked.waiting, asked.finished)
        print(f"filled in {time.monotonic() - begun:.0f} s", flush=True)
        rates: list[tuple[float, float]] = []
        starts: tuple[list[float], list[float]] = ([], [])
        for number in range(asked.rounds):
            found = [0.0, 0.0]
            for which in (0, 1) if number % 2 else (1, 0):
                side, other = (empty, deep) if which == 0 else (deep, empty)
                with other.standing_still():
                    side.start()  # awake again
                    found[which] = side.batch(asked.batch)
                    starts[which].extend(side.start() for _ in range(asked.samples))
            rates.append((found[0], found[1]))
            print(f"  empty {found[0]:.0f}/s, deep {found[1]:.0f}/s", flush=True)
    ratio = estimate([b / a for a, b in rates])
    p50s = [estimate(side) for side in starts]
    p99s = [estimate(side, percentile(0.99)) for side in starts]
    print(f"{asked.waiting:,} waiting, {asked.finished:,} finished, {asked.rounds} rounds")
    print(f"  dispatch ratio        {_words(ratio)} (at least {LEAST_RATIO})")
    print(f"  start p50, ms         empty {_words(p50s[0])}, deep {_words(p50s[1])}")
    print(f"  start p99, ms         empty {_words(p99s[0])}, deep {_words(p99s[1])}"
          f" (at most {MOST_START_MS:.0f})")  # fmt: skip
    return int(ratio.value < LEAST_RATIO or p99s[1].value > MOST_START_MS)


def _words(one: Estimate) -> str:
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep_queue", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1000, help="jobs of a round and side")
    parser.add_argument("--samples", type=int, default=20, help="single jobs of a round and side")
    parser.add_argument("--waiting", type=int, default=WAITING)
    parser.add_argument("--finished", type=int, default=FINISHED)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
