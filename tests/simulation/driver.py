"""The driver of the simulated engine: every call goes over a wire that may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from greenlet import getcurrent

from providers.driver import (
    Capabilities,
    Credential,
    Cursor,
    Handle,
    Health,
    LogBatch,
    LogStream,
    Observation,
    Owned,
    Probe,
    PullProgress,
    RunSpec,
    RunState,
    Unreachable,
)
from tests.simulation.engine import Container, Engine
from tests.simulation.fibers import Fiber, Fibers
from tests.simulation.travel import Weather, Wire

CALL_SECONDS = 0.004
CAPABILITIES = Capabilities("simulated", isolation=True, pulls=True)


class SimulatedDriver:
    """One process's connection to one engine."""

    def __init__(self, engine: Engine, fibers: Fibers, weather: Weather) -> None:
        self.capabilities = CAPABILITIES
        self._engine = engine
        self._fibers = fibers
        self._weather = weather
        self._offset_ms = round(engine.skew * 1000)
        self._wire = Wire(
            fibers, weather, CALL_SECONDS, lost=Unreachable, refused=lambda: engine.down
        )

    def probe(self) -> Probe:
        try:
            self._wire.call(lambda: None)
        except Unreachable as error:
            return Probe(Health.UNREACHABLE, str(error))
        return Probe(
            Health.HEALTHY,
            cpu_cores=self._engine.cpu_cores,
            memory_mb=8192,
            clock_offset_ms=self._offset_ms,
        )

    def pull(
        self,
        image: str,
        credential: Credential | None,
        progress: Callable[[PullProgress], None],
    ) -> str:
        for part in range(int(self._fibers.random() * 3)):
            self._wire.call(lambda: None)
            progress(PullProgress("pulling", part, 3))
        self._wire.call(lambda: None)
        return "image"

    def create(self, spec: RunSpec) -> Handle:
        handle: Handle = self._wire.call(lambda: self._engine.create(spec))
        return handle

    def start(self, handle: Handle) -> None:
        self._wire.call(lambda: self._engine.start(handle))

    def observe(self, handle: Handle) -> Observation:
        seen: Observation = self._wire.call(lambda: self._engine.observe(handle))
        return seen

    def list_owned(self) -> Sequence[Owned]:
        owned: Sequence[Owned] = self._wire.call(self._engine.list_owned)
        return owned

    def logs(self, handle: Handle, cursor: Cursor | None, *, follow: bool) -> LogStream:
        after = cursor["n"] if cursor else 0
        return Reading(self._engine, self._fibers, self._weather, self._wire, handle, after, follow)

    def stop(self, handle: Handle, grace_seconds: float) -> None:
        left = self._wire.call(lambda: self._engine.signal(handle, grace_seconds))
        if left:
            self._fibers.wait(left)

    def remove(self, handle: Handle, *, force: bool) -> None:
        # The fence rests on this: between the look that found it not started and its removal
        # no program begins *and* ends (docs/reliability.md). So this request is not delayed.
        self._wire.call(lambda: self._engine.remove(handle, force=force), prompt=not force)

    def close(self) -> None: ...


class Reading:
    """An open reading of one container's output."""

    def __init__(
        self,
        engine: Engine,
        fibers: Fibers,
        weather: Weather,
        wire: Wire,
        handle: Handle,
        after: int,
        follow: bool,
    ) -> None:
        self._engine = engine
        self._fibers = fibers
        self._weather = weather
        self._wire = wire
        self._handle = handle
        self._after = after
        self._follow = follow
        self._closed = False
        self._waiting: Fiber | None = None

    def close(self) -> None:
        self._closed = True
        self._nudge()

    def _nudge(self) -> None:
        if self._waiting is not None:
            self._fibers.wake(self._waiting)

    def __iter__(self) -> Iterator[LogBatch]:
        found: Container | None = self._wire.call(lambda: self._engine.find(self._handle))
        if found is None:
            yield self._gone()
            return
        self._engine.followers.append(self._nudge)
        try:
            yield from self._read(found)
        finally:
            self._engine.followers.remove(self._nudge)

    def _read(self, container: Container) -> Iterator[LogBatch]:
        rand, faults = self._fibers.random, not self._weather.fair
        while not self._closed:
            if self._engine.down:
                raise Unreachable("the connection broke")
            gap = ""
            if self._after < container.forgotten:
                self._after, gap = container.forgotten, "its log was rotated away"
            there = container.written(self._fibers.now)
            if self._after < there or gap:
                some = min(there - self._after, 1 + int(rand() * 4))
                frames = tuple(container.frames[self._after : self._after + some])
                self._after += some
                yield LogBatch(frames, {"n": self._after}, gap)
                if faults and rand() < self._weather.lost_reply:
                    self._weather.counts["log_cut"] += 1
                    raise Unreachable("the connection was cut")
                continue
            if self._engine.find(self._handle) is not container:
                yield self._gone()
                return
            if not self._follow or container.state(self._fibers.now) is not RunState.RUNNING:
                return
            if faults and rand() < self._weather.lost_request * 0.2:
                return  # an end of file that means nothing
            self._wait(container)

    def _gone(self) -> LogBatch:
        return LogBatch((), {"n": self._after}, "it was gone before it was read to the end")

    def _wait(self, container: Container) -> None:
        """Until it writes, or ends, or something happens to it."""
        there = container.written(self._fibers.now)
        until = container.ends_at
        if there < len(container.times):
            until = min(until, container.times[there])
        self._waiting = getcurrent()
        self._fibers.wait(max(0.0, until - self._fibers.now))
        self._waiting = None
