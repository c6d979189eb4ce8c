"""Whether an engine was restarted around the end of a program, and so may have ended it.

An engine that is told to stop ends its containers as it goes; one that was killed ends them
when it comes back; both look like a SIGTERM or SIGKILL of anybody's. What tells is when the
engine itself began: it makes its `bridge` network anew at each start that finds no container
alive, before which all those that it ended have ended.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse

from providers.driver import Observation
from providers.drivers.docker.client import Engine
from providers.drivers.docker.states import engine_time
from providers.drivers.docker.translate import EngineError

POWER_CUT = 255
"""What the engine says of a container that went without a word: the machine went down."""
_ANSWER_BYTES = 1 << 20


def with_engines_part(engine: Engine, container: str, seen: Observation) -> Observation:
    """The observation, with what the engine may have had to do with a failed end.

    An engine without a `bridge` network does not tell, nor one that refuses these calls.
    With live-restore a restart leaves programs alone, so that only the loss of the whole
    machine counts.

    Raises OSError: above all when the engine, about to stop, takes no new
    connections, while those that are open still tell of the ends it brings about.
    """
    if not seen.exit_code or seen.could_not_start or seen.finished_at is None:
        return seen
    began = _began(engine)
    if began is None or seen.finished_at > began:
        return seen
    try:
        if seen.exit_code != POWER_CUT and engine.get("/info").get("LiveRestoreEnabled"):
            return seen
        did = _ended_before(engine, container, began)
    except EngineError:
        return seen  # it refuses to tell; the program's own end is known all the same
    return replace(seen, engine_restarted=True, ended_by_engine=did)


def _ended_before(engine: Engine, container: str, began: datetime) -> bool:
    """Whether this engine told the container to end before it took any call."""
    told = json.dumps({"container": [container], "event": ["kill"]})
    until = f"{began.timestamp():.6f}"
    return bool(engine.ask("/events", since="0", until=until, filters=told).strip())


def _began(engine: Engine) -> datetime | None:
    """When the engine made its bridge, asked on a connection of its own."""
    connection = HTTPConnection("docker")
    connection.sock = engine.endpoint.dial(engine.options.query_seconds)
    try:
        connection.request("GET", engine.path("/networks/bridge"))
        response: HTTPResponse = connection.getresponse()
        content = response.read(_ANSWER_BYTES)
    except HTTPException as error:
        raise ConnectionError(f"the answer was cut: {error!r}") from error
    finally:
        connection.close()
    if response.status >= 400:
        return None  # without such a network, or behind a proxy that lets few calls through
    try:
        return engine_time(json.loads(content).get("Created"))
    except (ValueError, AttributeError):
        return None
