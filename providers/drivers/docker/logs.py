"""Reading a container's output from a cursor on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from time import time_ns
from urllib.parse import urlencode

from providers.driver import GONE_UNREAD, Cursor, LogBatch, Unreachable
from providers.drivers.docker import container as made
from providers.drivers.docker.backlog import Backlog
from providers.drivers.docker.client import Engine
from providers.drivers.docker.decoding import LogDecoder
from providers.drivers.docker.frames import NotALog
from providers.drivers.docker.looking import is_running
from providers.drivers.docker.pace import Pace
from providers.drivers.docker.resume import last_read
from providers.drivers.docker.translate import EngineError, translated
from providers.drivers.docker.wire import Wire

BROKE_OFF = "a record that the engine cannot read has hidden what comes after it"
_DOING = "read the log"


class DockerLogStream:
    """One reading. A batch is what one read of the socket delivered, at most 64 KiB and the
    rest of a frame: no timer delays a line.

    A followed reading ends with a second, plain one from its own cursor on: engines drop
    the last lines of a followed `local` log when a program ends right after writing them
    (seen on 20.10 in three of four runs). One that may have been passed by the engine's
    rotation is given up for a plain one too, and then followed again; while it pours it is
    not, for each change costs a reading of the last seconds anew.
    """

    def __init__(self, engine: Engine, container: str, cursor: Cursor | None, follow: bool) -> None:
        self._engine = engine
        self._container = container
        self._cursor = cursor
        self._follow = follow
        self._wire = Wire()
        self._pace = Pace(made.LOG_FILE_BYTES)
        self._gone = False
        self._brought = 0
        """Bytes of the present answer that had something new."""
        begins = cursor is None
        self._backlog = Backlog(made.LOG_FILE_BYTES, made.LOG_FILES) if begins else None

    def __iter__(self) -> Iterator[LogBatch]:
        """Batches to the end. Raises Unreachable."""
        if not self._follow or self._cursor is not None:
            yield from self._read(follow=False)
        ended = self._gone or not self._follow
        while not ended:
            self._pace.begin()
            ended = yield from self._read(follow=True)
            yield from self._read(follow=False)
            while not ended and self._pace.pours(self._brought):
                # Asked before, so that the reading has all of it.
                ended = self._wire.closed or not self._runs()
                yield from self._read(follow=False)
        if not (self._follow or self._gone or self._wire.closed) and self._broke_off():
            yield LogBatch((), self._cursor or {"v": 1}, BROKE_OFF)

    def _broke_off(self) -> bool:
        """Whether the engine has a last frame that the reading to the end did not bring: at a
        record that it cannot decode an answer may end as if there were no more."""
        decoder = LogDecoder(None)
        try:
            if not self._ask("", follow=False, tail=1):
                return False
            while data := self._receive(follow=False):
                decoder.feed(data)
        except NotALog:
            return False
        finally:
            self._wire.release()
        if decoder.last is None or decoder.last == last_read(self._cursor):
            return False
        return not self._runs()

    def _runs(self) -> bool:
        with translated(_DOING):
            return is_running(self._engine, self._container)

    def close(self) -> None:
        """End the reading, also one that waits in another thread."""
        self._wire.close()

    def _read(self, *, follow: bool) -> Generator[LogBatch, None, bool]:
        """One answer of the engine, from `_cursor` on, moving it. False when it was given up
        before its end, because the engine may have passed it."""
        decoder = LogDecoder(self._cursor, followed=follow)
        self._brought = 0
        try:
            if not self._ask(decoder.since, follow):
                if not (follow or self._wire.closed):
                    self._gone = True
                    yield LogBatch((), self._cursor or {"v": 1}, GONE_UNREAD)
                return True
            while data := self._receive(follow):
                try:
                    batch = decoder.feed(data)
                except NotALog as error:
                    raise Unreachable(f"could not {_DOING}: {error}") from error
                if batch is not None:
                    if self._backlog is not None:
                        batch = self._backlog.judged(batch, self._wire.answered_ns)
                    self._cursor = batch.cursor
                    self._brought += len(data)
                    yield batch
                    if follow and self._is_passed(len(data), batch):
                        return False
                if decoder.doubtful:
                    return False
            if self._wire.closed:
                return True
            if decoder.unfinished:
                raise Unreachable(f"could not {_DOING}: it ended within a frame")
            if last := decoder.finish():
                self._cursor = last.cursor
                yield last
            return True
        finally:
            self._wire.release()

    def _is_passed(self, size: int, batch: LogBatch) -> bool:
        stamp = batch.frames[-1].at_ns if batch.frames else 0
        return bool(stamp) and self._pace.may_be_passed(size, stamp, time_ns())

    def _ask(self, since: str, follow: bool, tail: int = 0) -> bool:
        """Open the answer; false when there is none to be had, which `observe` explains."""
        query = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow)}
        query |= {"tail": tail} if tail else {}
        path = f"/containers/{self._container}/logs?{urlencode(query)}"
        with translated(_DOING):
            try:
                if self._wire.closed:
                    return False
                self._wire.open(self._engine, f"{path}&since={since}" if since else path)
            except EngineError as error:
                if error.status in (404, 409):  # gone, or being removed
                    return False
                raise
            except OSError:
                if self._wire.closed:
                    return False
                raise
        return True

    def _receive(self, follow: bool) -> bytes:
        """The next bytes, b"" at the end. A quiet job is no error, a silent engine is."""
        with translated(_DOING):
            while True:
                data = self._wire.read(self._engine.options.log_idle_seconds)
                if data is not None:
                    return data
                if not follow:
                    raise TimeoutError("the engine stopped sending")
                if not self._runs():
                    return b""
