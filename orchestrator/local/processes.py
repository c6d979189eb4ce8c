"""Knowing a process again, and ending all that it started.

A process number alone proves nothing after a crash or a reboot: it may belong to a
stranger by now. A number with the kernel's start time and boot id does.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PROC = Path("/proc")
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessMark:
    """One process of one boot, for good."""

    pid: int
    started: int
    """The kernel's start time: clock ticks since the boot."""
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The mark of a process that lives now; None when there is none (or only a corpse)."""
        fields = _stat(pid)
        return None if fields is None or fields.corpse else cls(pid, fields.started, _boot_id())

    @classmethod
    def of_child(cls, pid: int) -> Self:
        """The mark of a child that nobody waited for yet, so that it is known even if dead."""
        fields = _stat(pid)
        if fields is None:
            raise ProcessLookupError(f"process {pid} is not a child that is waited for")
        return cls(pid, fields.started, _boot_id())

    def alive(self) -> bool:
        """Whether it is still this very process."""
        return ProcessMark.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still lives."""
        if self.alive():
            _kill(self.pid, number)

    def session(self) -> list[int]:
        """Who lives in the session that this process leads, also when it died itself.

        Empty after a reboot, or when the number was given to somebody else since.
        """
        if self.boot != _boot_id():
            return []
        successor = _stat(self.pid)
        if successor is not None and successor.started != self.started:
            return []
        found = ((pid, _stat(pid)) for pid in _pids())
        return [
            pid
            for pid, fields in found
            if fields is not None and fields.session == self.pid and not fields.corpse
        ]


def end_sessions(leaders: list[ProcessMark], grace_seconds: float) -> list[ProcessMark]:
    """Ask the leaders to end; after the grace kill all that is left in their sessions.

    Only a leader is asked: the workers of a process pool are its own to end, and would be
    replaced if somebody else ended them. Returns the leaders that had to be killed.
    """
    for leader in leaders:
        leader.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(leader.alive() for leader in leaders):
        time.sleep(PAUSE_SECONDS)
    stubborn = [leader for leader in leaders if leader.alive()]
    for leader in leaders:
        kill_session(leader)
    return stubborn


def kill_session(leader: ProcessMark, deadline_seconds: float = 5) -> None:
    """Kill what lives in the session, again until nothing new appears."""
    deadline = time.monotonic() + deadline_seconds
    while (left := leader.session()) and time.monotonic() < deadline:
        for pid in left:
            _kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)


@dataclass(frozen=True)
class _Stat:
    corpse: bool
    session: int
    started: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses.
    fields = text.rpartition(")")[2].split()
    return _Stat(corpse=fields[0] in "ZX", session=int(fields[3]), started=int(fields[19]))


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
