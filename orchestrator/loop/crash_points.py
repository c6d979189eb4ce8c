"""Named moments at which this process can be told to die, to try what recovery makes of it.

`GANTRY_CRASH_AT=after_create` ends the process by SIGKILL when it first comes there,
`after_create:3` the third time; `after_create:3:stop` stops it there by SIGSTOP, as a
machine that is suspended would, to go on when it was long overtaken. Unset, a point costs
one comparison. A test compares `POINTS` with the calls in the code.
"""

from __future__ import annotations

import signal
import threading

from django.core.exceptions import ImproperlyConfigured

from orchestrator import env

POINTS: dict[str, str] = {
    # the scheduler and the leases
    "before_plan": "a plan is made and not committed",
    "after_plan": "placements are committed, no host was told",
    "before_acquire": "about to take leases",
    "after_acquire": "leases are taken, no host was made",
    "before_renew": "about to renew leases",
    "after_renew": "leases are renewed",
    "before_adopt": "a provider's host is made, its live attempts were not read",
    # one attempt, in its order
    "taken_up": "a thread has the attempt in hand",
    "before_pull": "about to ask for the image",
    "after_pull": "the image is there",
    "before_creating": "about to commit `creating`",
    "after_creating": "`creating` is committed",
    "after_create": "the container is made, its handle is not stored",
    "after_starting": "`starting` is committed with the handle",
    "after_start": "the program was started, nobody was told",
    "running_told": "`running` is on its way to the store",
    "output_read": "output was read, none of it is stored",
    "exit_seen": "the program's end is known here",
    "before_drain": "about to read the rest of its log",
    "after_drain": "its log is whole, its end is not committed",
    "after_ended": "its end is committed, its container is there",
    "before_remove": "about to remove the container",
    "after_remove": "the container is removed, which is not noted",
    # one attempt, at a takeover
    "adopting": "what the engine has of another's attempt is known",
    "before_fence": "about to remove what was made and not started",
    "after_fence": "it is removed, its attempt has not ended",
    # a cancel or a time limit
    "stop_asked": "a stop is wanted",
    "before_stop": "about to stop the program",
    "after_stop": "the program was stopped",
    # every group of writes
    "before_moves": "a group of moves is about to be committed",
    "after_moves": "a group of moves is committed, nobody was answered",
    "before_logs": "a group of log chunks is about to be committed",
    "after_logs": "a group of log chunks is committed, nobody was answered",
}


class CrashPoint:
    """The one point that this process dies or stops at, and after how many passes."""

    def __init__(self, words: str) -> None:
        """`words`: `name[:n][:stop]`. Raises ImproperlyConfigured for any other."""
        name, *more = words.split(":")
        self.name = name
        self.signal = signal.SIGKILL
        if more and more[-1] == "stop":
            self.signal = signal.SIGSTOP
            more.pop()
        passes = more.pop() if more else "1"
        if name not in POINTS or more or not passes.isdecimal() or int(passes) < 1:
            raise ImproperlyConfigured(
                f"GANTRY_CRASH_AT={words!r} is no name[:n][:stop]; names: {', '.join(POINTS)}"
            )
        self._left = int(passes)
        self._guard = threading.Lock()

    def passed(self) -> bool:
        """Count one pass; True when it is the one."""
        with self._guard:
            self._left -= 1
            return self._left == 0


_words = env.text("GANTRY_CRASH_AT")
_armed = CrashPoint(_words) if _words else None


def crash_point(name: str) -> None:
    """Die or stop here if this process was told to."""
    if _armed is not None and _armed.name == name and _armed.passed():
        # To this very thread: of a signal to the process, another one may be the first to
        # stop, and this one would still do what comes next.
        signal.pthread_kill(threading.get_ident(), _armed.signal)
