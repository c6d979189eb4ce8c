"""A Gantry whose only busy provider is scripted: it ends jobs at once, so that what a job costs
is Gantry's own."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.support.running import RunningGantry
from tests.support.waiting import wait_until

FAKE = {"GANTRY_ALLOW_FAKE": "1"}
SMALL = {"cpu_cores": 1, "memory_mb": 64}
LOOK_SECONDS = 0.3
"""Between two looks whether a batch has ended: they take part in what is measured."""
_STOPPED = ("web", "orchestrate", "qcluster")


class Scripted:
    """An instance with a provider `quick` that ends jobs at once, and `busy` with one place."""

    def __init__(self, gantry: RunningGantry) -> None:
        self.gantry = gantry
        gantry.start()
        self.token = gantry.manage("token", "admin", "--name", "bench").strip()
        for provider in self.post("/providers?limit=100", None)["items"]:
            self.post(f"/providers/{provider['id']}", {"mode": "inactive"}, "PATCH")
        size = {"cpu_cores": 256, "memory_mb": 1024 * 1024, "lasting": False}
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
                                      "provider": "quick", "resources": SMALL})  # fmt: skip
        self._pattern = int(pattern["id"])

    def _fakes(self) -> list[Any]:
        found = self.post("/providers?limit=100", None)["items"]
        return [p for p in found if p["kind"] == "fake"]

    def post(self, path: str, body: object, method: str = "") -> Any:
        """One call of the API; a body of None asks with GET."""
        request = urllib.request.Request(
            f"{self.gantry.url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
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
        before = self.newest()
        self.copy(
            self._pattern, many, held="false", reason="'queued'", priority="100",
            queued_at="clock_timestamp()", created_at="clock_timestamp()",
        )  # fmt: skip
        self.execute("NOTIFY gantry_engine, 'jobs'")
        # Both are few rows of a partial index, so that looking costs nothing.
        left = (
            f"SELECT EXISTS (SELECT FROM jobs_job WHERE id > {before} AND NOT held"
            " AND state = 'pending' AND queue_class_id IS NOT NULL AND not_before IS NULL)"
            f" OR EXISTS (SELECT FROM jobs_attempt WHERE phase <> 'ended' AND job_id > {before})"
        )
        deadline = time.monotonic() + 300
        while self.gantry.ask(left)[0][0]:
            assert time.monotonic() < deadline, "the batch has ended"
            time.sleep(LOOK_SECONDS)
        ((seconds,),) = self.gantry.ask(
            "SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8"
            f" FROM jobs_job WHERE id > {before}"
        )
        return many / float(str(seconds))

    def batch_of(self, many: int) -> int:
        """The number of the last of so many jobs that have ended by now."""
        self.batch(many)
        return self.newest()

    def newest(self) -> int:
        """The number of its newest job."""
        return int(str(self.gantry.ask("SELECT max(id) FROM jobs_job")[0][0]))

    def start(self) -> float:
        """Milliseconds from a job's submission to its program's start, in rows."""
        job = self.post("/jobs", {"name": "urgent", "image": "any:1", "priority": 100,
                                  "provider": "quick", "resources": SMALL})["id"]  # fmt: skip
        asked = (
            "SELECT extract(epoch FROM a.running_at - j.created_at)::float8 * 1000"
            f" FROM jobs_job j JOIN jobs_attempt a ON a.job_id = j.id WHERE j.id = {job}"
            " AND a.running_at IS NOT NULL"
        )
        wait_until(lambda: bool(self.gantry.ask(asked)), 60, "it runs")
        return float(str(self.gantry.ask(asked)[0][0]))

    def wake_up(self) -> None:
        """Wait until it does all that it does again, after it has stood still: it has renewed its
        leases since. The answer to a renewal that it was stopped in leaves it little trust, and
        the leases would be handed over in the middle of a batch."""
        ((before,),) = self.gantry.ask("SELECT max(expires_at)::text FROM providers_lease")
        since = f"min(expires_at) > '{before}' AND min(expires_at) > now() + interval '6.5 seconds'"
        held = f"SELECT {since} FROM providers_lease WHERE holder <> ''"
        wait_until(lambda: self.gantry.ask(held) == [(True,)], 60, "it has renewed its leases")
        self.start()

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
