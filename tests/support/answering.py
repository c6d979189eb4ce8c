"""The web server with an application that tries it (answers.py), in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from tests.support.running import free_port
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
BEGUN = b"begun\n"
SECONDS = 20


@contextmanager
def answering(*options: str) -> Iterator[int]:
    """The port on which it listens meanwhile."""
    port = free_port()
    command = [sys.executable, "-m", "orchestrator.web_server", "-v", "0", "-b", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, *options, "-p", str(port), "tests.support.answers:application"], cwd=PROJECT
    )

    def answers() -> bool:
        try:
            asked(port, "/counted")
        except ConnectionError:
            return False
        return True

    try:
        wait_until(answers, 60, "the server answers")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)


def asked(port: int, path: str, **more: object) -> dict[str, object]:
    """What the application says in JSON."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        method = "POST" if more else "GET"
        connection.request(method, path, **more)  # type: ignore[arg-type]
        said: dict[str, object] = json.loads(connection.getresponse().read().removeprefix(BEGUN))
        return said
    finally:
        connection.close()
