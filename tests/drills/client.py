"""A drill's view of its Gantry: the API, as anybody's scripts use it."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.support.running import RunningGantry
from tests.support.waiting import wait_until

IMAGE = "gantry/hello:latest"
SMALL = {"cpu_cores": 0.02, "memory_mb": 16}
ENDED = {"completed", "failed", "cancelled"}


def numbered(lines: int, pause: float) -> str:
    """A script that prints numbered lines, with that pause in seconds after each."""
    return f"i=1; while [ $i -le {lines} ]; do echo line $i; i=$((i+1)); sleep {pause}; done"


def output_of(lines: int) -> bytes:
    """What it prints."""
    return b"".join(b"line %d\n" % n for n in range(1, lines + 1))


class Client:
    """Requests with a token of the first administrator."""

    def __init__(self, gantry: RunningGantry, name: str) -> None:
        self._gantry = gantry
        self._token = gantry.manage("token", "admin", "--name", name).strip()

    def ask(self, path: str, body: object = None) -> Any:
        """The decoded answer; a body makes it a POST."""
        return json.loads(self.read(path, body))

    def read(self, path: str, body: object = None) -> bytes:
        """The answer as it came."""
        request = urllib.request.Request(
            f"{self._gantry.url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def submit(self, name: str, script: str, **fields: object) -> int:
        """Submit a small job; its number."""
        spec = {"name": name, "image": IMAGE, "project": "default", "script": script}
        return int(self.ask("/jobs", spec | {"resources": SMALL} | fields)["id"])

    def states(self, jobs: Sequence[int]) -> dict[int, str]:
        """Job → its state now."""
        return {job: self.ask(f"/jobs/{job}")["state"] for job in jobs}

    def wait_for(self, jobs: Sequence[int], states: set[str], seconds: float) -> dict[int, str]:
        """Wait until all of them are in one of these states; where each is."""
        reached: dict[int, str] = {}

        def all_there() -> bool:
            missing = [job for job in jobs if job not in reached]
            reached.update(
                {job: state for job, state in self.states(missing).items() if state in states}
            )
            return len(reached) == len(jobs)

        wait_until(all_there, seconds, f"{len(jobs)} jobs are {' or '.join(sorted(states))}")
        return reached

    def whole(self, job: int, expected: bytes) -> bool:
        """True when its stored output is that, byte for byte, at its first attempt."""
        (attempt,) = self.ask(f"/jobs/{job}/attempts")["items"]
        stored = self.read(f"/jobs/{job}/logs?format=text&stream=stdout")
        same = hashlib.sha256(stored).digest() == hashlib.sha256(expected).digest()
        return same and attempt["log"]["complete"] is True

    def words(self, job: int) -> list[str]:
        """Its events, each as its type and words."""
        items = self.ask(f"/jobs/{job}/events?limit=200")["items"]
        return [f"{event['type']}: {event['reason_text'] or ''}" for event in items]
