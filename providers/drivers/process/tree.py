"""Finding and signalling all processes of a run."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from providers.drivers.process.identity import Stat, read_stat

COOKIE = "GANTRY_ATTEMPT_UID"
"""An environment variable that every process of a run inherits: the last way to find them,
when their keeper was killed and they have become strangers' children."""


def descendants(root: int) -> dict[int, Stat]:
    """All living processes below this one. Whole, as long as the root is their subreaper."""
    stats = _all()
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    found: dict[int, Stat] = {}
    waiting = list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        found[pid] = stats[pid]
        waiting += children.get(pid, ())
    return {pid: stat for pid, stat in found.items() if not stat.is_dead}


def with_cookie(uid: str) -> dict[int, Stat]:
    """All living processes that carry the cookie of this run, as far as we may look."""
    wanted = f"{COOKIE}={uid}".encode()
    found = {}
    for pid, stat in _all().items():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                carries = wanted in file.read().split(b"\0")
        except OSError:
            continue
        if carries and not stat.is_dead:
            found[pid] = stat
    return found


def send(processes: dict[int, Stat], number: int) -> None:
    """Signal exactly these processes: a pid that now means another one is left alone."""
    for pid, stat in processes.items():
        with suppress(OSError):  # it has just ended
            pidfd = os.pidfd_open(pid)
            try:
                # The descriptor pins the process; only then is its start time worth comparing.
                now = read_stat(pid)
                if now is not None and now.ticks == stat.ticks:
                    signal.pidfd_send_signal(pidfd, number)
            finally:
                os.close(pidfd)


def _all() -> dict[int, Stat]:
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {pid: stat for pid in pids if (stat := read_stat(pid)) is not None}
