"""What the home page shows: a context for each card, for the page and its live regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone

from jobs import hello
from jobs.attention import attention, projects_in_trouble
from jobs.day import day_of
from jobs.filters import JobFilter
from jobs.first_job import first_job
from jobs.list_page import encoded
from jobs.query import Term
from jobs.running_now import live_counts, mine, running_now
from jobs.seen import Marks, marks_of
from jobs.states import JobState
from jobs.whose import Whose
from projects.actor import Actor
from projects.live_marks import list_mark
from projects.models import Role
from projects.selectors import projects_of
from projects.shared_rendering import anybody
from providers.readings import ProviderReading, loads, totals
from providers.selectors import provider_list
from providers.troubles import provider_troubles

MOST_PROVIDERS = 8
MOST_TROUBLES = 4
"""So many entries about providers, and as many about projects, before the jobs' own."""


class Look:
    """One look at the page: what more than one card tells of is read once."""

    def __init__(self, actor: Actor, whose: Whose) -> None:
        self.actor = actor
        self.whose = whose
        self.now = timezone.now()

    @cached_property
    def nobodys(self) -> Look:
        """The same look by somebody who has the same rights: it can tell of no person, and reads
        for both what takes rights alone."""
        nobody = anybody(self.actor)
        return self if nobody == self.actor else Look(nobody, self.whose)

    @cached_property
    def providers(self) -> list[ProviderReading]:
        """All providers that the person may see, with what they have given out."""
        if self.nobodys is not self:
            return self.nobodys.providers
        return loads(provider_list(self.actor))

    @cached_property
    def counts(self) -> Mapping[JobState, int]:
        """How many jobs wait and run."""
        if self.nobodys is not self and self.whose is Whose.ALL:
            return self.nobodys.counts
        return live_counts(self.actor, self.whose)

    @cached_property
    def marks(self) -> Marks:
        """What the person has seen of what went wrong."""
        return marks_of(self.actor, self.now)

    @property
    def running(self) -> int:
        """How many are on a provider."""
        return self.counts[JobState.RUNNING] + self.counts[JobState.SCHEDULED]

    def query(self, *states: str) -> str:
        """The query string of the list of jobs in these states."""
        terms = (Term("state", state) for state in states)
        return encoded(JobFilter((*terms, *self.whose.terms(self.actor))).as_query())


@dataclass(frozen=True, slots=True)
class Card:
    """One part of the page. `title`: what it is called where it cannot be shown. It changes
    with its `topics` (projects/live_marks.py), and with what `also` tells; without topics it is
    another each time. `personal`: it tells of the person also where all jobs are looked at."""

    name: str
    title: str
    template: str
    context: Callable[[Look], Mapping[str, Any]]
    topics: tuple[str, ...] = ("jobs",)
    also: Callable[[Look], str] = lambda look: ""
    personal: bool = True

    def mark(self, look: Look) -> str | None:
        """What it was made of."""
        if not self.topics:
            return None
        return list_mark(look.actor, *self.topics, also=self.also(look))


def attention_card(look: Look) -> dict[str, Any]:
    """The sentence of the page, and what wants attention: providers, then projects, then
    jobs."""
    providers = provider_troubles(look.providers)
    projects = projects_in_trouble(look.actor, look.marks)
    jobs = attention(look.actor, look.whose, look.marks, look.now)
    return {
        "providers": providers[:MOST_TROUBLES],
        "projects": projects[:MOST_TROUBLES],
        "troubles": jobs.shown,
        "more_providers": max(0, len(providers) - MOST_TROUBLES),
        "more_projects": max(0, len(projects) - MOST_TROUBLES),
        "more_jobs": jobs.hidden,
        "count": len(providers) + sum(not one.late for one in projects) + jobs.pressing,
        "markable": bool(jobs.shown) or any(one.kind == "paused" for one in projects),
        "more_than": jobs.more_than,
        "as_of": look.now.isoformat(),
        "changeable": look.actor.project_ids(Role.SUBMITTER),
        "may_operate": look.actor.may_operate,
        "failed_query": look.query("failed"),
    } | _sentence(look)


def _sentence(look: Look) -> dict[str, Any]:
    """How much runs and waits, and what is left for more."""
    free = {one.word: one.free_text for one in totals(look.providers)}
    return {
        "running": look.running,
        "waiting": look.counts[JobState.PENDING],
        "running_query": look.query("scheduled", "running"),
        "waiting_query": look.query("pending"),
        "free_cpu": free.get("CPU", ""),
        "free_memory": free.get("Memory", ""),
        "sees_providers": bool(look.providers),
    }


def day_card(look: Look) -> dict[str, Any]:
    """The last 24 hours by state."""
    day = day_of(look.actor, look.whose, look.now)
    return {
        "day": day,
        "numbers": [(one, encoded(one.query.as_query())) for one in day.numbers],
        "hours": [(one, encoded(one.query.as_query())) for one in day.hours],
    }


def running_card(look: Look) -> dict[str, Any]:
    """What is under way, the newest first."""
    return {
        "rows": running_now(look.actor, look.whose, look.now),
        "running": look.running,
        "waiting": look.counts[JobState.PENDING],
        "query": look.query("scheduled", "running"),
    }


def mine_card(look: Look) -> dict[str, Any]:
    """The person's own jobs, whatever else is chosen."""
    return {
        "rows": [(one, one.runs.bars(look.now)) for one in mine(look.actor)],
        "query": encoded(JobFilter(Whose.MINE.terms(look.actor)).as_query()),
        "may_submit": look.actor.project_ids(Role.SUBMITTER) != frozenset(),
    }


def capacity_card(look: Look) -> dict[str, Any]:
    """What the providers have given out: of a few all, of many the fullest and the sum."""
    found = look.providers
    many = len(found) > MOST_PROVIDERS
    shown = sorted(found, key=_emptiness)[: MOST_PROVIDERS - 1] if many else found
    return {
        "readings": sorted(shown, key=lambda one: one.provider.name),
        "count": len(found),
        "totals": totals(found) if many else [],
        "may_operate": look.actor.may_operate,
    }


def start_card(look: Look) -> dict[str, Any]:
    """The three steps to the first job's log."""
    actor = look.actor
    ready = any(one.shape == "completed" for one in look.providers)
    first = first_job(actor)
    began = first is not None and (first.began or first.ended)
    read = first is not None and first.ended and bool(first.text)
    return {
        "readings": look.providers[:3],
        "ready": ready,
        "first": first,
        "done": sum((ready, began, read)),
        "may_operate": actor.may_operate,
        "nowhere": actor.belongs_nowhere,
        "may_submit": projects_of(actor, Role.SUBMITTER).exists(),
        "hello_image": hello.IMAGE,
    }


ATTENTION = Card(
    "attention",
    "Attention",
    "orchestrator/home/_attention.html",
    attention_card,
    ("jobs", "providers"),
    lambda look: look.marks.text,
)
CARDS = (
    ATTENTION,
    Card("day", "Last 24 hours", "orchestrator/home/_day.html", day_card, personal=False),
    Card("running", "Running now", "orchestrator/home/_running.html", running_card, personal=False),
    Card(
        "capacity",
        "Capacity",
        "orchestrator/home/_capacity.html",
        capacity_card,
        ("jobs", "providers"),
        personal=False,
    ),
    Card("mine", "My jobs", "orchestrator/home/_mine.html", mine_card),
)
START = Card("start", "Your first job", "orchestrator/home/_start.html", start_card, ())
BY_NAME = {card.name: card for card in (*CARDS, START)}


def _emptiness(reading: ProviderReading) -> tuple[bool, float, str]:
    """The fullest first; those whose numbers are old last."""
    shares = [one.given / one.total for one in reading.capacities if one.word != "Disk"]
    return reading.stale, -max(shares, default=0.0), reading.provider.name
