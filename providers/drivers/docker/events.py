"""What an engine remembers: whether it was there when a program ended, and what killed it.

With live-restore an engine that dies leaves its programs alone. What one of them writes
after that is kept in a pipe for the next engine, but is lost when the program ends before
that one is there, and nothing tells: the exit code is right, the log ends in good order.

An engine keeps its last 256 events in memory. One that remembers an event from before it
was out of sight has lived through it. One that remembers the end of the container was there
for it, unless it brought it about while it came up. One that remembers few events, and
neither of these, was not. When it has forgotten by sheer number, nobody can tell.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from providers.drivers.docker.client import Engine

FULL = 200
"""An engine that remembers this many events may have forgotten some. (It keeps 256; an
answer holds a few less, for not all of them are of its containers.)"""

LATE = timedelta(seconds=3)
"""So long after an exit an engine may still tell that the kernel ended it for its memory."""
_SIGKILL = "9"


def saw_end(engine: Engine, container: str, lost_at: datetime) -> bool | None:
    """See providers.driver.Forgetful. Raises EngineError."""
    until = datetime.fromisoformat(engine.get("/info")["SystemTime"]).timestamp()
    told = engine.ask("/events", since="1", until=f"{until:.6f}")
    events = [json.loads(line) for line in told.splitlines()]
    if any(event["timeNano"] < lost_at.timestamp() * 1e9 for event in events):
        return True
    own = {event["Action"] for event in events if event.get("id") == container}
    if "die" in own and "kill" not in own:
        return True
    return None if len(events) >= FULL else False


def killed_for_memory(engine: Engine, container: str, finished_at: datetime) -> bool:
    """Whether a program that SIGKILL ended, and no flag explains, was killed at its limit.

    The container's flag says what the engine knew at the exit. Its shim tells of the kernel's
    kill in another message, on a busy machine up to a second later, and then only an event
    remembers it (seen on 20.10). So this waits until LATE after the end, unless a kill that
    somebody asked the engine for explains the end before.

    Raises EngineError, requests' errors, and ValueError for what is no JSON.
    """
    told = engine.lines(
        "/events",
        LATE.total_seconds(),
        since="1",
        until=f"{(finished_at + LATE).timestamp():.6f}",
        filters=json.dumps({"container": [container], "event": ["kill", "oom"]}),
    )
    for event in map(json.loads, told):
        if event.get("Action") == "oom":
            return True
        about = event.get("Actor", {}).get("Attributes") or {}
        if about.get("signal") == _SIGKILL:
            return False
    return False
