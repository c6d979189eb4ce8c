"""Ends that a program makes by itself."""

from __future__ import annotations

from typing import Any

from tests.e2e.endings.case import Case, command, program

SMALL_MEMORY = {"resources": {"memory_mb": 16}}
FULL = "tail /dev/zero"
"""Takes memory without end: the last line of /dev/zero is never over. What goes on after its
child was killed so does for a while, since an engine may tell of the kill a second late."""


def _exits(code: int) -> Case:
    return Case(
        how=f"the program exits with {code}",
        spec=program(f"exit {code}"),
        reason="exit_code",
        exit_code=code,
        words=f"The program exited with code {code}.",
        starts=1,
        log_complete=True,
    )


def _signal_number(code: int, name: str, how: str, script: str) -> Case:
    return Case(
        how=how,
        spec=program(script),
        reason="signalled",
        exit_code=code,
        words=f"The program ended with code {code}, which means signal {code - 128} ({name}); "
        "Gantry sent none.",
        starts=1,
    )


def _dies(code: int, name: str) -> Case:
    short = name.removeprefix("SIG")
    how = f"the program is ended by {name} that it sends to itself"
    return _signal_number(code, name, how, f"kill -{short} $$; sleep 5")


def _cannot_start(how: str, spec: dict[str, Any], code: int | None, words: str) -> Case:
    return Case(
        how=how,
        spec=spec,
        reason="could_not_start",
        exit_code=code,
        words=f"The command could not be started: {words}",
    )


CASES = [
    Case(
        how="the program exits with 0",
        spec=program("echo done"),
        state="completed",
        reason="succeeded",
        exit_code=0,
        words="Finished with exit code 0.",
        starts=1,
        log_complete=True,
    ),
    *(_exits(code) for code in (1, 125, 126, 127, 128, 130, 255)),
    Case(
        how="the shell does not find a command of the script",
        spec=program("no-such-command"),
        reason="exit_code",
        exit_code=127,
        words="The program exited with code 127.",
    ),
    _signal_number(137, "SIGKILL", "the program exits with 137", "exit 137"),
    _signal_number(143, "SIGTERM", "the program exits with 143", "exit 143"),
    _dies(137, "SIGKILL"),
    _dies(143, "SIGTERM"),
    _dies(139, "SIGSEGV"),
    _dies(134, "SIGABRT"),
    _dies(135, "SIGBUS"),
    _dies(136, "SIGFPE"),
    _dies(132, "SIGILL"),
    _cannot_start(
        "the image has no such command",
        command("/bin/no-such-command"),
        127,
        "…/bin/no-such-command…No such file or directory",
    ),
    _cannot_start(
        "the command is not executable", command("/etc/passwd"), 126, "…/etc/passwd…denied"
    ),
    _cannot_start("the command is a folder", command("/etc"), 126, "…/etc…denied"),
    _cannot_start(
        "the image has no such user", command("true") | {"user": "nobody-here"}, None, "…user…"
    ),
    Case(
        how="the program takes more memory than its limit",
        spec=command(*FULL.split()) | SMALL_MEMORY,
        reason="oom_killed",
        exit_code=137,
        words="Out of memory: the program was killed at its limit of 16 MiB. Raise the memory.",
    ),
    Case(
        how="a child takes too much memory, and the program exits with the child's 137",
        spec=program(f"{FULL}; exit $?") | SMALL_MEMORY,
        reason="oom_killed",
        exit_code=137,
        words="Out of memory: the program was killed at its limit of 16 MiB. Raise the memory.",
    ),
    Case(
        how="a child takes too much memory, and the program exits with 1",
        spec=program(f"{FULL}; sleep 3; exit 1") | SMALL_MEMORY,
        reason="exit_code",
        exit_code=1,
        words="The program exited with code 1. A part of it was killed at its limit of 16 MiB "
        "of memory.",
    ),
    Case(
        how="a child takes too much memory, and the program goes on and exits with 0",
        spec=program(f"{FULL}; sleep 3; echo went on") | SMALL_MEMORY,
        state="completed",
        reason="succeeded",
        exit_code=0,
        words="Finished with exit code 0. A part of it was killed at its limit of 16 MiB of "
        "memory.",
    ),
    Case(
        how="it fails at each of its 3 tries",
        spec=program("exit 4") | {"retry": {"max_attempts": 3, "backoff_seconds": 1}},
        reason="exit_code",
        exit_code=4,
        words="The program exited with code 4.",
        attempts=3,
        charged=3,
    ),
]
