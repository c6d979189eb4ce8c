"""Reading what would keep a job from starting if it were submitted now, room or none: a limit on
submitting, its key, a pause, its project's limits, and what of these is kept for overdue jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.allowance import NO_LIMITS, NOTHING, Amounts, KeyUse, Share, beyond, refusal
from jobs.fit_check import Bar, Comes
from jobs.held import Held
from jobs.intake import not_admitted
from jobs.kept_free import Overdue
from jobs.key_turn import KeyTurn, OfKey, key_turn
from jobs.project_use import limits_of
from jobs.queue import in_use, keys_in_use
from jobs.reasons import reason_text
from jobs.sql import fetch
from projects.models import Project
from projects.shares import pause_words
from providers.fit import Need


def bar_of(demand: Mapping[str, Any], project: Project, overdue: Sequence[Overdue]) -> Bar | None:
    """What would keep a job with this demand (jobs/asks.py) from starting; None where nothing
    but room could. `overdue`: the one first that has waited longest."""
    if refused := not_admitted(project, 1):
        return Bar(Comes.REFUSED, str(refused))
    mine = [one for one in overdue if one.project == project.pk]
    key, turn, key_use = demand.get("key"), KeyTurn(), None
    if key is not None:
        others = _of_key(project.pk, key["name"])
        turn = key_turn(key, others)
        if turn.gives_way_to is not None:
            words = f"its key {key['name']} is taken, and it gives way to job {turn.gives_way_to}."
            return Bar(Comes.CANCELLED, words, jobs=(turn.gives_way_to,))
        key_use = _key_use(key, others, mine)
    share = _share(project, mine)
    more = Amounts(1, demand["cpu_millis"], demand["memory_mb"], demand["gpus"])
    found = refusal(share, key_use, more)
    if found is None:
        return None
    # Nobody is told to stop for the sake of a job that its project may never run.
    ever = beyond(project.slug, share.limits, NOTHING, more) is None
    stops = turn.stops if found.reason == "key_limit" and ever else ()
    return Bar(Comes.WAITS, reason_text(found.reason, found.detail), found, stops)


def _of_key(project: int, key: str) -> OfKey:
    live, stopping = keys_in_use([(project, key)]).get((project, key), ([], []))
    ((waiting, limit, newest_win),) = fetch("waiting_of_key", {"project": project, "key": key})
    return OfKey(live, stopping, waiting, limit, newest_win)


def _key_use(key: Mapping[str, Any], others: OfKey, mine: Sequence[Overdue]) -> KeyUse:
    """`mine`: the overdue jobs of its project."""
    for one in mine:
        if one.key is not None and one.key["name"] == key["name"]:
            return KeyUse(key["name"], key["limit"], len(others.live), one.job, one.key["limit"])
    return KeyUse(key["name"], key["limit"], len(others.live))


def _share(project: Project, mine: Sequence[Overdue]) -> Share:
    limits, paused = limits_of(project), pause_words(project)
    if limits == NO_LIMITS:
        return Share(project.slug, paused, limits, NOTHING)
    held = in_use().projects.get(project.pk, Held())
    used = Amounts(held.attempts, held.cpu_millis, held.memory_mb, held.gpus)
    for one in mine:
        if one.has_key:
            return Share(project.slug, paused, limits, used, one.job, _amounts(one.need))
    return Share(project.slug, paused, limits, used)


def _amounts(need: Need) -> Amounts:
    return Amounts(1, need.cpu_millis, need.memory_mb, need.gpus)
