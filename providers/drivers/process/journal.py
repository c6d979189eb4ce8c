"""The output file of a run: an append-only row of records, in segments.

A record is (stream, nanoseconds since the epoch, length) and that many bytes, just as the
program wrote them. When a segment is full the next begins; the oldest of too many is
deleted, and a reader that was that far behind is told of the gap.
"""

from __future__ import annotations

import os
import struct

HEADER = struct.Struct(">BQI")
STDOUT, STDERR, LOSS = 1, 2, 3
"""What a record holds; LOSS is plain words on output that could not be kept."""
SEGMENT_BYTES = 32 * 1024 * 1024
SEGMENTS = 8


def segment_path(folder: str, number: int) -> str:
    return f"{folder}/output.{number}"


def segment_numbers(folder: str) -> list[int]:
    """The segments that are there, oldest first; none when the folder is gone."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(int(name[7:]) for name in names if name.startswith("output."))


class JournalWriter:
    """Appends records. A full disk loses output, and says so once there is room again."""

    def __init__(
        self, folder: str, *, segment_bytes: int = SEGMENT_BYTES, segments: int = SEGMENTS
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments = segments
        self._number = 0
        self._size = 0
        self._lost = 0
        self._last_ns = 0
        self._fd = self._open()

    def write(self, stream: int, at_ns: int, data: bytes) -> None:
        # Stamps never go back, though the machine's clock may.
        self._last_ns = at_ns = max(at_ns, self._last_ns)
        if self._lost and not self._append(LOSS, at_ns, self._loss()):
            self._lost += len(data)
            return
        self._lost = 0
        if not self._append(stream, at_ns, data):
            self._lost = len(data)

    def close(self) -> None:
        if self._lost:
            self._append(LOSS, self._last_ns, self._loss())
        os.close(self._fd)

    def _loss(self) -> bytes:
        return f"{self._lost} bytes of output were lost: the disk was full".encode()

    def _append(self, stream: int, at_ns: int, data: bytes) -> bool:
        record = HEADER.pack(stream, at_ns, len(data)) + data
        try:
            if self._size and self._size + len(record) > self._segment_bytes:
                self._roll()
            view = memoryview(record)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            # A record is there whole or not at all.
            os.ftruncate(self._fd, self._size)
            return False
        self._size += len(record)
        return True

    def _roll(self) -> None:
        self._number += 1
        try:
            fd = self._open()
        except OSError:
            self._number -= 1
            raise
        os.close(self._fd)
        self._fd, self._size = fd, 0
        oldest = self._number - self._segments
        if oldest >= 0:
            os.unlink(segment_path(self._folder, oldest))

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(segment_path(self._folder, self._number), flags, 0o600)
