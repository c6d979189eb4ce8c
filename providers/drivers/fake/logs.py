"""Reading a fake run's output as the clock brings it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from providers.driver import GONE_UNREAD, Cursor, LogBatch, Unreachable
from providers.drivers.fake.calls import answer, scripted_call, stream_is_cut
from providers.drivers.fake.output import Position, next_due_ns, read
from providers.drivers.fake.run import end_of
from providers.drivers.fake.script import SECOND
from providers.drivers.fake.world import World


class FakeLogStream:
    """A LogStream that sleeps until the next item is due; a change of the run wakes it."""

    def __init__(
        self,
        world: World,
        clock: Callable[[], int],
        driver_closed: threading.Event,
        uid: str,
        cursor: Cursor | None,
        *,
        follow: bool,
    ) -> None:
        self._world = world
        self._clock = clock
        self._driver_closed = driver_closed
        self._uid = uid
        self._position = Position.of(cursor)
        self._follow = follow
        self._changed = threading.Event()
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    def __iter__(self) -> Iterator[LogBatch]:
        world, position = self._world, self._position
        with scripted_call(world, self._driver_closed, "logs", self._uid):
            pass
        with world.watched(self._uid, self._changed):
            while not self._is_closed():
                self._changed.clear()
                # The clock is read under the lock: a signal that comes later then has a later
                # stamp, and what was read once is read the same ever after.
                with world.locked():
                    answer(world)
                    run = world.get(self._uid)
                    now = self._clock()
                if run is None:
                    yield LogBatch((), position.cursor(), GONE_UNREAD)
                    return
                frames, after = read(run, position, now)
                if after != position:
                    position = after
                    if frames:
                        yield LogBatch(frames, after.cursor())
                        if stream_is_cut(world, self._uid, run.script):
                            raise Unreachable("scripted: the stream was cut")
                    continue
                end = end_of(run, run.script)
                if not self._follow or (end is not None and now >= end.at_ns):
                    return
                due = next_due_ns(run, position)
                ahead = world.poll_seconds if due is None else max(due - now, 0) / SECOND
                if not self._is_closed():
                    self._changed.wait(min(ahead, world.poll_seconds))

    def _is_closed(self) -> bool:
        return self._closed or self._driver_closed.is_set()
