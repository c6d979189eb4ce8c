"""Keeping the processes of one machine alive, and ending them together.

Each service runs in a session of its own, so Ctrl-C in the terminal reaches only the
supervisor, which then asks each of them to end. A service that dies is started again,
later each time it dies soon after its start.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import FrameType

from orchestrator.local.prefixed_output import LONGEST_LINE, PrefixedOutput
from orchestrator.local.processes import ProcessMark, end_sessions, kill_session


class _Stop(Enum):
    STOP = "stop"


STOP = _Stop.STOP
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 6.0  # of the ten that the whole of `up` may take to end
LAST_WORDS_SECONDS = 0.5
TELL_AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Service:
    """One process to keep alive."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own environment."""


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the n-th start in a row that did not last."""

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    lasting_seconds: float = 30.0
    """A service that ran this long had started well: the row begins anew."""

    def delay(self, deaths_in_a_row: int) -> float:
        """Seconds to wait after that many deaths."""
        return min(self.first_seconds * 2.0 ** min(deaths_in_a_row - 1, 30), self.most_seconds)


@dataclass(frozen=True)
class _Died:
    name: str
    code: int


@dataclass
class _Running:
    mark: ProcessMark
    started: float
    copier: threading.Thread


class Supervisor:
    """Runs services until it is told to stop. `run` belongs to the main thread."""

    def __init__(
        self,
        services: Sequence[Service],
        output: PrefixedOutput,
        *,
        backoff: Backoff | None = None,
        grace_seconds: float = GRACE_SECONDS,
        on_change: Callable[[Mapping[str, ProcessMark]], None] = lambda marks: None,
    ) -> None:
        """`on_change` is told who runs, after each start: for whoever must clean up after
        a supervisor that was killed."""
        self._services = {service.name: service for service in services}
        self._output = output
        self._backoff = backoff or Backoff()
        self._grace_seconds = grace_seconds
        self._on_change = on_change
        # A SimpleQueue may be filled from a signal handler; an ordinary one could deadlock.
        self._happenings: queue.SimpleQueue[_Died | _Stop] = queue.SimpleQueue()
        self._running: dict[str, _Running] = {}
        self._due: dict[str, float] = {}
        self._deaths: dict[str, int] = {}
        self._untold = False
        """A change could not be told; it is tried again and again."""

    def run(self) -> None:
        """Start all, keep them alive, and end them all at a stop signal or `stop`."""
        before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        try:
            self.run_until_stopped()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run_until_stopped(self) -> None:
        """The same without signals: only `stop` ends it."""
        self._due = dict.fromkeys(self._services, time.monotonic())
        try:
            while True:
                self._start_due()
                happening = self._next_happening()
                if happening is STOP:
                    return
                if isinstance(happening, _Died):
                    self._plan_restart(happening)
        finally:
            self._end_all()

    def stop(self) -> None:
        """Make `run` end, from any thread."""
        self._happenings.put(STOP)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._happenings.put(STOP)

    def _next_happening(self) -> _Died | _Stop | None:
        """What happens before the next start is due, or None when that comes first."""
        wait = max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None
        if self._untold:
            wait = TELL_AGAIN_SECONDS if wait is None else min(wait, TELL_AGAIN_SECONDS)
        try:
            return self._happenings.get(timeout=wait)
        except queue.Empty:
            return None

    def _start_due(self) -> None:
        for name, at in list(self._due.items()):
            if at > time.monotonic():
                continue
            del self._due[name]
            self._start(self._services[name])
        self._tell_change()

    def _start(self, service: Service) -> None:
        try:
            process = subprocess.Popen(
                _dying_with_parent(service.argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1", **service.env},
                start_new_session=True,
            )
        except OSError as error:
            self._output.write(service.name, f"cannot be started: {error}")
            self._happenings.put(_Died(service.name, 127))
            return
        mark = ProcessMark.of_child(process.pid)
        copier = self._thread(self._copy_output, service.name, process)
        self._running[service.name] = _Running(mark, time.monotonic(), copier)
        self._thread(self._watch, service.name, process)

    def _thread(
        self,
        work: Callable[[str, subprocess.Popen[bytes]], None],
        name: str,
        process: subprocess.Popen[bytes],
    ) -> threading.Thread:
        """A daemon thread: a job's own process may hold a service's output open for days."""
        thread = threading.Thread(target=work, args=(name, process), name=name, daemon=True)
        thread.start()
        return thread

    def _copy_output(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            self._output.copy(name, iter(lambda: pipe.readline(LONGEST_LINE), b""))

    def _watch(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self._happenings.put(_Died(name, process.wait()))

    def _plan_restart(self, died: _Died) -> None:
        running = self._running.pop(died.name, None)
        lasted = time.monotonic() - running.started if running else 0.0
        if running:
            kill_session(running.mark)  # a pool's workers must not meet their successors
        deaths = (
            1 if lasted >= self._backoff.lasting_seconds else self._deaths.get(died.name, 0) + 1
        )
        self._deaths[died.name] = deaths
        delay = self._backoff.delay(deaths)
        self._due[died.name] = time.monotonic() + delay
        self._output.write(died.name, f"{_ending(died.code)}; starting again in {delay:g} s")

    def _end_all(self) -> None:
        self._due.clear()
        names = {running.mark: name for name, running in self._running.items()}
        for mark in end_sessions(list(names), self._grace_seconds):
            self._output.write(names[mark], f"did not end in {self._grace_seconds:g} s: killed")
        for running in self._running.values():
            running.copier.join(LAST_WORDS_SECONDS)
        self._running.clear()
        self._tell_change()

    def _tell_change(self) -> None:
        """A full disk, where it cannot be written down, is no reason to end the services."""
        try:
            self._on_change({name: running.mark for name, running in self._running.items()})
            self._untold = False
        except OSError as error:
            if not self._untold:
                self._output.say(f"Which processes run could not be written down: {error}")
            self._untold = True


def _dying_with_parent(argv: Sequence[str]) -> list[str]:
    """Let the kernel end the process when the supervisor is killed, where util-linux can
    say so; elsewhere the next start ends what is left."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else list(argv)


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
