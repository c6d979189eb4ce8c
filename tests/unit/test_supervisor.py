"""The supervisor, with small stand-in programs for Gantry's processes."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from orchestrator.local import supervisor
from orchestrator.local.prefixed_output import PrefixedOutput
from orchestrator.local.processes import ProcessMark
from orchestrator.local.supervisor import Backoff, Service, Supervisor
from tests.support.waiting import wait_until

QUICK = Backoff(first_seconds=0.01, most_seconds=0.05)

STAYS = "import signal; print('here'); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + (
    "print('here'); [signal.pause() for _ in iter(int, 1)]"
)
# A pool: a worker that ignores SIGTERM, below a parent that does not.
POOL = (
    "import os, signal, subprocess, sys\n"
    f"worker = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n"
    "print('worker', worker.pid)\n"
    "signal.pause()\n"
)


class Stage:
    """A supervisor at work in its own thread, and what it was heard to say and do."""

    def __init__(self, programs: Mapping[str, str], grace_seconds: float) -> None:
        self.text = io.StringIO()
        self.marks: dict[str, ProcessMark] = {}
        self.seen: list[ProcessMark] = []
        self.disk_is_full = False
        services = [Service(name, [sys.executable, "-c", code]) for name, code in programs.items()]
        self.supervisor = Supervisor(
            services,
            PrefixedOutput(self.text, programs),
            backoff=QUICK,
            grace_seconds=grace_seconds,
            on_change=self._on_change,
        )

    def _on_change(self, marks: Mapping[str, ProcessMark]) -> None:
        self.seen.extend(mark for mark in marks.values() if mark not in self.seen)
        if self.disk_is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.marks = dict(marks)

    def lines(self) -> list[str]:
        return self.text.getvalue().splitlines()

    def heard(self, line: str, times: int = 1) -> None:
        wait_until(lambda: self.lines().count(line) >= times, 20, f"{times} × {line!r}")


@contextmanager
def _stage(programs: Mapping[str, str], grace_seconds: float = 5) -> Iterator[Stage]:
    """Runs in a thread, where no signal handler can be set: `stop` stands in for SIGTERM."""
    stage = Stage(programs, grace_seconds)
    thread = Thread(target=stage.supervisor.run_until_stopped)
    thread.start()
    try:
        yield stage
    finally:
        stage.supervisor.stop()
        thread.join(30)
        assert not thread.is_alive(), "the supervisor ends"
        assert not any(mark.session() for mark in stage.seen), "it leaves nobody behind"


def test_each_line_says_which_process_wrote_it() -> None:
    with _stage({"web": STAYS, "orchestrate": STAYS}) as stage:
        stage.heard("web         | here")
        stage.heard("orchestrate | here")


def test_a_line_without_an_end_and_broken_bytes_are_passed_on() -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\xff' + b'x' * 9000 + b'end'); import signal; "
    with _stage({"a": code + "sys.stdout.flush(); signal.pause()"}) as stage:
        wait_until(lambda: len(stage.lines()) >= 2, 20, "the long line in pieces")
        assert stage.lines()[0].startswith("a | \N{REPLACEMENT CHARACTER}xxx")
        assert max(map(len, stage.lines())) <= 4096 + len("a | ")


def test_a_process_that_dies_is_started_again_later_each_time() -> None:
    with _stage({"a": "print('once'); raise SystemExit(3)"}) as stage:
        stage.heard("a | once", times=5)
        said = [line for line in stage.lines() if "ended with exit code 3" in line]
    delays = [float(line.split()[-2]) for line in said]
    assert delays[:4] == [0.01, 0.02, 0.04, 0.05]


def test_a_process_that_was_killed_is_started_again_and_the_others_are_left_alone() -> None:
    with _stage({"a": STAYS, "b": STAYS}) as stage:
        stage.heard("a | here")
        stage.heard("b | here")
        wait_until(lambda: {"a", "b"} <= set(stage.marks), 20, "both are recorded")
        other = stage.marks["b"]
        os.kill(stage.marks["a"].pid, signal.SIGKILL)
        stage.heard("a | here", times=2)
        assert stage.marks["b"] == other
        assert any("was ended by SIGKILL" in line for line in stage.lines())


def test_a_full_disk_keeps_no_process_from_being_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "TELL_AGAIN_SECONDS", 0.05)
    with _stage({"a": STAYS, "b": STAYS}) as stage:
        stage.heard("a | here")
        wait_until(lambda: {"a", "b"} <= set(stage.marks), 20, "both are recorded")
        first = stage.marks["a"]
        stage.disk_is_full = True
        os.kill(first.pid, signal.SIGKILL)
        stage.heard("a | here", times=2)
        assert stage.marks["a"] == first
        assert stage.marks["b"].alive()
        stage.disk_is_full = False
        wait_until(lambda: stage.marks["a"] != first, 20, "its successor is recorded after all")
    assert sum("could not be written down" in line for line in stage.lines()) == 1


def test_what_a_dead_pool_left_running_is_ended_before_its_successor_starts() -> None:
    with _stage({"pool": POOL}) as stage:
        wait_until(lambda: stage.lines(), 20, "the worker's number")
        worker = ProcessMark.of(int(stage.lines()[0].split()[-1]))
        assert worker is not None
        first = stage.marks["pool"]
        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: stage.marks.get("pool", first) != first, 20, "a successor")
        assert not worker.alive()


def test_the_end_asks_all_and_kills_who_does_not_listen_within_the_grace() -> None:
    with _stage({"a": STAYS, "b": STUBBORN, "pool": POOL}, grace_seconds=0.5) as stage:
        stage.heard("a    | here")
        stage.heard("b    | here")
        wait_until(lambda: any("worker" in line for line in stage.lines()), 20, "the worker")
        before = time.monotonic()
        stage.supervisor.stop()
        wait_until(lambda: not any(mark.session() for mark in stage.seen), 10, "all ended")
        assert time.monotonic() - before < 5
    assert "b    | did not end in 0.5 s: killed" in stage.lines()
    assert not any("a    | did not" in line for line in stage.lines())


def test_a_program_that_is_not_there_is_told_and_tried_again() -> None:
    stage = Stage({}, 5)
    service = Service("gone", ["/nonexistent/program"])
    trying = Supervisor([service], PrefixedOutput(stage.text, ["gone"]), backoff=QUICK)
    thread = Thread(target=trying.run_until_stopped)
    thread.start()
    try:
        wait_until(lambda: stage.text.getvalue().count("starting again") >= 2, 20, "two tries")
    finally:
        trying.stop()
        thread.join(30)


def test_the_processes_end_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import sys\n"
        "from orchestrator.local.prefixed_output import PrefixedOutput\n"
        "from orchestrator.local.supervisor import Service, Supervisor\n"
        f"tell = lambda marks: open({str(note)!r}, 'w').write(str(marks['a'].pid))\n"
        f"service = Service('a', [sys.executable, '-c', {STAYS!r}])\n"
        "Supervisor([service], PrefixedOutput(sys.stdout, ['a']), on_change=tell).run()\n"
    )
    with _stage({"outer": code}) as stage:
        stage.heard("outer | a | here")
        inner = ProcessMark.of(int(note.read_text()))
        assert inner is not None
        os.kill(stage.marks["outer"].pid, signal.SIGKILL)
        wait_until(lambda: not inner.alive(), 10, "the inner process ended")
