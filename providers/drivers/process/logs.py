"""Reading a run's output from its journal."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress

from providers.driver import GONE_UNREAD, Cursor, LogBatch, LogFrame, Stream
from providers.drivers.lines import LineCutter
from providers.drivers.process.journal import (
    HEADER,
    LOSS,
    STDERR,
    STDOUT,
    segment_numbers,
    segment_path,
)
from providers.drivers.process.run import Run

BATCH_BYTES = 256 * 1024
STREAMS = {STDOUT: Stream.STDOUT, STDERR: Stream.STDERR}
# A file cannot tell that it has grown without inotify, which Python does not have: we look.
# Often at first, because output comes in bursts; the longest pause is a tenth of a second.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.1
KEEPER_LOOK_SECONDS = 1.0


class ProcessLogStream:
    """A LogStream over the segments of one run."""

    def __init__(
        self, run: Run, driver_closed: threading.Event, cursor: Cursor | None, *, follow: bool
    ) -> None:
        self._run = run
        self._driver_closed = driver_closed
        self._follow = follow
        place = cursor or {"segment": 0, "offset": 0, "unfinished": [], "told": False}
        self._segment = int(place["segment"])
        self._offset = int(place["offset"])
        self._told = bool(place["told"])
        self._lines = LineCutter(place["unfinished"])
        self._fd = -1
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()

    def __iter__(self) -> Iterator[LogBatch]:
        pause, unseen_seconds = SHORTEST_PAUSE, 0.0
        try:
            while not (self._closed.is_set() or self._driver_closed.is_set()):
                # Asked before reading: what is over can write nothing after that.
                over = self._run.is_over()
                batch = self._read()
                if batch is not None:
                    yield batch
                    pause, unseen_seconds = SHORTEST_PAUSE, 0.0
                elif over or not self._follow:
                    if not os.path.isdir(self._run.folder):
                        yield LogBatch((), self._cursor(), GONE_UNREAD)
                    elif over and not self._told and (loss := self._run.loss()):
                        self._told = True
                        yield LogBatch((), self._cursor(), loss)
                    return
                else:
                    self._closed.wait(pause)
                    unseen_seconds += pause
                    pause = min(pause * 1.5, LONGEST_PAUSE)
                    if unseen_seconds >= KEEPER_LOOK_SECONDS:
                        self._run.observe()  # writes the end of a run whose keeper was killed
                        unseen_seconds = 0.0
        finally:
            self._release()

    def _read(self) -> LogBatch | None:
        """The next batch, None when there is nothing new."""
        frames: list[LogFrame] = []
        gap = ""
        size = 0
        while size < BATCH_BYTES:
            if self._fd < 0:
                number = self._open()
                if number is None:
                    break
                if number > self._segment:
                    if frames:  # the gap belongs before what follows it, in the next batch
                        self._release()
                        break
                    gap = "output was lost here: it was not read before its file was deleted"
                    self._lines.forget()
                    self._segment, self._offset = number, 0
            record = self._record()
            if record is None and self._is_complete():
                # Complete only since we looked, perhaps: what came before the roll counts.
                record = self._record()
                if record is None:
                    self._release()
                    self._segment, self._offset = self._segment + 1, 0
                    continue
            if record is None:
                break
            stream, at_ns, data = record
            if stream == LOSS:
                if frames:
                    break
                gap = data.decode(errors="replace")
                self._lines.forget()
            else:
                frames.extend(self._lines.cut(STREAMS[stream], at_ns, data))
            self._offset += HEADER.size + len(data)
            size += len(data)
            if gap and stream == LOSS:
                break
        if not frames and not gap:
            return None
        return LogBatch(tuple(frames), self._cursor(), gap)

    def _open(self) -> int | None:
        """Open the segment at our place, or the oldest after it; its number."""
        for number in segment_numbers(self._run.folder):
            if number >= self._segment:
                with suppress(FileNotFoundError):
                    path = segment_path(self._run.folder, number)
                    self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                    return number
        return None

    def _is_complete(self) -> bool:
        """A segment that has a successor grows no more."""
        return any(number > self._segment for number in segment_numbers(self._run.folder))

    def _record(self) -> tuple[int, int, bytes] | None:
        """The whole record at our place; None while it is not all there."""
        header = os.pread(self._fd, HEADER.size, self._offset)
        if len(header) < HEADER.size:
            return None
        stream, at_ns, length = HEADER.unpack(header)
        data = os.pread(self._fd, length, self._offset + HEADER.size)
        return (stream, at_ns, data) if len(data) == length else None

    def _cursor(self) -> Cursor:
        return {
            "v": 1,
            "segment": self._segment,
            "offset": self._offset,
            "unfinished": self._lines.unfinished,
            "told": self._told,
        }

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
