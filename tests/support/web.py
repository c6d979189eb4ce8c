"""A real web process on the test's own database, for tests with a browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connections

from tests.support.running import free_port
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]


class WebProcess:
    """A web process as `up` starts it; may be stopped and started again on the same port."""

    def __init__(self, database_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.cookie = f"gantry_{self.port}_session"
        name = connections["default"].settings_dict["NAME"]
        self._environment = os.environ | {
            "DATABASE_URL": urlunsplit(urlsplit(database_url)._replace(path=f"/{name}")),
            "GANTRY_PORT": str(self.port),
        }
        self._log = Path(settings.DATA_DIR) / f"web-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def collect_static(self) -> None:
        """Gather and hash the static files, as a first start does."""
        command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
        subprocess.run(command, cwd=PROJECT, env=self._environment, check=True, timeout=120)

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "orchestrator.web_server", "-v", "0", "-b", "127.0.0.1"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-p", str(self.port), "orchestrator.asgi:application"],
                cwd=PROJECT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, 60, f"the web process answers; it said {self.output()}")

    def stop(self) -> None:
        """End it, at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def output(self) -> str:
        """What it wrote to its log."""
        return self._log.read_text(errors="replace")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False


@contextmanager
def running_web(database_url: str) -> Iterator[WebProcess]:
    """A started web process, ended at last."""
    web = WebProcess(database_url)
    web.collect_static()
    try:
        web.start()
        yield web
    finally:
        web.stop()
