"""The list of providers as its address asks for it: narrowed, in an order, with the counts
that lead there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from jobs.measured import last_readings, measured_on
from projects.actor import Actor
from providers.readings import ProviderReading, readings, totals
from providers.selectors import providers_of

MANY = 8
"""From more than so many on there is something to narrow."""
MAX_TEXT = 200

_GROUPS: Mapping[str, tuple[str, str, Callable[[ProviderReading], bool]]] = {
    "": ("All", "", lambda one: True),
    "taking": ("Take new jobs", "completed", lambda one: one.takes),
    "look": ("Want a look", "warn", lambda one: one.wants_a_look),
    "off": ("Take nothing new", "held", lambda one: not one.takes),
}


def _free(word: str) -> Callable[[ProviderReading], float]:
    def free(one: ProviderReading) -> float:
        return max((c.total - c.given for c in one.capacities if c.word == word), default=-1.0)

    return free


_ORDERS: Mapping[str, Callable[[ProviderReading], float]] = {
    "cpu": _free("CPU"),
    "memory": _free("Memory"),
    "running": lambda one: one.use.running,
    "answered": lambda one: -(2.0 if one.strip.answered is None else one.strip.answered),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for; what it cannot mean is left out."""

    words: str = ""
    group: str = ""
    order: str = ""

    def query(self, **changes: str) -> str:
        """The query string that asks for this, with changes."""
        given = {"q": self.words, "show": self.group, "sort": self.order} | changes
        return urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Chip:
    """A group to narrow to, and how many are in it."""

    word: str
    shape: str
    count: int
    query: str
    current: bool


def asked(query: QueryDict) -> Asked:
    """Reads an address."""
    group, order = query.get("show", ""), query.get("sort", "")
    return Asked(
        query.get("q", "")[:MAX_TEXT].strip(),
        group if group in _GROUPS else "",
        order if order in _ORDERS else "",
    )


def provider_list(actor: Actor, wanted: Asked) -> dict[str, Any]:
    """The page: totals of all that the actor may see, the counts, and the rows asked for."""
    providers = list(providers_of(actor))
    measured = measured_on(last_readings([p.pk for p in providers], timezone.now()))
    found = readings(providers, measured)
    named = [one for one in found if _called(one, wanted.words)]
    rows = sorted(filter(_GROUPS[wanted.group][2], named), key=_by_name)
    if wanted.order:
        rows.sort(key=_ORDERS[wanted.order], reverse=True)
    return {
        "all": found,
        "rows": rows,
        "asked": wanted,
        "query": wanted.query(),
        "narrowing": len(found) > MANY or bool(wanted.words or wanted.group),
        "chips": _chips(named, wanted),
        "orders": {name: wanted.query(sort=name) for name in _ORDERS},
        "plain_query": wanted.query(sort=""),
        "totals": totals(found),
        "taking": sum(one.takes for one in found),
        "silent": sum(one.unreachable and not one.unwatched for one in found),
        "unwatched": sum(one.unwatched for one in found),
        "has_gpus": any(one.provider.total_gpus for one in found),
        "has_slots": any(one.provider.slots is not None for one in found),
        "may_operate": actor.may_operate,
        "nowhere": actor.belongs_nowhere,
    }


def _chips(named: Sequence[ProviderReading], wanted: Asked) -> list[Chip]:
    return [
        Chip(word, shape, sum(map(holds, named)), wanted.query(show=name), name == wanted.group)
        for name, (word, shape, holds) in _GROUPS.items()
    ]


def _by_name(one: ProviderReading) -> list[tuple[int, str]]:
    """As people count: node-2 before node-10."""
    parts = re.split(r"([0-9]+)", one.provider.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _called(one: ProviderReading, words: str) -> bool:
    """Whether every word is somewhere in its name, kind, version, labels or state."""
    provider = one.provider
    labels = " ".join(f"{key}={value}" for key, value in provider.labels.items())
    text = f"{provider.name} {one.kind} {provider.version} {labels} {one.word}".lower()
    return all(word in text for word in words.lower().split())
