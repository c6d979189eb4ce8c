"""A simulated engine: containers whose programs run on the virtual clock.

It remembers what a test of the real thing would need an oracle for: how often each program
was started, what it wrote, and why some of that could not be read any more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from providers.driver import (
    Handle,
    LogFrame,
    NoCapacity,
    Observation,
    Owned,
    Rejected,
    RunSpec,
    RunState,
    StillRunning,
    Stream,
)
from tests.simulation.fibers import Fibers
from tests.simulation.threads import EPOCH

EPOCH_NS = int(EPOCH.timestamp()) * 10**9


@dataclass(frozen=True, slots=True)
class Program:
    """What a job's container does: when it ends and how, and what it writes when."""

    seconds: float
    exit_code: int
    writes: tuple[tuple[float, Stream, bytes], ...]
    heeds_term: bool = True
    refused: str = ""
    """The reason code with which the engine refuses to create it, if it does."""


@dataclass(slots=True)
class Container:
    """One container; times are seconds on the virtual clock."""

    id: int
    spec: RunSpec
    program: Program
    created_at: float
    started_at: float | None = None
    ends_at: float = 0.0
    """When it ends, or ended, as far as is known now."""
    exit_code: int = 0
    times: list[float] = field(default_factory=list)
    frames: list[LogFrame] = field(default_factory=list)
    """All that it writes until `ends_at`, with the times in `times`."""
    forgotten: int = 0
    """So many of the first frames cannot be read any more."""

    def state(self, now: float) -> RunState:
        """Where it is."""
        if self.started_at is None:
            return RunState.CREATED
        return RunState.RUNNING if now < self.ends_at else RunState.EXITED

    def written(self, now: float) -> int:
        """How many frames there are by now."""
        return bisect_right(self.times, min(now, self.ends_at))

    def run(self, now: float) -> None:
        """Its program begins, after whatever it wrote before."""
        keep = self.written(now) if self.started_at is not None else 0
        del self.times[keep:], self.frames[keep:]
        self.started_at, self.ends_at = now, now + self.program.seconds
        self.exit_code = self.program.exit_code
        fresh = {Stream.STDOUT: True, Stream.STDERR: True}
        for after, stream, data in self.program.writes:
            at, ends = now + after, data.endswith(b"\n")
            self.times.append(at)
            stamp = EPOCH_NS + int(at * 1e9)
            self.frames.append(LogFrame(stream, stamp, data, fresh[stream], ends))
            fresh[stream] = ends

    def end(self, at: float, exit_code: int) -> None:
        """It ends at that time, unless it has ended before."""
        if self.started_at is not None and at < self.ends_at:
            self.ends_at, self.exit_code = at, exit_code

    def wrote(self, stream: Stream, now: float) -> bytes:
        """All that it wrote on a stream by now."""
        frames = self.frames[: self.written(now)]
        return b"".join(frame.data for frame in frames if frame.stream is stream)


class Engine:
    """One provider's engine. All its methods happen at once; `driver.py` brings the delays."""

    def __init__(
        self,
        name: str,
        fibers: Fibers,
        programs: Callable[[RunSpec], Program],
        *,
        cpu_cores: float,
        skew: float,
    ) -> None:
        self.name = name
        self.cpu_cores = cpu_cores
        self.skew = skew
        """Seconds by which its clock is ahead."""
        self.down = False
        self.starts: Counter[str] = Counter()
        self.by_uid: dict[str, Container] = {}
        self.all: dict[str, Container] = {}
        """By uid, also what was removed."""
        self.losses: dict[str, str] = {}
        """Uid → why some of its output could not be read: the only cause for a flag."""
        self.meddled: set[str] = set()
        """Uids of containers that somebody started by hand."""
        self.full = False
        self.started: Callable[[Container], None] = lambda container: None
        self._fibers = fibers
        self._programs = programs
        self._drawn: dict[str, Program] = {}
        """What each attempt's image holds, from the first time its container was asked for."""
        self._ids = 0
        self.followers: list[Callable[[], None]] = []
        """Called when something other than time has changed the containers."""

    def clock(self, at: float) -> datetime:
        """A moment on the engine's clock."""
        return EPOCH + timedelta(seconds=at + self.skew)

    def find(self, handle: Handle) -> Container | None:
        """The container of a handle, if it is that very one."""
        found = self.by_uid.get(handle["uid"])
        return found if found is not None and found.id == handle["id"] else None

    def changed(self) -> None:
        """Tell those who follow a log."""
        for follower in self.followers:
            follower()

    # --- the driver's calls ---

    def create(self, spec: RunSpec) -> Handle:
        found = self.by_uid.get(spec.uid)
        if found is None:
            if spec.uid not in self._drawn:
                self._drawn[spec.uid] = self._programs(spec)
            program = self._drawn[spec.uid]
            if program.refused:
                raise Rejected(program.refused, "the engine says no")
            if self.full:
                raise NoCapacity("no space left on device")
            self._ids += 1
            found = Container(self._ids, spec, program, self._fibers.now)
            self.by_uid[spec.uid] = self.all[spec.uid] = found
        return {"v": 1, "uid": spec.uid, "id": found.id}

    def start(self, handle: Handle) -> None:
        found = self.find(handle)
        if found is None:
            raise Rejected("removed_outside", "no such container")
        if found.state(self._fibers.now) is RunState.RUNNING:
            return
        self.starts[found.spec.uid] += 1
        found.run(self._fibers.now)
        self.started(found)

    def observe(self, handle: Handle) -> Observation:
        found = self.find(handle)
        return Observation(RunState.GONE) if found is None else self.observation(found)

    def observation(self, found: Container) -> Observation:
        """What the engine says of a container now."""
        state = found.state(self._fibers.now)
        if state is RunState.CREATED:
            return Observation(state)
        assert found.started_at is not None
        started_at = self.clock(found.started_at)
        if state is RunState.RUNNING:
            return Observation(state, started_at=started_at)
        return Observation(
            state,
            exit_code=found.exit_code,
            started_at=started_at,
            finished_at=self.clock(found.ends_at),
        )

    def list_owned(self) -> list[Owned]:
        return [
            Owned(
                {"v": 1, "uid": c.spec.uid, "id": c.id},
                c.spec.instance,
                c.spec.job,
                c.spec.attempt,
                c.spec.uid,
                c.spec.term,
                c.state(self._fibers.now),
                self.clock(c.created_at),
            )
            for c in self.by_uid.values()
        ]

    def signal(self, handle: Handle, grace: float) -> float:
        """Ask it to end; the seconds after which it has."""
        found, now = self.find(handle), self._fibers.now
        if found is None or found.state(now) is not RunState.RUNNING:
            return 0.0
        if found.program.heeds_term and grace:
            found.end(now + 0.01, 143)
        else:
            found.end(now + grace, 137)
        self.changed()
        return found.ends_at - now

    def remove(self, handle: Handle, *, force: bool) -> None:
        found = self.find(handle)
        if found is None:
            return
        if found.state(self._fibers.now) is RunState.RUNNING:
            if not force:
                raise StillRunning(found.spec.uid)
            found.end(self._fibers.now, 137)
        del self.by_uid[found.spec.uid]
        self.changed()

    # --- what befalls it ---

    def crash(self) -> None:
        """It stops with all that runs; what is there stays."""
        now = self._fibers.now
        for container in self.by_uid.values():
            container.end(now, 137)
        self.changed()

    def forget_output(self, container: Container) -> None:
        """Its log is rotated away, as far as it was written."""
        written = container.written(self._fibers.now)
        if written > container.forgotten:
            container.forgotten = written
            self.losses[container.spec.uid] = "rotated"

    def take_away(self, container: Container) -> None:
        """Somebody removes a container by hand."""
        self.losses[container.spec.uid] = "removed by hand"
        container.end(self._fibers.now, 137)
        self.by_uid.pop(container.spec.uid, None)
        self.changed()

    def start_again(self, container: Container) -> None:
        """Somebody starts a container by hand."""
        if container.state(self._fibers.now) is not RunState.RUNNING:
            self.meddled.add(container.spec.uid)
            container.run(self._fibers.now)
            self.changed()
