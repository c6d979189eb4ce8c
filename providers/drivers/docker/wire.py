"""A streaming GET on a socket of our own, so that another thread can end a read.

The SDK's own streams drop the timeout and cannot be interrupted, and its HTTP layers
deliver one log message per read; here one `recv` brings all that has come.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from threading import Event, Lock
from time import monotonic, sleep

from providers.drivers.docker.body import BadBody, Body
from providers.drivers.docker.client import Engine, message_of
from providers.drivers.docker.translate import EngineError

_READ_BYTES = 64 * 1024
GATHER_SECONDS = 0.001
"""The engine sends every line by itself. What follows another so soon is a flood, of which it is
dearer to be woken for each few lines than to read them; a line that comes alone is not delayed."""
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class Wire:
    """One answer at a time. `open`, `read` and `release` belong to the reading thread;
    `close` may be called from any, at any time, repeatedly."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._body = Body(chunked=False)
        self._first = b""
        self._closed = Event()
        self._read_at = 0.0
        self.answered_ns = 0
        """Before when the engine began its answer, by its own clock to the second; 0: not told."""

    @property
    def closed(self) -> bool:
        """Whether `close` was called: the end that `read` then reports is none."""
        return self._closed.is_set()

    def open(self, engine: Engine, path: str) -> None:
        """Ask. Raises EngineError for an answer of 400 or more, OSError."""
        path = engine.path(path)
        connected = engine.endpoint.dial(engine.options.query_seconds)
        with self._lock:
            self._socket = connected
            if self.closed:
                raise ConnectionError("the reading was closed")
        question = f"GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
        connected.sendall(question.encode())
        response = HTTPResponse(connected, method="GET")
        try:
            response.begin()
            if response.status >= 400:
                raise EngineError(response.status, message_of(response.read(_READ_BYTES)))
            self.answered_ns = _moment(response.headers.get("Date"))
            self._body = Body(chunked=bool(response.chunked), length=response.length)
            if not self._body.delimited:
                # The engine always delimits; http.client takes half a head for a whole one.
                raise ConnectionError("the answer was cut in its head")
            connected.setblocking(False)
            # What came along with the headers sits in the response's own buffer.
            with contextlib.suppress(ssl.SSLWantReadError):
                self._first = response.fp.read1(_READ_BYTES) or b""
        except HTTPException as error:
            raise ConnectionError(f"the answer was cut: {error!r}") from error
        finally:
            response.close()

    def read(self, seconds: float) -> bytes | None:
        """What has come, waiting at most so long: None for silence, b"" for the end.

        Raises OSError, also when the answer ends before it is complete.
        """
        silent_at = monotonic() + seconds
        while not self._closed.is_set() and self._socket is not None:
            try:
                data = self._first or self._socket.recv(_READ_BYTES)
                self._first = b""
                body = self._body.feed(data)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                left = silent_at - monotonic()
                if left <= 0:
                    return None
                self._wait(self._socket, left)
                if monotonic() < self._read_at + GATHER_SECONDS:
                    sleep(GATHER_SECONDS)
                continue
            except BadBody as error:
                raise ConnectionError(str(error)) from error
            except OSError:
                if self.closed:
                    break
                raise
            if body:
                self._read_at = monotonic()
                return body
            if self._body.complete and (self._body.delimited or not data):
                return b""
            if not data and not self.closed:
                raise ConnectionError("the connection was cut")
            silent_at = monotonic() + seconds  # a part of a chunk's head is no silence
        return b""

    def close(self) -> None:
        """End a read that waits in another thread, for good."""
        with self._lock:
            self._closed.set()
            if self._socket is not None:
                with contextlib.suppress(OSError):  # the other side was faster
                    self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Give the socket back; `open` may follow."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    @staticmethod
    def _wait(connected: socket.socket, seconds: float) -> None:
        poll = select.poll()
        poll.register(connected, _READABLE)
        poll.poll(seconds * 1000)


def _moment(date: str | None) -> int:
    try:
        return (int(parsedate_to_datetime(date or "").timestamp()) + 1) * 1_000_000_000
    except ValueError:
        return 0
