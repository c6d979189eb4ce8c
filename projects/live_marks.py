"""What a live region was made of, as a short text: while it stays the same, so does the region.

A mark names the revisions of what the region shows, its viewer's rights, and a beat of some
seconds, because pages also tell how long things take. Of one thing the revision is its row's.
Lists have none in the database; theirs is how many changes this process has heard of, and there
is no mark while it hears of none. Take a mark before reading what it is of: then what is read may
be newer than the mark, never older. A change that is not heard of is shown a beat later.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from projects.actor import Actor
from projects.hub import Hub, Key, hub

BEAT = 10
"""Seconds for which what has no signal may be shown as it was."""

clock: Callable[[], float] = time.time


def viewer_scope(actor: Actor) -> str:
    """A text that differs where two viewers may see different things."""
    roles = ",".join(f"{project}{role}" for project, role in sorted(actor.roles.items()))
    return f"{actor.id}.{int(actor.is_superuser)}{int(actor.is_staff)}.{roles}"


def thing_mark(actor: Actor, *parts: object, beat: int = 0) -> str:
    """The mark of what these parts name, its revision among them; with a `beat` it also ends
    with time."""
    now = int(clock() // beat) if beat else ""
    return ".".join(str(part) for part in (*parts, viewer_scope(actor), now))


def list_mark(
    actor: Actor, *topics: str, beat: int = BEAT, also: object = "", source: Hub = hub
) -> str | None:
    """The mark of what shows lists (`jobs`, `providers`) or a provider (`provider:3`), and of
    what `also` names; None: it cannot be known whether they changed."""
    keys = [key for topic in topics for key in topic_keys(actor, topic)]
    revision = source.revision(keys)
    return thing_mark(actor, revision, also, beat=beat) if revision is not None else None


def topic_keys(actor: Actor, topic: str) -> tuple[Key, ...]:
    """What the hub calls a topic, as far as it is this viewer's."""
    kind, _, number = topic.partition(":")
    if number:
        return ((kind, int(number)),)
    projects = actor.project_ids() if kind == "jobs" else None
    if projects is None:
        return ((kind, None),)
    return tuple((kind, project) for project in sorted(projects))
