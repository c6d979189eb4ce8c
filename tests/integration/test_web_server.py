"""What one HTTP client may do to the process that serves all of them, over real sockets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path

import pytest

from tests.support.running import free_port
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
BEGUN = b"begun\n"
SECONDS = 20


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server listens, with an application that tries it."""
    port = free_port()
    command = [sys.executable, "-m", "orchestrator.web_server", "-v", "0", "-b", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "-p", str(port), "tests.support.answers:application"], cwd=PROJECT
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


@pytest.mark.parametrize("path", ["/breaks", "/cut-off"])
def test_an_answer_that_breaks_off_is_cut_off_for_its_reader_each_time(
    port: int, path: str
) -> None:
    for _ in range(2):  # the first must not end what looks after the connections
        connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", path)
        with pytest.raises(IncompleteRead) as broken:
            connection.getresponse().read()
        assert broken.value.partial == BEGUN
        connection.close()
