"""Looking at one container."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from providers.driver import Observation, RunState
from providers.drivers.docker.client import Engine
from providers.drivers.docker.events import killed_for_memory
from providers.drivers.docker.frames import FrameParser, NotALog
from providers.drivers.docker.states import (
    GONE,
    INIT_FAILED_CODES,
    init_failure,
    observation,
)
from providers.drivers.docker.translate import EngineError

# tini repeats the program's name, which may be as long as a path.
_INIT_OUTPUT_BYTES = 8 * 1024
_KILLED = 137


def look(engine: Engine, container: str) -> Observation:
    """The state of a container now, GONE when there is none. Raises EngineError.

    With docker-init in front a missing program is an ordinary exit with 126 or 127, which
    a program may also return itself: then the output tells, in a second call. What was
    killed and is not known to have been short of memory is asked for too.
    """
    try:
        found = engine.get(f"/containers/{container}/json")
        seen = observation(found["State"])
        if seen.exit_code in INIT_FAILED_CODES and found["HostConfig"].get("Init"):
            why = init_failure(_first_output(engine, container))
            if why:
                return replace(seen, could_not_start=True, error=why)
        if seen.exit_code == _KILLED and found["HostConfig"].get("Memory"):
            lacked = seen.oom_killed or _lacked_memory(engine, container, seen.finished_at)
            return replace(seen, oom_killed=lacked)
        return seen
    except EngineError as error:
        if error.status == 404:
            return GONE
        raise


def _lacked_memory(engine: Engine, container: str, finished_at: datetime | None) -> bool:
    try:
        return finished_at is not None and killed_for_memory(engine, container, finished_at)
    except (EngineError, OSError, ValueError):
        return False  # it does not tell; the program's own end is known all the same


def is_running(engine: Engine, container: str) -> bool:
    """Whether it runs now, without a second call for its output. Raises EngineError."""
    try:
        found = engine.get(f"/containers/{container}/json")
    except EngineError as error:
        if error.status == 404:
            return False
        raise
    return observation(found["State"]).state is RunState.RUNNING


def _first_output(engine: Engine, container: str) -> list[tuple[int, bytes]]:
    """The first frames of the log, at most 8 KiB of them; none where it cannot be read."""
    query = {"stdout": 1, "stderr": 1}
    path = f"/containers/{container}/logs"
    seconds = engine.options.query_seconds
    try:
        with engine.send("GET", path, query, seconds=seconds, stream=True) as response:
            head = response.raw.read(_INIT_OUTPUT_BYTES)
        return FrameParser().feed(head)
    except (EngineError, NotALog):
        return []  # a log driver that keeps nothing, or a container that is being removed
