"""What the contract suite must be told of one driver: how to build it, and how to say
"print this", "sleep", "ignore SIGTERM" in a command that its programs understand."""

from __future__ import annotations

import abc
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from providers.driver import (
    Driver,
    DriverError,
    Handle,
    LogBatch,
    LogFrame,
    LogStream,
    Mount,
    Observation,
    RunSpec,
    RunState,
    Stream,
)
from tests.support.waiting import wait_until

UID_VARIABLE = "CONTRACT_UID"
READY = b"ready\n"
DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, in words of the driver under test."""

    entrypoint: tuple[str, ...]
    args: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()


@dataclass(slots=True)
class Reading:
    """All that one log stream delivered."""

    batches: list[LogBatch] = field(default_factory=list)

    @property
    def frames(self) -> list[LogFrame]:
        return [frame for batch in self.batches for frame in batch.frames]

    def text(self, stream: Stream) -> bytes:
        return b"".join(frame.data for frame in self.frames if frame.stream is stream)


class Stage(abc.ABC):
    """One provider, freshly set up for one test, with an instance id of its own."""

    image = "gantry-contract"
    race_rounds = 40
    race_window_seconds = 0.02
    """How far apart, at most, the race of start and remove sets off its two sides."""

    def __init__(self) -> None:
        self.instance = f"contract-{uuid.uuid4()}"
        self.driver = self.build()

    # --- told by each driver ---

    @abc.abstractmethod
    def build(self, instance: str = "") -> Driver:
        """A new driver object for the same provider; of another Gantry when `instance` is given."""

    @abc.abstractmethod
    def printing(
        self, *pieces: tuple[Stream, bytes], exit_code: int = 0, pause_seconds: float = 0
    ) -> Program:
        """Writes the pieces in order, resting after each where that can be said, and exits."""

    @abc.abstractmethod
    def ticking(self, lines: int, seconds: float) -> Program:
        """`line 1 of N`, `line 2 of N`, … on stdout, spread over that time; exits 0."""

    @abc.abstractmethod
    def long_line(self, size: int) -> Program:
        """One line on stdout, `size` bytes with its newline; exits 0."""

    @abc.abstractmethod
    def sleeping(self) -> Program:
        """Prints READY, sleeps for minutes, and dies of SIGTERM."""

    @abc.abstractmethod
    def ignoring_term(self) -> Program:
        """Prints READY, sleeps for minutes, and ignores SIGTERM."""

    @abc.abstractmethod
    def answering_term(self, text: bytes) -> Program:
        """Prints READY and sleeps; at SIGTERM prints the text and exits 0."""

    @abc.abstractmethod
    def missing(self) -> Program:
        """A program that does not exist."""

    @abc.abstractmethod
    def counted(self) -> Program:
        """Leaves a mark that `times_run` counts, then sleeps for minutes."""

    @abc.abstractmethod
    def times_run(self, uid: str) -> int:
        """How many times the `counted` program of that attempt began, ever."""

    # --- the same for all ---

    def spec(self, program: Program, **changes: Any) -> RunSpec:
        uid = str(uuid.uuid4())
        values: dict[str, Any] = {
            "instance": self.instance,
            "job": 1,
            "attempt": 1,
            "uid": uid,
            "term": 7,
            "name": "contract",
            "image": self.image,
            "entrypoint": program.entrypoint,
            "args": program.args,
            "mounts": program.mounts,
            "env": {UID_VARIABLE: changes.get("uid", uid)},
            "memory_mb": 64,
        }
        return RunSpec(**(values | changes))

    def create(self, program: Program, **changes: Any) -> Handle:
        return self.driver.create(self.spec(program, **changes))

    def start(self, program: Program, **changes: Any) -> Handle:
        handle = self.create(program, **changes)
        self.driver.start(handle)
        return handle

    def start_ready(self, program: Program) -> Handle:
        """Started, and it has printed READY: its signal handlers are in place."""
        handle = self.start(program)
        wait_until(
            lambda: read(self.driver.logs(handle, None, follow=False)).text(Stream.STDOUT),
            DEADLINE,
            "the program says that it is ready",
        )
        return handle

    def run(self, program: Program) -> Handle:
        """Started and ended."""
        handle = self.start(program)
        self.ended(handle)
        return handle

    def ended(self, handle: Handle, driver: Driver | None = None) -> Observation:
        def seen() -> Observation | None:
            observation = (driver or self.driver).observe(handle)
            return observation if observation.state is RunState.EXITED else None

        found = wait_until(seen, DEADLINE, "the program has ended")
        assert found is not None
        return found

    def sweep(self, instances: Iterable[str] = ()) -> None:
        """Remove all that the test made, also after it failed."""
        for instance in (self.instance, *instances):
            driver = self.build(instance)
            for owned in driver.list_owned():
                driver.remove(owned.handle, force=True)
            driver.close()
        self.driver.close()


class ShellStage(Stage):
    """For drivers whose programs may be a POSIX shell's scripts.

    `shell` is the argv that takes a script; `marks` is a folder of this machine, which the
    programs see as `marks_inside` (through `mark_mounts`, where they run apart).
    """

    shell: Sequence[str] = ("/bin/sh", "-c")
    marks_inside = ""
    mark_mounts: tuple[Mount, ...] = ()

    def __init__(self, marks: Any) -> None:
        self.marks = marks
        self.marks_inside = self.marks_inside or str(marks)
        super().__init__()

    def script(self, text: str, mounts: tuple[Mount, ...] = ()) -> Program:
        return Program((*self.shell, text), mounts=mounts)

    def printing(
        self, *pieces: tuple[Stream, bytes], exit_code: int = 0, pause_seconds: float = 0
    ) -> Program:
        rest = f"; sleep {pause_seconds}" if pause_seconds else ""
        commands = [
            f"printf '{octal(data)}'" + (" >&2" if stream is Stream.STDERR else "") + rest
            for stream, data in pieces
        ]
        return self.script("\n".join([*commands, f"exit {exit_code}"]))

    def ticking(self, lines: int, seconds: float) -> Program:
        return self.script(
            f"i=1; while [ $i -le {lines} ]; do echo line $i of {lines};"
            f" sleep {seconds / lines:.3f}; i=$((i+1)); done"
        )

    def long_line(self, size: int) -> Program:
        return self.script(f"head -c {size - 1} /dev/zero | tr '\\0' x; echo")

    def sleeping(self) -> Program:
        return self.script("echo ready; exec sleep 600")

    def ignoring_term(self) -> Program:
        return self.script("trap '' TERM; echo ready; sleep 600")

    def answering_term(self, text: bytes) -> Program:
        handler = f"trap \"printf '{octal(text)}'; exit 0\" TERM"
        return self.script(f"{handler}; echo ready; while :; do sleep 0.05; done")

    def missing(self) -> Program:
        return Program(("/no/such/program",))

    def counted(self) -> Program:
        mark = f'echo run >> "{self.marks_inside}/${UID_VARIABLE}"'
        return self.script(f"{mark}; exec sleep 600", self.mark_mounts)

    def times_run(self, uid: str) -> int:
        try:
            return len((self.marks / uid).read_text().splitlines())
        except FileNotFoundError:
            return 0


def octal(data: bytes) -> str:
    """The bytes in the escapes of every shell's printf."""
    return "".join(f"\\{byte:03o}" for byte in data)


def read(stream: LogStream, deadline_seconds: float = DEADLINE) -> Reading:
    """Read a log stream to its end; one that does not end fails the test, it never hangs it."""
    reading = Reading()
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with suppress(DriverError):
            stream.close()

    timer = threading.Timer(deadline_seconds, give_up)
    timer.start()
    try:
        for batch in stream:
            reading.batches.append(batch)
    finally:
        timer.cancel()
        timer.join()
    assert not late.is_set(), f"the log stream did not end within {deadline_seconds:g} s"
    return reading
