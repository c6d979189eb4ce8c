"""Deleting a container: the fence of a takeover when it is not forced."""

from __future__ import annotations

from threading import Event
from time import monotonic

from providers.driver import EngineFault, Observation, RunState, StillRunning
from providers.drivers.docker.client import Engine
from providers.drivers.docker.looking import look
from providers.drivers.docker.translate import EngineError

_LOOK_EVERY_SECONDS = 0.05


def remove_container(engine: Engine, container: str, *, force: bool) -> None:
    """Delete it with its anonymous volumes; gone is success.

    A 409 is either a running container (StillRunning, unless forced) or a removal that
    somebody else has begun; the state tells which, not the text. Raises EngineError.
    """
    deadline = monotonic() + engine.options.effect_seconds
    while True:
        try:
            engine.act("DELETE", f"/containers/{container}", v=1, force=int(force))
            return
        except EngineError as error:
            if error.status == 404:
                return
            if error.status != 409:
                raise
            reason = error.message
        seen = look(engine, container)
        if seen.state is RunState.RUNNING and not force:
            raise StillRunning(reason)
        if _gone_soon(engine, container, seen):
            return
        if monotonic() > deadline:
            raise EngineFault(f"the container is not removed yet: {reason}")


def _gone_soon(engine: Engine, container: str, seen: Observation) -> bool:
    """Wait one turn for a removal under way; true when the engine no longer knows it."""
    if seen.state is not RunState.GONE:
        Event().wait(_LOOK_EVERY_SECONDS)
        return False
    try:
        engine.get(f"/containers/{container}/json")
    except EngineError as error:
        if error.status == 404:
            return True
        raise
    Event().wait(_LOOK_EVERY_SECONDS)
    return False
