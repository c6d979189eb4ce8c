"""A raw, streaming GET: the socket stays ours, so that another thread can end a read.

HTTP/1.0 on purpose: the engine then answers without chunking, and what one `recv`
delivers is log. The SDK's own streams drop the timeout and cannot be interrupted.
"""

from __future__ import annotations

import select
import socket
import ssl
from http.client import HTTPException, HTTPResponse
from threading import Lock

from providers.drivers.docker.client import Engine, message_of
from providers.drivers.docker.translate import EngineError

_READ_BYTES = 64 * 1024


class Wire:
    """One open answer. `close` may be called from any thread, at any time, repeatedly."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._first = b""
        self.closed = False

    def open(self, engine: Engine, path: str) -> None:
        """Ask. Raises EngineError for an answer of 400 or more, OSError, HTTPException."""
        path = engine.path(path)
        connected = engine.endpoint.dial(engine.options.query_seconds)
        with self._lock:
            self._socket = connected
            if self.closed:
                connected.shutdown(socket.SHUT_RDWR)
        connected.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        response = HTTPResponse(connected, method="GET")
        try:
            response.begin()
            if response.status >= 400:
                raise EngineError(response.status, message_of(response.read(_READ_BYTES)))
            connected.setblocking(False)
            # What came along with the headers sits in the response's buffer.
            self._first = response.fp.read1(_READ_BYTES) or b""  # type: ignore[attr-defined]
        except HTTPException as error:
            raise ConnectionError(f"the answer was cut: {error}") from error
        finally:
            response.close()

    def read(self, seconds: float) -> bytes | None:
        """What is there, waiting at most so long: None for silence, b"" for the end."""
        if self._first:
            first, self._first = self._first, b""
            return first
        connected = self._socket
        if connected is None or self.closed:
            return b""
        try:
            return self._receive(connected, seconds)
        except OSError:
            if self.closed:
                return b""
            raise

    def close(self) -> None:
        """End a read that waits in another thread; the reader releases the socket."""
        with self._lock:
            self.closed = True
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the other side was faster

    def release(self) -> None:
        """Give the socket back; only the thread that reads may do this."""
        with self._lock:
            self.closed = True
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    @staticmethod
    def _receive(connected: socket.socket, seconds: float) -> bytes | None:
        for wait in (0.0, seconds):
            if wait:
                poll = select.poll()
                poll.register(connected, select.POLLIN)
                if not poll.poll(wait * 1000):
                    return None
            try:
                return connected.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
        return None
