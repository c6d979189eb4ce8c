"""What an engine remembers: whether it is the one that was there before.

An engine keeps its last 256 events in memory, and nothing else tells that it was restarted.
So an engine that remembers an event from before a moment has lived since then; one that
remembers few, none of them so old, has not. When it has forgotten by sheer number of
events, nobody can tell.
"""

from __future__ import annotations

import json
from datetime import datetime

from providers.drivers.docker.client import Engine

FULL = 200
"""An engine that remembers this many events may have forgotten some. (It keeps 256; an
answer holds a few less, for not all of them are of its containers.)"""


def restarted_since(engine: Engine, moment: datetime) -> bool | None:
    """See providers.driver.Forgetful. Something must have happened on the engine before
    that moment, such as the making of a container. Raises EngineError."""
    now = engine.get("/info")["SystemTime"]
    until = datetime.fromisoformat(now).timestamp()
    told = engine.ask("/events", since="1", until=f"{until:.6f}")
    stamps = [json.loads(line)["timeNano"] for line in told.splitlines()]
    if any(stamp < moment.timestamp() * 1e9 for stamp in stamps):
        return False
    return None if len(stamps) >= FULL else True
