"""What one client's websocket may do to the process that serves all of them, over real sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.answering import SECONDS, answering, asked
from tests.support.answers import PIECE, PIECES
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server listens; whoever does not answer it is soon given up."""
    with answering("--ping-interval", "1", "--ping-timeout", "4") as port:
        yield port


@contextmanager
def opened(port: int, path: str) -> Iterator[ClientConnection]:
    """A client's socket, which reads no more than it is asked for."""
    with connect(
        f"ws://127.0.0.1:{port}{path}", compression=None, max_queue=1, close_timeout=0.1
    ) as socket:
        yield socket


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 4401, 4403])
def test_a_socket_is_closed_with_the_code_that_the_application_says(port: int, code: int) -> None:
    with opened(port, f"/closes?{code}") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(SECONDS)
        assert closed.value.rcvd is not None, "it was cut"
        assert closed.value.rcvd.code == code


def test_a_message_waits_for_its_reader_and_comes_whole(port: int) -> None:
    before = sent(port)
    with opened(port, "/floods") as socket:
        assert socket.recv(SECONDS) == "x" * PIECE
        assert sent(port) - before < PIECES / 2, "what nobody has read yet is kept in memory"
        for _ in range(PIECES - 1):
            assert socket.recv(SECONDS) == "x" * PIECE


def test_a_reader_who_stops_is_given_up(port: int) -> None:
    reader = subprocess.Popen([sys.executable, "-c", READER, str(port)], stdout=subprocess.PIPE)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reads\n"
        reader.send_signal(signal.SIGSTOP)  # as a laptop that is shut: neither read nor closed
        wait_until(lambda: asked(port, "/counted")["under_way"] == 0, SECONDS, "it has ended")
    finally:
        os.kill(reader.pid, signal.SIGKILL)
        reader.communicate()


def test_what_is_said_faster_than_it_is_heard_ends_the_socket(port: int) -> None:
    def say_much() -> None:
        for _ in range(PIECES // 2):
            socket.send("x" * PIECE)
        socket.recv(SECONDS)

    with opened(port, "/deaf") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            say_much()
        assert closed.value.rcvd is not None, "it was cut"
        assert closed.value.rcvd.code == 1008


READER = """
import sys
from websockets.sync.client import connect

with connect(f"ws://127.0.0.1:{sys.argv[1]}/floods", compression=None, max_queue=1) as socket:
    socket.recv()
    print("reads", flush=True)
    for message in socket:
        pass
"""


def sent(port: int) -> int:
    return int(str(asked(port, "/counted")["sent"]))
