"""Gantry on one machine: everything it needs, then its three processes.

Ctrl-C or SIGTERM ends the processes and the embedded Postgres, and leaves jobs and the
Docker engine alone; the next start finds the jobs again.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from orchestrator.local import docker_engine
from orchestrator.local.announcer import Announcer
from orchestrator.local.apt import AptFailed
from orchestrator.local.image import SAMPLE, ensure_image
from orchestrator.local.instance_lock import InstanceLock, end_leftovers
from orchestrator.local.postgres import EmbeddedPostgres
from orchestrator.local.postgres_watch import PostgresWatch
from orchestrator.local.prefixed_output import PrefixedOutput
from orchestrator.local.supervisor import GRACE_SECONDS, STOP_SIGNALS, Service, Supervisor
from providers.driver import Probe

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
WEB_CONNECTIONS = "8"


class CannotStart(RuntimeError):
    """Something on this machine is in the way; the message says what to do."""


class StopAsked(BaseException):
    """A stop signal came while everything was still being prepared."""


@dataclass(frozen=True)
class OneMachine:
    """What `up` was told: where to keep files and where to be reached."""

    data_dir: Path
    bind: str
    port: int
    public_url: str
    database_url: str
    """Empty: run the embedded Postgres."""

    def run(self, output: PrefixedOutput) -> None:
        """Start everything, stay until a stop signal, end everything.

        Raises CannotStart, AlreadyRunning, PostgresFailed, AccountUnavailable, AptFailed,
        and CalledProcessError when the database could not be prepared.
        """
        lock = InstanceLock(self.data_dir)
        lock.acquire()
        try:
            with _stop_signals_raise():
                self._run_locked(lock, output)
        except StopAsked:
            output.say("Stopped.")
        finally:
            lock.release()

    def _run_locked(self, lock: InstanceLock, output: PrefixedOutput) -> None:
        if left := end_leftovers(self.data_dir, GRACE_SECONDS):
            output.say(f"Ended what a killed start had left running: {', '.join(left)}.")
        check_port(self.bind, self.port)
        kind = self._prepare_engine(output)
        postgres = None if self.database_url else EmbeddedPostgres(self.data_dir)
        try:
            os.environ["DATABASE_URL"] = postgres.start() if postgres else self.database_url
            prepare = [sys.executable, str(MANAGE), "prepare", "--local-provider", kind]
            subprocess.run(prepare, stdin=subprocess.DEVNULL, check=True)
            supervisor = Supervisor(self.services(), output, on_change=lock.record)
            watch = PostgresWatch(postgres, output) if postgres else nullcontext()
            with watch, Announcer(self.bind, self.port, self.public_url, output):
                supervisor.run()
            output.say("Stopped. Jobs that run in containers go on; the next start adopts them.")
        finally:
            if postgres:
                postgres.stop()

    def services(self) -> list[Service]:
        """The three processes of Gantry."""
        python = sys.executable
        web = [python, "-m", "orchestrator.web_server", "-v", "0"]
        # Threads would otherwise get memory pools of their own, which are never given back.
        small = {"MALLOC_ARENA_MAX": "2"}
        return [
            Service(
                "web",
                [*web, "-b", self.bind, "-p", str(self.port), "orchestrator.asgi:application"],
                small | {"GANTRY_PROCESS": "web", "GANTRY_DB_POOL": WEB_CONNECTIONS},
            ),
            Service(
                "orchestrate",
                [python, str(MANAGE), "orchestrate"],
                small | {"GANTRY_PROCESS": "orchestrate"},
            ),
            Service(
                "qcluster",
                [python, str(MANAGE), "qcluster"],
                small | {"GANTRY_PROCESS": "qcluster"},
            ),
        ]

    def _prepare_engine(self, output: PrefixedOutput) -> str:
        """The kind of this machine's provider: docker where an engine was named or can be had."""
        try:
            probe = docker_engine.ensure_engine(self.data_dir, output.say)
        except docker_engine.EngineSilent as error:
            output.say(f"{error}\nJobs wait until it does; it may come back at any time.")
            return "docker"
        except (docker_engine.EngineUnavailable, AptFailed) as error:
            output.say(
                f"No Docker engine: {error}.\n"
                "Jobs will run as plain processes of this machine, WITHOUT isolation from it."
            )
            return "process"
        output.say(_engine_words(probe))
        try:
            if ensure_image(SAMPLE):
                output.say(f"Image: {SAMPLE} imported, for a first job.")
        except AptFailed as error:
            output.say(f"The sample image {SAMPLE} could not be made: {error}")
        return "docker"


def check_port(bind: str, port: int) -> None:
    """Find out early and in plain words that the address cannot be had. Raises CannotStart."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CannotStart(
                    f"Port {port} on {bind} is in use. Set GANTRY_PORT to a free one, "
                    "and GANTRY_DATA to another folder when another Gantry is to go on."
                ) from None
            raise CannotStart(
                f"Cannot listen on {bind}:{port} ({error.strerror}). "
                "Set GANTRY_BIND to an address of this machine and GANTRY_PORT above 1023."
            ) from None


def _engine_words(probe: Probe) -> str:
    size = (
        f"{probe.cpu_cores:g} cores, {probe.memory_mb} MiB" if probe.cpu_cores else "size unknown"
    )
    return f"Docker engine {probe.version}: {size}."


@contextmanager
def _stop_signals_raise() -> Iterator[None]:
    """A stop signal unwinds the preparation; the supervisor has its own handlers later."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise StopAsked

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
