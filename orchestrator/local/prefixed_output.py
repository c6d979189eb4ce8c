"""Many processes, one terminal: each line says who wrote it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TextIO

COLOURS = (36, 35, 33, 32, 34)  # cyan, magenta, yellow, green, blue
LONGEST_LINE = 4096  # bytes; a process that never ends its line must not fill the memory


class PrefixedOutput:
    """Writes whole lines, prefixed and coloured where the stream is a terminal.

    A stream that went away (a closed terminal) is no reason for the processes to stop:
    what they say is then read and dropped.
    """

    def __init__(self, stream: TextIO, names: Iterable[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        ordered = list(names)
        self._width = max(map(len, ordered), default=0)
        self._colours = {
            name: COLOURS[index % len(COLOURS)] if stream.isatty() else 0
            for index, name in enumerate(ordered)
        }

    def write(self, name: str, text: str) -> None:
        """Write one line of that process."""
        prefix = f"{name:<{self._width}} |"
        if colour := self._colours.get(name):
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self._put(f"{prefix} {text}\n")

    def say(self, text: str) -> None:
        """Write a line of our own, without a prefix."""
        self._put(f"{text}\n")

    def copy(self, name: str, lines: Iterable[bytes]) -> None:
        """Write all lines of a process until it closes its output."""
        for line in lines:
            self.write(name, line.decode(errors="replace").rstrip("\r\n"))

    def _put(self, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                return
