"""What the page of the activity shows: the filter as it was asked for, and a page of lines."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from jobs.list_page import encoded
from orchestrator.activity_filter import PERIODS, TYPES, Asked, asked
from orchestrator.activity_words import lines
from projects.activity import ActivityFilter, Who, activity_page, news
from projects.actor import Actor
from projects.selectors import projects_of

PAGE_SIZE = 50
MOST_NEWS = 100
_CHIPS = ((Who.PEOPLE, "People"), (Who.GANTRY, "Gantry itself"), (Who.ALL, "Everything"))


def whole(actor: Actor, query: QueryDict) -> dict[str, Any]:
    """The page."""
    found = asked(actor, query)
    known = [value for value, _ in TYPES]
    return rows(actor, found, query) | {
        "slugs": list(projects_of(actor).values_list("slug", flat=True)[:50]),
        "types": [*TYPES, *((t, t) for t in [found.wanted.type] if t and t not in known)],
        "periods": PERIODS,
        "chips": [
            (word, encoded(found.as_query(who=who)), who is found.wanted.who)
            for who, word in _CHIPS
        ],
        "sees_instance": actor.may_operate,
    }


def rows(actor: Actor, found: Asked, query: QueryDict) -> dict[str, Any]:
    """One page of lines; `mark` holds it at a moment and counts what happened since."""
    base, cursor = found.as_query(), query.get("cursor") or None
    context: dict[str, Any] = {
        "asked": found,
        "topic": "jobs" if actor.is_superuser or actor.roles else "providers",
        "query": encoded(base, cursor),
        "first_query": encoded(base),
        "paged": cursor is not None,
    }
    if found.problems:
        return context | {"lines": []}
    mark = "" if cursor else query.get("mark", "")
    page = activity_page(
        actor, found.wanted, limit=PAGE_SIZE, cursor=cursor, mark=mark, filters=base
    )
    return context | {
        "lines": lines(actor, page.items),
        "mark": "" if cursor else page.mark,
        "news": news(actor, found.wanted, mark, most=MOST_NEWS) if mark else None,
        "next_query": encoded(base, page.next_cursor) if page.next_cursor else "",
        "searched_to": page.searched_to,
        "anything": bool(page.items) or _anything(actor),
        "all_query": encoded({"who": [Who.ALL]}),
    }


def _anything(actor: Actor) -> bool:
    """True when the actor sees any event at all."""
    everything = ActivityFilter(who=Who.ALL)
    return bool(activity_page(actor, everything, limit=1, filters={}).items)
