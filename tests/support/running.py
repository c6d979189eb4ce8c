"""A whole Gantry: the real `manage.py up`, on a free port and a data folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from orchestrator.local.instance_lock import RECORD, end_leftovers
from orchestrator.local.postgres import EmbeddedPostgres
from tests.support.container_starts import remove_containers
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
STOP_SECONDS = 10
ADMIN_PASSWORD = "a-password-for-tests-only"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningGantry:
    """One `up`: its address, its output, its processes. `project` is whose code it runs;
    what is not Gantry's own, such as its output, is kept `aside`."""

    def __init__(
        self, data_dir: Path, port: int, environment: Mapping[str, str], aside: Path | None = None
    ) -> None:
        self.project = PROJECT
        self.data_dir = data_dir
        self.aside = aside or data_dir
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._environment = dict(environment)
        self._log = self.aside / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.instances: set[str] = set()
        """The ids that its containers are labelled with, over all its starts."""

    @property
    def environment(self) -> dict[str, str]:
        """What a command must see to belong to this instance."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GANTRY_") and name != "DATABASE_URL"
        }
        own = {"GANTRY_DATA": str(self.data_dir), "GANTRY_PORT": str(self.port)}
        return inherited | {"GANTRY_ADMIN_PASSWORD": ADMIN_PASSWORD} | own | self._environment

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The `up` that was started last."""
        assert self._process is not None, "it was started"
        return self._process

    @property
    def database_url(self) -> str:
        """The address of its Postgres."""
        return (self.data_dir / "database_url").read_text().strip()

    def output(self) -> str:
        """All that `up` wrote so far, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def launch(self) -> None:
        """Start `up` and return at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.project,
                env=self.environment,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start `up` and wait until it says that it is ready."""
        told = self.output().count("Gantry is ready")
        self.launch()

        def ready() -> bool:
            assert self.process.poll() is None, f"up ended early:\n{self.output()[-4000:]}"
            return self.output().count("Gantry is ready") > told

        wait_until(ready, START_SECONDS, "Gantry is ready")
        self.instances.add(self.instance)

    @property
    def instance(self) -> str:
        """The id that its containers are labelled with now."""
        ((told,),) = self.ask("SELECT instance_id::text FROM projects_instancesettings")
        return str(told)

    def manage(self, *words: str) -> str:
        """Run a management command of this instance; its standard output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.project,
            env=self.environment,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{words} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def get(self, path: str) -> tuple[int, str]:
        """The status and text of a page, redirects followed."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """The rows of a query on its database."""
        with psycopg.connect(self.database_url, connect_timeout=10) as connection:
            return connection.execute(query.encode()).fetchall()

    def pid_of(self, name: str) -> int:
        """The process number of web, orchestrate or qcluster, as it was last started."""
        recorded = json.loads((self.data_dir / RECORD).read_text())
        return int(recorded[name]["pid"])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal `up` and wait for its end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def lose(self) -> None:
        """End all of its processes without a word to any of them; what they run goes on."""
        self.process.kill()
        self.process.wait()
        end_leftovers(self.data_dir, 0.0)
        EmbeddedPostgres(self.data_dir).stop()

    def destroy(self) -> None:
        """End everything, delete the data folder and remove the containers, whatever state it
        is in."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(2 * STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        end_leftovers(self.data_dir, STOP_SECONDS)
        postgres = EmbeddedPostgres(self.data_dir)
        postgres.stop()
        for folder in (postgres.home.cluster, postgres.home.sockets):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.data_dir)
        for instance in self.instances:
            remove_containers(instance)


@contextmanager
def running_gantry(
    environment: Mapping[str, str] | None = None,
    *,
    data_dir: Path | None = None,
    aside: Path | None = None,
) -> Iterator[RunningGantry]:
    """A Gantry that was not started yet; whatever happens, nothing of it is left behind.
    `data_dir`: an empty folder of the caller's, which goes with it."""
    data_dir = data_dir or Path(tempfile.mkdtemp(prefix="gantry-up-"))
    gantry = RunningGantry(data_dir, free_port(), environment or {}, aside)
    try:
        yield gantry
    finally:
        gantry.destroy()
