"""A Postgres of a trial's own, to be restarted, stopped and hung. It syncs to the disk as a
real one does: the suite's own server would forget commits when it is restarted at once."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orchestrator.local.accounts import postgres_account
from orchestrator.local.postgres import EmbeddedPostgres
from tests.support.databases import migrate
from tests.support.instance import PREFIX


class OwnPostgres:
    """The server and its faults. `environment` is what it has besides its bare one, from its
    next start on."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment
        self._server = EmbeddedPostgres(data_dir)
        self.sockets = self._server.home.sockets
        self.url = self._server.start()

    def restart(self) -> None:
        """As after a crash: every session is cut off, recovery runs."""
        self._control("-m", "immediate", "-w", "restart")

    def halt(self) -> None:
        """As a crash, and nobody starts it."""
        self._control("-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Start it after a halt."""
        self._control("-w", "start", "-l", str(self._server.home.cluster / "start.log"))

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It and all its sessions stand still: connections open, and nothing answers."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def destroy(self) -> None:
        """End it and delete its files."""
        self._server.stop()
        for folder in (self._server.home.cluster, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)

    def _control(self, *words: str) -> None:
        argv = [str(self._server.program("pg_ctl")), "-s", "-D", str(self._server.home.cluster)]
        done = postgres_account().run([*argv, *words], env=self._environment, timeout=90)
        assert done.returncode == 0, done.stdout

    def _signal(self, number: signal.Signals) -> None:
        cluster = self._server.home.cluster.resolve()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if (entry / "cwd").readlink() == cluster:
                    os.kill(int(entry.name), number)
            except OSError:
                continue  # it has ended meanwhile


@contextmanager
def own_postgres(environment: Mapping[str, str] | None = None) -> Iterator[OwnPostgres]:
    """A server with a migrated database; nothing of it is left behind. `environment`: see
    OwnPostgres; it is at work in it."""
    data_dir = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        server = OwnPostgres(data_dir, environment)
        try:
            migrate(server.url)
            if environment:
                server.restart()
            yield server
        finally:
            server.destroy()
    finally:
        shutil.rmtree(data_dir)
