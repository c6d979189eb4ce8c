"""What the home page shows: a context for each card, for the page and its live regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from jobs import hello
from jobs.attention import attention
from jobs.day import day_of
from jobs.filters import JobFilter
from jobs.first_job import first_job
from jobs.list_page import encoded
from jobs.query import Term
from jobs.running_now import live_counts, mine, running_now
from jobs.states import JobState
from jobs.whose import Whose
from projects.actor import Actor
from projects.models import Role
from projects.selectors import projects_of
from providers.readings import ProviderReading, loads, totals
from providers.selectors import providers_of
from providers.troubles import provider_troubles

MOST_PROVIDERS = 8
MOST_TROUBLES = 4
"""So many entries about providers, before the jobs' own."""


@dataclass(frozen=True, slots=True)
class Card:
    """One part of the page. `title`: what it is called where it cannot be shown."""

    name: str
    title: str
    template: str
    context: Callable[[Actor, Whose], Mapping[str, Any]]


def attention_card(actor: Actor, whose: Whose) -> dict[str, Any]:
    """The sentence of the page, and what wants attention: providers first, then jobs."""
    now = timezone.now()
    found = loads(list(providers_of(actor)))
    providers = provider_troubles(found)
    jobs = attention(actor, whose, now)
    return {
        "providers": providers[:MOST_TROUBLES],
        "troubles": jobs.shown,
        "more_providers": max(0, len(providers) - MOST_TROUBLES),
        "more_jobs": jobs.hidden,
        "count": len(providers) + jobs.pressing,
        "more_than": jobs.more_than,
        "as_of": now.isoformat(),
        "changeable": actor.project_ids(Role.SUBMITTER),
        "may_operate": actor.may_operate,
        "failed_query": _query(whose.terms(actor), *_states("failed")),
    } | _sentence(actor, whose, found)


def _sentence(actor: Actor, whose: Whose, found: Sequence[ProviderReading]) -> dict[str, Any]:
    """How much runs and waits, and what is left for more."""
    counts = live_counts(actor, whose)
    free = {one.word: one.free_text for one in totals(found)}
    return {
        "running": counts[JobState.RUNNING] + counts[JobState.SCHEDULED],
        "waiting": counts[JobState.PENDING],
        "running_query": _query(whose.terms(actor), *_states("scheduled", "running")),
        "waiting_query": _query(whose.terms(actor), *_states("pending")),
        "free_cpu": free.get("CPU", ""),
        "free_memory": free.get("Memory", ""),
        "sees_providers": bool(found),
    }


def day_card(actor: Actor, whose: Whose) -> dict[str, Any]:
    """The last 24 hours by state."""
    day = day_of(actor, whose, timezone.now())
    return {
        "day": day,
        "numbers": [(one, encoded(one.query.as_query())) for one in day.numbers],
        "hours": [(one, encoded(one.query.as_query())) for one in day.hours],
    }


def running_card(actor: Actor, whose: Whose) -> dict[str, Any]:
    """What is under way, the newest first."""
    now = timezone.now()
    counts = live_counts(actor, whose)
    return {
        "rows": running_now(actor, whose, now),
        "running": counts[JobState.RUNNING] + counts[JobState.SCHEDULED],
        "waiting": counts[JobState.PENDING],
        "query": _query(whose.terms(actor), *_states("scheduled", "running")),
    }


def mine_card(actor: Actor, whose: Whose) -> dict[str, Any]:
    """The person's own jobs, whatever else is chosen."""
    now = timezone.now()
    return {
        "rows": [(one, one.runs.bars(now)) for one in mine(actor)],
        "query": _query(Whose.MINE.terms(actor)),
        "may_submit": actor.project_ids(Role.SUBMITTER) != frozenset(),
    }


def capacity_card(actor: Actor, whose: Whose) -> dict[str, Any]:
    """What the providers have given out: of a few all, of many the fullest and the sum."""
    found = loads(list(providers_of(actor)))
    many = len(found) > MOST_PROVIDERS
    shown = sorted(found, key=_emptiness)[: MOST_PROVIDERS - 1] if many else found
    return {
        "readings": sorted(shown, key=lambda one: one.provider.name),
        "count": len(found),
        "totals": totals(found) if many else [],
        "may_operate": actor.may_operate,
    }


def start_card(actor: Actor, whose: Whose) -> dict[str, Any]:
    """The three steps to the first job's log."""
    found = loads(list(providers_of(actor)[:3]))
    ready = any(one.shape == "completed" for one in found)
    first = first_job(actor)
    began = first is not None and (first.began or first.ended)
    read = first is not None and first.ended and bool(first.text)
    return {
        "readings": found,
        "ready": ready,
        "first": first,
        "done": sum((ready, began, read)),
        "may_operate": actor.may_operate,
        "may_submit": projects_of(actor, Role.SUBMITTER).exists(),
        "hello_image": hello.IMAGE,
    }


ATTENTION = Card("attention", "Attention", "orchestrator/home/_attention.html", attention_card)
CARDS = (
    ATTENTION,
    Card("day", "Last 24 hours", "orchestrator/home/_day.html", day_card),
    Card("running", "Running now", "orchestrator/home/_running.html", running_card),
    Card("capacity", "Capacity", "orchestrator/home/_capacity.html", capacity_card),
    Card("mine", "My jobs", "orchestrator/home/_mine.html", mine_card),
)
START = Card("start", "Your first job", "orchestrator/home/_start.html", start_card)
BY_NAME = {card.name: card for card in (*CARDS, START)}


def _emptiness(reading: ProviderReading) -> tuple[bool, float, str]:
    """The fullest first; those whose numbers are old last."""
    shares = [one.given / one.total for one in reading.capacities if one.word != "Disk"]
    return reading.stale, -max(shares, default=0.0), reading.provider.name


def _states(*states: str) -> tuple[Term, ...]:
    return tuple(Term("state", state) for state in states)


def _query(also: tuple[Term, ...], *terms: Term) -> str:
    """The query string of the list that these words name."""
    return encoded(JobFilter((*terms, *also)).as_query())
