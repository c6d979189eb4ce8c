"""The engine's account of a container → Observation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from providers.driver import Observation, RunState

GONE = Observation(RunState.GONE)

# What docker-init (tini) prints when it cannot execute the program; it then exits 126 or 127.
_INIT_FAILED = re.compile(rb"\[FATAL tini \(\d+\)\] exec .* failed: [^\n]+\n", re.DOTALL)
INIT_FAILED_CODES = (126, 127)
_STDERR = 2

_STATES = {
    "created": RunState.CREATED,
    "running": RunState.RUNNING,
    "paused": RunState.RUNNING,
    "restarting": RunState.RUNNING,
    "exited": RunState.EXITED,
    "dead": RunState.EXITED,  # a removal failed half-way: what is left is ours to remove
    "removing": RunState.GONE,
}


def run_state(status: str) -> RunState:
    """The state behind the engine's word. Raises ValueError for a word it never had."""
    try:
        return _STATES[status]
    except KeyError:
        raise ValueError(f"unknown container status {status!r}") from None


def observation(state: Mapping[str, Any]) -> Observation:
    """What the `State` of an inspect says.

    A refused start leaves the container `created` with an error and a non-zero code: 126
    or 127 for the program (the API answered 400), 128 for the rest, such as an unknown
    user (500). The program never ran; `error` says why.

    A `dead` one was removed, wholly (an inspect that came upon it in the removal's last
    moment) or half-way: its code is that of the removal's kill, not the program's own.
    """
    status = state["Status"]
    where = run_state(status)
    if where is RunState.GONE or status == "dead":
        return GONE
    error = state.get("Error") or ""
    exited = where is RunState.EXITED
    return Observation(
        state=where,
        exit_code=state["ExitCode"] if exited else None,
        oom_killed=exited and bool(state.get("OOMKilled")),
        could_not_start=where is RunState.CREATED and bool(error and state["ExitCode"]),
        error=error,
        started_at=engine_time(state.get("StartedAt")),
        finished_at=_finished(state) if exited else None,
    )


def init_failure(output: Sequence[tuple[int, bytes]]) -> str:
    """tini's complaint, if these frames are that and nothing else, otherwise empty."""
    if len(output) != 1 or output[0][0] != _STDERR:
        return ""
    line = output[0][1]
    if _INIT_FAILED.fullmatch(line) is None:
        return ""
    return line.decode(errors="replace").partition("] ")[2].strip()


def engine_time(text: str | None) -> datetime | None:
    """The engine's RFC 3339 stamp, to the microsecond; None for Go's zero time."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text)


def _finished(state: Mapping[str, Any]) -> datetime | None:
    """When it ended, never before it began: the engine stamps the start of a program that
    ends at once a little late."""
    started = engine_time(state.get("StartedAt"))
    finished = engine_time(state.get("FinishedAt"))
    return max(started, finished) if started and finished else finished
