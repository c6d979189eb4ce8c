"""Real `manage.py orchestrate` processes, and the instance that they belong to.

An `EngineWorld` is that instance: its database, its folder, its containers, its processes.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from jobs.log.reading import raw_bytes
from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.services import job_submit
from jobs.states import TERMINAL
from projects.actor import SYSTEM
from projects.models import InstanceSettings
from providers.driver import Stream
from providers.models import Provider
from tests.support.container_starts import StartCounter, remove_containers
from tests.support.databases import models_on, own_database
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
SMALL = {"cpu_cores": 0.1, "memory_mb": 32}


class EngineProcess:
    """One orchestrate: started, signalled, and its output read."""

    def __init__(self, name: str, data_dir: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._environment = dict(environment) | {"GANTRY_DATA": str(data_dir)}
        self._log = data_dir / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None, "it was started"
        return self._process

    def launch(self) -> None:
        """Start it and return at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "orchestrate"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=PROJECT,
                env=self._environment,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        told = self.output().count("is ready")
        self.launch()

        def ready() -> bool:
            assert self.process.poll() is None, f"it ended early:\n{self.output()[-4000:]}"
            return self.output().count("is ready") > told

        wait_until(ready, 30, f"{self.name} is ready")

    def ensure(self) -> None:
        """Start it unless it runs."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def output(self) -> str:
        """All that it wrote, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """End it as a supervisor does; its exit status."""
        self.process.terminate()
        return self.process.wait(15)

    def destroy(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


class EngineWorld:
    """An instance, with one project and as many providers and processes as a test wants."""

    def __init__(self, image: str, folder: Path, database_url: str) -> None:
        self.image = image
        self.database_url = database_url
        self.folder = folder
        self.instance = str(InstanceSettings.objects.get(pk=1).instance_id)
        self.starts = StartCounter(self.instance)
        self._processes: list[EngineProcess] = []
        self._numbers = 0

    # --- processes ---

    def engine(
        self,
        name: str = "engine",
        *,
        machine: str = "here",
        ttl: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> EngineProcess:
        """An engine process, not started yet. Those of another `machine` share no files."""
        data_dir = self.folder / machine
        data_dir.mkdir(exist_ok=True)
        own = {
            "DATABASE_URL": self.database_url,
            "GANTRY_LEASE_TTL": str(ttl),
            "GANTRY_ALLOW_FAKE": "1",
        }
        process = EngineProcess(name, data_dir, {**os.environ, **own, **(environment or {})})
        self._processes.append(process)
        return process

    # --- rows ---

    def provider(self, name: str = "local", **columns: Any) -> Provider:
        """A Docker provider that nobody has looked at yet, with room for many small jobs."""
        return Provider.objects.create(
            name=name, kind="docker", cpu_millis=16_000, memory_mb=16_384, **columns
        )

    def submit(self, *command: str, script: str = "", **fields: Any) -> Job:
        """Submit a small job."""
        self._numbers += 1
        words: dict[str, Any] = {"name": f"job-{self._numbers}", "image": self.image}
        words |= {"script": script} if script else {"command": list(command)}
        words["resources"] = SMALL | fields.pop("resources", {})
        job, _ = job_submit(SYSTEM, data=words | fields)
        return job

    def state(self, job: Job) -> str:
        """The job's state now."""
        return str(Job.objects.values_list("state", flat=True).get(pk=job.pk))

    def wait_for(self, job: Job, state: str, deadline_seconds: float = 30) -> Job:
        """Wait until the job is in that state; the job as it then is."""

        def there() -> Job | None:
            now = Job.objects.get(pk=job.pk)
            if now.state in TERMINAL and now.state != state:
                words = reason_text(now.reason, now.reason_detail)
                raise AssertionError(f"job {now.pk} is {now.state}: {words}")
            return now if now.state == state else None

        found = wait_until(there, deadline_seconds, f"job {job.pk} is {state}")
        assert found is not None
        return found

    def wait_for_end(self, job: Job, deadline_seconds: float = 30) -> Job:
        """Wait until the job has ended, however; the job as it then is."""
        wait_until(lambda: self.state(job) in TERMINAL, deadline_seconds, f"job {job.pk} ended")
        return Job.objects.get(pk=job.pk)

    def last_attempt(self, job: Job) -> Attempt:
        """The job's newest attempt."""
        found = Attempt.objects.filter(job=job).order_by("-number").first()
        assert found is not None, f"job {job.pk} has an attempt"
        return found

    def log(self, job: Job, stream: Stream = Stream.STDOUT) -> bytes:
        """All that is stored of its newest attempt's output."""
        return b"".join(raw_bytes(self.last_attempt(job).pk, stream=stream))

    def holder(self, lease: str) -> str:
        """Who holds a lease now, by the database's clock."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT holder FROM providers_lease WHERE name = %s AND expires_at > now()",
                [lease],
            )
            found = cursor.fetchone()
        return found[0] if found else ""

    def connections(self) -> int:
        """How many database connections engine processes have now."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'gantry-orchestrate'"
            )
            return int(cursor.fetchone()[0])

    def destroy(self) -> None:
        """End the processes, remove the containers."""
        for process in self._processes:
            process.destroy()
        self.starts.close()
        remove_containers(self.instance)


@contextmanager
def world_on(image: str, database_url: str) -> Iterator[EngineWorld]:
    """A world on a migrated database that is its own. Nothing else is left behind; what its
    processes said is shown when a test fails."""
    folder = Path(tempfile.mkdtemp(prefix="gantry-engine-"))
    with models_on(database_url):
        InstanceSettings.objects.update(instance_id=uuid.uuid4())
        world = EngineWorld(image, folder, database_url)
        try:
            yield world
        finally:
            world.destroy()
            for log in sorted(folder.rglob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-6000:]}")  # noqa: T201
            shutil.rmtree(folder)


@contextmanager
def engine_world(image: str, server_url: str, template: str) -> Iterator[EngineWorld]:
    """A world on a copy of the template."""
    with own_database(server_url, template) as url, world_on(image, url) as world:
        yield world
