"""Writing logs: every 100 ms at most, one transaction with all attempts' chunks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any

from jobs.log.frames import Position, pack
from jobs.log.store import Append
from jobs.stat_store import Measured
from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.store import Store, StoreDown
from providers.driver import Handle, LogBatch, LogFrame
from providers.leases import Fence

FLUSH_SECONDS = 0.1
BUFFER_BYTES = 4 << 20
"""So much of one log may be unwritten beside what is being written; of more a reader waits. A
write each `FLUSH_SECONDS` makes it the most that a flood is stored at."""
FRAME_BYTES = 100
"""What a frame takes in memory beside its data, and so counts: of empty lines alone a buffer
would otherwise hold millions."""
ROOM_SECONDS = 1.0
"""Who waits for room looks again after that, should nobody have told."""
READINGS_SECONDS = 1.0
MOST_READINGS = 2000


class LogLost(Exception):
    """This process may no longer write that log: its lease, or the log, is another's."""


class LogRefused(Exception):
    """No database takes what is to be written of that log, however often it is tried."""


class LogSink:
    """One attempt's way into the writer: bounded, so that a flood waits instead of growing."""

    def __init__(
        self, writer: LogWriter, attempt: int, fence: Fence, position: Position, number: int
    ) -> None:
        self._writer = writer
        self.number = number
        """A later reading of the same log has a greater one."""
        self.attempt = attempt
        self.fence = fence
        self.position = position
        self.frames: list[LogFrame] = []
        self.size = 0
        self.cursor: Mapping[str, Any] | None = None
        self.note = ""
        self.gap = False
        """True once output is known to be missing from it."""
        self.lost = False
        self.refused = ""
        """Why nothing can be written of it any more, in which case it is lost."""
        self.waiters: list[Future[None]] = []
        self.following: Handle | None = None
        """What is followed now, and so runs; it may be measured."""

    def write(self, batch: LogBatch) -> None:
        """Take a batch; waits while too much is unwritten. Raises LogLost, LogRefused."""
        self._writer.take(self, batch)

    def flush(self) -> Future[None]:
        """Write now; the future is done when all that was taken is stored."""
        return self._writer.flush(self)

    def loss(self) -> Exception:
        """What its reader is told once it is lost."""
        if self.refused:
            return LogRefused(f"its output cannot be stored: {self.refused}")
        return LogLost(f"attempt {self.attempt}")


class LogWriter(Service):
    """The one thread of this process that writes logs."""

    name = "log-writer"
    interval = 5.0

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._room = threading.Condition()
        self._dirty: dict[int, LogSink] = {}
        self._writing: dict[int, LogSink] = {}
        self._readings: deque[Measured] = deque(maxlen=MOST_READINGS)
        self._readings_at = 0.0
        self._begun_at = 0.0
        self._urgent = False
        self._numbers = count(1)

    def sink(self, attempt: int, fence: Fence, position: Position) -> LogSink:
        """A way to write that attempt's log from that position on."""
        return LogSink(self, attempt, fence, position, next(self._numbers))

    def take_reading(self, measured: Measured) -> None:
        """Write this with the next logs, or with others that have gathered for a second. A
        reading that does not get through is lost."""
        with self._room:
            self._readings.append(measured)
        self.wake()

    def take(self, sink: LogSink, batch: LogBatch) -> None:
        """See LogSink.write."""
        with self._room:
            while sink.size > BUFFER_BYTES and not sink.lost and not self._stopping.is_set():
                self._room.wait(ROOM_SECONDS)
            other = self._dirty.get(sink.attempt)
            if other is not None and other is not sink:
                # The earlier reading of this log was let go, though it may be the last to come.
                self._lose(min(other, sink, key=lambda one: one.number))
            if sink.lost or self._stopping.is_set():
                raise sink.loss()
            sink.frames.extend(batch.frames)
            sink.size += sum(len(frame.data) + FRAME_BYTES for frame in batch.frames)
            sink.cursor = batch.cursor
            if batch.gap:
                sink.note, sink.gap = batch.gap, True
            idle = not self._dirty
            self._dirty[sink.attempt] = sink
        if idle:  # else it knows when to write next
            self.wake()

    def _lose(self, sink: LogSink) -> None:
        """This sink takes and writes nothing any more; called under the lock."""
        sink.lost = True
        sink.frames, sink.size = [], 0
        waiters, sink.waiters = sink.waiters, []
        for future in waiters:
            future.set_exception(sink.loss())
        self._room.notify_all()

    def flush(self, sink: LogSink) -> Future[None]:
        """See LogSink.flush."""
        future: Future[None] = Future()
        with self._room:
            if sink.lost:
                future.set_exception(sink.loss())
            elif self._dirty.get(sink.attempt) is sink:
                sink.waiters.append(future)
                self._urgent = True
            elif self._writing.get(sink.attempt) is sink:
                sink.waiters.append(future)  # what is under way is not stored yet
            else:
                future.set_result(None)
        self.wake()
        return future

    def next_wait(self) -> float:
        with self._room:
            if not self._dirty:
                wait = max(0.0, self._readings_at + READINGS_SECONDS - monotonic())
                return wait if self._readings else self.interval
        return max(0.0, self._begun_at + FLUSH_SECONDS - monotonic())

    def run_once(self) -> bool:
        with self._room:
            early = monotonic() < self._begun_at + FLUSH_SECONDS
            due = self._readings and monotonic() >= self._readings_at + READINGS_SECONDS
            if not (self._dirty or due) or (early and not self._urgent):
                return False
            self._urgent = False
            sinks, self._dirty = self._dirty, {}
            self._writing = sinks
            readings = []
            if due:
                readings, self._readings_at = list(self._readings), monotonic()
                self._readings.clear()
            appends, waiters = [], {}
            for sink in sinks.values():
                try:
                    append = self._append(sink)
                except Exception as error:
                    # Output that cannot be stored must not keep the others' away.
                    logger.exception("the log of attempt %d cannot be packed", sink.attempt)
                    sink.refused = _words(error)
                    self._lose(sink)
                    continue
                if append is not None:
                    appends.append(append)
                waiters[sink.attempt] = sink.waiters
                sink.waiters = []
            self._room.notify_all()  # what is read meanwhile goes with the next write
        self._begun_at = monotonic()
        grown = self._store_all(appends, readings)
        with self._room:
            for append in appends:
                sinks[append.attempt].lost |= append.attempt not in grown
            self._writing = {}
            for sink in sinks.values():  # those who asked while it was written
                if self._dirty.get(sink.attempt) is not sink:
                    waiters.setdefault(sink.attempt, []).extend(sink.waiters)
                    sink.waiters = []
            self._room.notify_all()
        for attempt, futures in waiters.items():
            for future in futures:
                if sinks[attempt].lost:
                    future.set_exception(sinks[attempt].loss())
                else:
                    future.set_result(None)
        return False

    def _append(self, sink: LogSink) -> Append | None:
        before = sink.position
        chunks, after = pack(sink.frames, before)
        sink.frames, sink.size, note = [], 0, sink.note
        sink.position, sink.note = after, ""
        if sink.cursor is None:
            return None
        return Append(sink.attempt, sink.fence, before, after, sink.cursor, tuple(chunks), note)

    def _store_all(self, appends: list[Append], readings: Sequence[Measured] = ()) -> set[int]:
        """Store, however long the database is away: what was read is kept in memory until
        then, and the readers wait at their bound."""
        through: set[int] = set()
        uncertain = False
        while appends or readings:
            try:
                if uncertain:
                    through |= self._got_through(appends)
                    appends = [a for a in appends if a.attempt not in through]
                crash_point("before_logs")
                grown = self._store.append_logs(appends, readings) if appends or readings else set()
                crash_point("after_logs")
                return through | grown
            except StoreDown:
                uncertain, readings = True, ()
                if self._stopping.wait(0.5):
                    raise
            except Exception as error:
                # What no database takes must not keep the other attempts' output away.
                if readings:
                    logger.exception("%d readings cannot be written", len(readings))
                    readings = ()
                    continue
                names = ", ".join(str(a.attempt) for a in appends)
                logger.exception("the log of attempt %s cannot be written", names)
                if len(appends) == 1:
                    self._writing[appends[0].attempt].refused = _words(error)
                    return through
                return through.union(*(self._store_all([a]) for a in appends))
        return through

    def _got_through(self, appends: list[Append]) -> set[int]:
        """After a broken commit: those logs that end where these appends would take them.
        The fence keeps others from writing, so it was this commit that took them there."""
        ends = self._store.log_ends([a.attempt for a in appends])
        return {a.attempt for a in appends if a.before.seq < a.after.seq == ends.get(a.attempt)}

    def finish(self) -> None:
        """Write what is left."""
        self._urgent = True
        self.run_once()
        with self._room:
            self._room.notify_all()


def _words(error: Exception) -> str:
    """The first line: in the others a database quotes what it was given."""
    return str(error).partition("\n")[0] or type(error).__name__
