"""The other side: the same container as a job of a whole Gantry, over its JSON API."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.bare import moment
from benchmarks.container import JOB
from tests.support.running import RunningGantry

ENDED = ("completed", "failed", "cancelled")
GONE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class JobTimes:
    """Seconds from sending the POST to its answer and to the program's start, and from the
    program's end to the answer that says so. Start and end are the engine's own times."""

    answered: float
    started: float
    told: float


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that has completed, and this machine's times of it."""

    job: int
    sent: float
    answered: float
    known: float


class Client:
    """One client of the API on one connection that stays open."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the answer's JSON."""
        data = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/v1{path}", data, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201, 202), f"{method} {path}: {answer.status} {text!r}"
        return json.loads(text)

    def run_job(self) -> Ran:
        """Submit the job and wait for its end."""
        sent = time.time()
        job = self.call("POST", "/jobs", JOB)
        answered = time.time()
        job = self.wait_for_end(job)
        return Ran(job["id"], sent, answered, time.time())

    def wait_for_end(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job as it is when it has ended; it must have completed."""
        while job["state"] not in ENDED:
            job = self.call("GET", f"/jobs/{job['id']}?wait=60")
        assert job["state"] == "completed", job["reason_text"]
        return job

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class OrchestratedSide:
    """So many clients, each with one job at a time."""

    def __init__(
        self, gantry: RunningGantry, token: str, concurrency: int, left: Callable[[], list[str]]
    ) -> None:
        self._clients = [Client(gantry.port, token) for _ in range(concurrency)]
        self._left = left

    def run(self, each: int) -> float:
        """Run so many jobs by each client; the seconds until all have ended and their
        containers, which Gantry removes in the background, are gone."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(self._clients)) as threads:
            list(threads.map(lambda client: _jobs(client, each), self._clients))
        self._wait_until_gone()
        return time.perf_counter() - begun

    def burst(self, many: int) -> float:
        """Submit so many jobs in one call; the seconds until all have ended and their
        containers are gone."""
        begun = time.perf_counter()
        client = self._clients[0]
        for number in client.call("POST", "/jobs/bulk", {"jobs": [JOB] * many})["ids"]:
            client.wait_for_end(client.call("GET", f"/jobs/{number}"))
        self._wait_until_gone()
        return time.perf_counter() - begun

    def _wait_until_gone(self) -> None:
        deadline = time.monotonic() + GONE_SECONDS
        while self._left():
            assert time.monotonic() < deadline, "containers of ended jobs are still there"
            time.sleep(0.005)

    def container_of_a_job(self) -> str:
        """The id of the container of a job that runs for a while from now."""
        client = self._clients[0]
        job = client.call("POST", "/jobs", JOB | {"command": ["sleep", "2"]})
        while job["state"] not in ("running", *ENDED):
            job = client.call("GET", f"/jobs/{job['id']}?wait=10&rev={job['rev']}")
        return self._left()[0]

    def job_times(self) -> JobTimes:
        """One job alone."""
        ran = self._clients[0].run_job()
        (attempt,) = self._clients[0].call("GET", f"/jobs/{ran.job}/attempts")["items"]
        return JobTimes(
            ran.answered - ran.sent,
            moment(attempt["started_at"]) - ran.sent,
            ran.known - moment(attempt["finished_at"]),
        )

    def close(self) -> None:
        """Hang up."""
        for client in self._clients:
            client.close()


def _jobs(client: Client, count: int) -> None:
    for _ in range(count):
        client.run_job()
