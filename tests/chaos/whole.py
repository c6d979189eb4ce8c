"""A whole Gantry for trials: its API as a client who does not give up, its processes as
targets."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.models import Attempt, Job
from jobs.states import TERMINAL
from orchestrator.local.processes import ProcessMark
from providers.driver import Stream
from providers.models import HealthState, Provider
from tests.chaos.campaign import Verdict
from tests.chaos.ground import ground
from tests.chaos.oracle.asked import Asked, Kind
from tests.chaos.oracle.checker import Checker
from tests.chaos.oracle.program import script
from tests.chaos.oracle.witnesses import EngineEvents, StartsFile, Witness
from tests.chaos.stage import TTL
from tests.support.container_starts import StartCounter, containers_of
from tests.support.databases import models_on
from tests.support.running import RunningGantry, running_gantry
from tests.support.waiting import wait_until

ANSWER_SECONDS = 90.0


class Whole:
    """One Gantry at work, and what was asked of it."""

    def __init__(self, gantry: RunningGantry, image: str) -> None:
        self.gantry = gantry
        self.image = image
        self.asked: list[Asked] = []
        self.starts = StartsFile(gantry.aside / "oracle")
        self.instance = gantry.instance
        self.events = StartCounter(self.instance)
        self._token = gantry.manage("token", "admin", "--name", "chaos").strip()

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        """One request, repeated until it is answered: web may just be dead. A repeated
        submission has the same key, so that it is one job."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.gantry.url}/api/v1{path}", data, headers, method=method
        )

        def answer() -> tuple[bytes] | None:
            try:
                with urllib.request.urlopen(request, timeout=20) as reply:
                    return (reply.read(),)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
            except (OSError, TimeoutError):
                pass
            return None

        (got,) = wait_until(answer, ANSWER_SECONDS, f"{method} {path} is answered") or (b"",)
        return got

    def prepare(self) -> None:
        """Let jobs mount the host's folder, and give them room."""
        provider = wait_until(
            lambda: Provider.objects.filter(kind="docker", health=HealthState.HEALTHY).first(),
            60,
            "the engine is a provider",
        )
        assert provider is not None
        change = {"mount_allow_list": [self.starts.allowed], "cpu_millis": 16_000}
        self.call("PATCH", f"/providers/{provider.pk}", change)

    def submit(self, number: int, *, lines: int = 8) -> None:
        """Have one more job accepted: most end well, some fail. A line takes 0.05 s or more."""
        kind = Kind.FAILING if number % 5 == 4 else Kind.WHOLE
        failing = kind is Kind.FAILING
        body = {
            "name": f"chaos-{number}",
            "image": self.image,
            "script": script(lines=4, exit_code=3) if failing else script(lines=lines),
            "resources": {"cpu_cores": 0.5, "memory_mb": 32},
            "mounts": [self.starts.mount],
            "retry": {"max_attempts": 2, "backoff_seconds": 0} if failing else {},
        }
        job = json.loads(self.call("POST", "/jobs", body))
        self.asked.append(Asked(int(job["id"]), kind))

    def kill(self, name: str) -> None:
        """kill -9 of web, orchestrate, qcluster, or of the supervisor, which is then started
        anew as an operator would."""
        if name == "supervisor":
            self.gantry.process.kill()
            self.gantry.process.wait(10)
            self.gantry.start()
            return
        mark = wait_until(lambda: self._mark(name), 60, f"{name} lives")
        assert mark is not None
        mark.signal(signal.SIGKILL)

    def _mark(self, name: str) -> ProcessMark | None:
        """The process as it lives now; None while it waits for its next start."""
        try:
            return ProcessMark.of(self.gantry.pid_of(name))
        except KeyError:
            return None

    def wait_for_end(self, seconds: float) -> None:
        """Wait until all jobs have ended, or so long."""
        ids = [one.job for one in self.asked]

        def over() -> bool:
            return not Job.objects.filter(pk__in=ids).exclude(state__in=TERMINAL).exists()

        try:
            wait_until(over, seconds, "all jobs have ended")
        except AssertionError:
            return  # the checker says which

    def check(self, **figures: float) -> Verdict:
        """The oracle's verdict; logs are read over HTTP."""
        witnesses: list[Witness] = [self.starts, EngineEvents(self.events)]
        checker = Checker(witnesses, self._log, lambda: containers_of(self.instance))
        checker.figures |= figures
        return checker.check(self.asked)

    def _log(self, attempt: Attempt, stream: Stream) -> bytes:
        query = f"attempt={attempt.number}&stream={stream}&format=text"
        return self.call("GET", f"/jobs/{attempt.job_id}/logs?{query}")


@contextmanager
def whole(*, data_dir: Path | None = None, aside: Path | None = None) -> Iterator[Whole]:
    """A Gantry with short leases, at work; nothing of it is left behind. `data_dir`, `aside`:
    the folders that it is to have, instead of one that is made."""
    short = {"GANTRY_LEASE_TTL": str(TTL)}
    with running_gantry(short, data_dir=data_dir, aside=aside) as gantry:
        gantry.start()
        with models_on(gantry.database_url):
            made = Whole(gantry, ground().image)
            try:
                made.prepare()
                yield made
            finally:
                made.events.close()
                print(gantry.output()[-20_000:])  # noqa: T201
