"""What the page of one provider shows: what runs there, what was there, what waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from jobs.consequences import answers_of
from jobs.left_overs import name_of
from jobs.measured import last_readings, measured_on
from jobs.models import Attempt
from jobs.stat_pages import Reading
from jobs.states import Phase
from jobs.use import NEAR, of
from jobs.waiting_classes import waiting_classes
from projects.actor import Actor
from projects.quantities import cores_text, memory_text
from providers.fit import Answer
from providers.load_chart import load_charts
from providers.models import Mode, Provider
from providers.outages import outages
from providers.readings import ProviderReading, readings
from providers.remedies import remedy
from providers.selectors import (
    driven_by,
    health_changes_of,
    latest_events_of_provider,
    left_over_count,
    provider_get,
)

MOST_RUNNING = 50
MOST_LATELY = 12
LOOKED_THROUGH = 300
"""The newest attempts of a provider among which those that a person may see are looked for."""
HEALTH_CHANGES = 40
MOST_OUTAGES = 5
_MIB = 2**20

_WORDS: Mapping[str, str] = {
    Phase.PLACED: "Placed",
    Phase.PULLING: "Pulling its image",
    Phase.CREATING: "Creating",
    Phase.STARTING: "Starting",
    Phase.RUNNING: "Running",
    Phase.FINISHING: "Finishing",
}
_ANSWERS: Mapping[Answer, tuple[str, str]] = {
    Answer.FITS: (
        "fits into what is free here now",
        "fit into what is free here now, each by itself",
    ),
    Answer.FULL: ("fits here and waits for room", "fit here and wait for room"),
    Answer.BESIDE: ("keeps apart from what runs here", "keep apart from what runs here"),
    Answer.DOWN: ("would fit, were it taking jobs", "would fit, were it taking jobs"),
    Answer.SMALL: ("is larger than all of it", "are larger than all of it"),
    Answer.UNSUITED: ("asks for another provider", "ask for another provider"),
    Answer.OFF: ("waits while it is switched off", "wait while it is switched off"),
}
_HELD_UP = (
    "fits into what is free here, and waits for something else: a limit, or its retry",
    "fit into what is free here, and wait for something else: a limit, or their retry",
)
_ANSWER_SHAPES: Mapping[Answer, str] = {
    Answer.FITS: "completed",
    Answer.FULL: "pending",
    Answer.BESIDE: "pending",
    Answer.DOWN: "warn",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What a program takes of its limit; `part` is none where it was not measured."""

    part: float | None
    whole: float
    text: str

    @property
    def near(self) -> bool:
        """True when it is about to meet its limit."""
        return self.part is not None and self.part >= NEAR * self.whole


@dataclass(frozen=True, slots=True)
class Running:
    """One attempt that is on the provider now."""

    attempt: Attempt
    word: str
    container: str
    cpu: Measure
    memory: Measure


def provider_page(actor: Actor, provider_id: int) -> dict[str, Any]:
    """Everything of the page, in a number of queries that no number of rows changes."""
    provider = provider_get(actor, provider_id)
    last = last_readings([provider.pk], timezone.now())
    (reading,) = readings([provider], measured_on(last))
    running = _running(actor, provider, {one.attempt: one.reading for one in last})
    lately = _lately(actor, provider)
    classes = waiting_classes()
    answers, held_up = answers_of(provider, reading.use, classes, reading.now)
    operates = actor.may_operate
    return {
        "reading": reading,
        "provider": provider,
        "running": running,
        "hidden": max(0, reading.use.running - len(running)),
        "lately": lately,
        "queue": list(_queue(answers, held_up)),
        "waiting": sum(answers.values()),
        "nothing_yet": _nothing_yet(reading, answers, held_up) if not (lately or running) else "",
        "charts": load_charts(provider),
        "outages": outages(health_changes_of(provider, limit=HEALTH_CHANGES))[:MOST_OUTAGES],
        "events": latest_events_of_provider(provider, limit=MOST_LATELY),
        "advice": _advice(reading) if operates else "",
        "lease": driven_by(provider) if operates else None,
        "left": left_over_count(provider.pk) if operates else 0,
        "may_operate": operates,
    }


def _running(actor: Actor, provider: Provider, measured: Mapping[int, Reading]) -> list[Running]:
    """What is there now, of the projects this actor may see, oldest first."""
    found = Attempt.objects.filter(provider=provider, ended_at=None)
    ids = actor.project_ids()
    if ids is not None:
        found = found.filter(job__project__in=sorted(ids))
    rows = found.select_related("job__project").defer("job__spec", "job__secrets")
    return [
        _row(attempt, measured.get(attempt.pk)) for attempt in rows.order_by("pk")[:MOST_RUNNING]
    ]


def _row(attempt: Attempt, reading: Reading | None) -> Running:
    cpu, memory = cores_text(attempt.cpu_millis), memory_text(attempt.memory_mb)
    if reading is None:
        return Running(
            attempt,
            _WORDS[attempt.phase],
            name_of(attempt.handle),
            Measure(None, attempt.cpu_millis, f"{cpu} reserved"),
            Measure(None, attempt.memory_mb, f"{memory} reserved"),
        )
    used = reading.memory_bytes / _MIB
    return Running(
        attempt,
        _WORDS[attempt.phase],
        name_of(attempt.handle),
        Measure(reading.cpu_millis, attempt.cpu_millis, of(cores_text(reading.cpu_millis), cpu)),
        Measure(used, attempt.memory_mb, of(memory_text(used), memory)),
    )


def _lately(actor: Actor, provider: Provider) -> list[Attempt]:
    """The newest attempts that were placed there, of the projects this actor may see."""
    newest = Attempt.objects.filter(provider=provider).order_by("-pk").values("pk")
    found = Attempt.objects.filter(pk__in=newest[:LOOKED_THROUGH])
    ids = actor.project_ids()
    if ids is not None:
        found = found.filter(job__project__in=sorted(ids))
    rows = found.select_related("job__project").defer("job__spec", "job__secrets")
    return list(rows.order_by("-pk")[:MOST_LATELY])


def _queue(answers: Mapping[Answer, int], held_up: int) -> Iterator[tuple[str, int, str]]:
    """What waits, by what this provider is to it: a shape, how many, and the words. Room is no
    promise to what waits for something else."""
    for answer, count in answers.items():
        free = count - held_up if answer is Answer.FITS else count
        if free:
            yield _ANSWER_SHAPES.get(answer, "cancelled"), free, _ANSWERS[answer][free != 1]
        if answer is Answer.FITS and held_up:
            yield "pending", held_up, _HELD_UP[held_up != 1]


def _nothing_yet(reading: ProviderReading, answers: Mapping[Answer, int], held_up: int) -> str:
    """Why nothing was placed there yet, the nearest cause first."""
    provider = reading.provider
    if provider.mode == Mode.INACTIVE:
        return "It is switched off: activate it, and it takes jobs."
    if provider.mode == Mode.DRAINING:
        return "It is draining and takes nothing new."
    if reading.stale:
        return "It does not answer; jobs come when it does."
    if not reading.takes:
        return f"It takes nothing now: {reading.why_not}."
    if answers.get(Answer.FITS, 0) > held_up:
        return "Jobs that fit are waiting; the first comes at the planner's next look."
    if not answers:
        return "No job waits. The next one that fits may come here."
    if held_up:
        return "Jobs that fit wait for something else than room: a limit, or their retry."
    return "Jobs wait, and none of them fits here."


def _advice(reading: ProviderReading) -> str:
    """What an operator may do about what is wrong, if anything is."""
    provider = reading.provider
    if reading.unwatched:
        return remedy("no engine process")
    if reading.shape in ("failed", "warn") and provider.last_error:
        return remedy(provider.last_error, options=provider.options)
    return remedy("disk") if reading.low_disk else ""
