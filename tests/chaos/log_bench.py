"""Attempts driven through the loop's own code over a real Docker engine, without a database:
what they store stays in memory, so that a thousand logs can be compared with what was written.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from jobs.log.frames import Position, unpack
from jobs.log.store import Append
from jobs.states import Phase
from jobs.transitions import Move, Written
from orchestrator.loop.attempt_run import AttemptRun
from orchestrator.loop.host_view import HostView
from orchestrator.loop.log_writer import LogWriter
from orchestrator.store import Order, Store
from providers.driver import (
    Driver,
    Handle,
    Health,
    Mount,
    ProviderConfig,
    RunSpec,
    RunState,
    Stream,
    Unreachable,
)
from providers.drivers.docker import DockerDriver
from providers.leases import Fence
from tests.support.ledger import Ledger
from tests.support.waiting import wait_until

END_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of one attempt's log, and what is said of it."""

    out: bytes
    err: bytes
    complete: bool
    note: str


class Running:
    """One attempt in the hands of the loop; `hand_over` gives it to a new owner."""

    def __init__(self, bench: LogBench, order: Order) -> None:
        self.order = order
        self.handle: Handle | None = None
        self.end: Move | None = None
        self._bench = bench
        self._run, self._thread = self._taken(order)

    def _taken(self, order: Order) -> tuple[AttemptRun, threading.Thread]:
        self._sink = self._bench.writer.sink(order.attempt, self._bench.fence, order.log)
        run = AttemptRun(order, cast(HostView, _Host(self._bench, self)), self._sink)
        thread = threading.Thread(target=run.run, name=f"bench-{order.attempt}")
        thread.start()
        return run, thread

    def wait_until_runs(self) -> None:
        """Wait until its program has started."""
        wait_until(
            lambda: self._bench.ledger.at.get(self.order.attempt) is Phase.RUNNING, 60, "it runs"
        )

    def hand_over(self) -> None:
        """Another owner goes on from what is stored, as after the death of this one."""
        self._run.detach()
        self._thread.join(END_SECONDS)
        if self.end is not None:
            return
        self._sink.flush().result(END_SECONDS)
        last = self._bench.last_append(self.order.attempt)
        cursor = json.loads(json.dumps(dict(last.cursor))) if last else None
        position = last.after if last else Position()
        self._run, self._thread = self._taken(
            replace(
                self.order, phase=Phase.RUNNING, handle=self.handle, cursor=cursor, log=position
            )
        )

    def finish(self) -> Stored:
        """Wait until it has ended; what is stored then."""
        self._thread.join(END_SECONDS)
        assert not self._thread.is_alive(), "its thread has ended"
        assert self.end is not None, "its end was told"
        return self._bench.stored(self.order.attempt, self.end)

    def over(self) -> bool:
        """Whether the loop has let go of it."""
        return not self._thread.is_alive()


class LogBench:
    """A driver on an engine, perhaps through a proxy, and the loop's log writer."""

    def __init__(self, image: str, base_url: str = "", *, direct_url: str = "") -> None:
        """`direct_url`: the way to the engine for what the test itself does."""
        self.image = image
        self.instance = uuid4().hex
        self.driver = self._driver(base_url)
        self.direct = self._driver(direct_url or base_url)
        self.ledger = Ledger()
        self.fence = Fence("provider:1", 1)
        self.writer = LogWriter(cast(Store, self.ledger))
        self.writer.start(lambda name: None)
        self._count = 0

    def _driver(self, base_url: str) -> DockerDriver:
        options: dict[str, Any] = {"query_seconds": 5.0, "log_idle_seconds": 5.0}
        if base_url:
            options["base_url"] = base_url
        return DockerDriver(ProviderConfig("bench", self.instance, options))

    def begin(self, script: str, mounts: tuple[Mount, ...] = ()) -> Running:
        """Start a shell script as an attempt."""
        self._count += 1
        run = RunSpec(
            instance=self.instance,
            job=self._count,
            attempt=1,
            uid=str(uuid4()),
            term=1,
            name="bench",
            image=self.image,
            entrypoint=("sh", "-c", script),
            memory_mb=64,
            network="none",
            mounts=mounts,
        )
        order = Order(self._count, self._count, 1, Phase.PLACED, run, timeout_seconds=600)
        return Running(self, order)

    def last_append(self, attempt: int) -> Append | None:
        """The newest stored piece of an attempt's log."""
        own = [a for a in list(self.ledger.appends) if a.attempt == attempt]
        return own[-1] if own else None

    def stored(self, attempt: int, end: Move) -> Stored:
        """See Stored."""
        parts: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}
        own = [a for a in self.ledger.appends if a.attempt == attempt]
        for chunk in (chunk for append in own for chunk in append.chunks):
            pieces = unpack(
                codec=chunk.codec, body=chunk.body, crc32=chunk.crc32, first_line=chunk.first_line
            )
            for piece in pieces:
                parts[piece.frame.stream].append(piece.frame.data)
        noted = [a.note for a in own if a.note]
        complete = end.log_complete is not False and not noted
        note = end.log_note or (noted[-1] if noted else "")
        out, err = (b"".join(parts[stream]) for stream in (Stream.STDOUT, Stream.STDERR))
        return Stored(out, err, complete, note)

    def close(self) -> None:
        """End the writer, and leave nothing on the engine."""
        self.writer.stop()
        self.writer.join(10)
        with contextlib.suppress(Unreachable):
            for owned in self.direct.list_owned():
                self.direct.remove(owned.handle, force=True)
        self.driver.close()
        self.direct.close()


@contextmanager
def log_bench(image: str, base_url: str = "", *, direct_url: str = "") -> Iterator[LogBench]:
    """A bench of which nothing is left behind."""
    bench = LogBench(image, base_url, direct_url=direct_url)
    try:
        yield bench
    finally:
        bench.close()


class _Host:
    """What an attempt asks of its host, without leases: answers at once, from the ledger."""

    holder = "bench"

    def __init__(self, bench: LogBench, running: Running) -> None:
        self.driver: Driver = bench.driver
        self.fence = bench.fence
        self.starts = threading.Semaphore(4)
        self._bench = bench
        self._running = running

    def submit(self, moves: Sequence[Move]) -> list[Future[Written]]:
        answers: list[Future[Written]] = []
        result = self._bench.ledger.apply(moves, None, wake_scheduler=False)
        for move, written in zip(moves, result.written, strict=True):
            if move.handle is not None:
                self._running.handle = move.handle
            if move.to is Phase.ENDED and written is Written.DONE:
                self._running.end = move
            answers.append(Future())
            answers[-1].set_result(written)
        return answers

    def lost_contact(self, error: Unreachable) -> None:
        wait_until(
            lambda: self.driver.probe().health is not Health.UNREACHABLE, 60, f"it is back: {error}"
        )

    def note_unreachable(self, error: Unreachable) -> None:
        pass

    def check_trust(self) -> None:
        pass

    def check_reach(self) -> None:
        pass

    def check_mounts(self, run: RunSpec) -> None:
        pass

    def credential(self, image: str) -> None:
        return None

    def progress(self, attempt: int, progress: object) -> None:
        pass

    def in_stopping(self, work: Any) -> None:
        threading.Thread(target=work).start()

    def engine_time(self, at: datetime) -> datetime:
        return at

    def engine_now(self) -> datetime:
        return datetime.now(UTC)

    def remove_later(self, attempt: int, handle: Handle) -> None:
        with contextlib.suppress(Unreachable):
            self._bench.direct.remove(handle, force=True)


def exited(bench: LogBench, running: Running) -> bool:
    """Whether its program has ended, by the engine's own word."""
    assert running.handle is not None
    return bench.direct.observe(running.handle).state is not RunState.RUNNING
