"""A unix socket in front of an engine's that keeps calls of one kind until it is opened.

So that a test can act in the very moment in which the engine is asked for something.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

PIECE = 1 << 16


class Gate:
    """Passes bytes both ways, except calls whose request line has `held` in it: those wait.

    `cut` ends it as an engine does that is gone for good.
    """

    def __init__(self, path: Path, target: str, held: str = "") -> None:
        self.path = path
        self._target = target
        self._held = re.compile(held.encode()) if held else None
        self._opened = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)

    def open(self) -> None:
        """Let what waits go on, and all that comes."""
        self._opened.set()

    def cut(self) -> None:
        """End all connections and take no more."""
        self._opened.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.path.unlink(missing_ok=True)
        with self._guard:
            ends, self._sockets = self._sockets, set()
        for end in ends:
            _close(end)

    def __enter__(self) -> Self:
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            with self._guard:
                self._sockets |= {near, far}
            for source, sink, asks in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass, args=(source, sink, asks), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        """A client sends a request's head in one piece and waits for its answer, so a piece
        begins with a request line or with a body."""
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if asks and self._held and self._held.search(piece.partition(b"\r\n")[0]):
                    self._opened.wait()
                sink.sendall(piece)
        for end in (source, sink):
            _close(end)
            with self._guard:
                self._sockets.discard(end)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
