"""Reading what a job meets now: providers with what is in use, and what its project's limits and
its concurrency key forbid. Of a job that waits, and of one that was not submitted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from jobs.allowance import NO_LIMITS, Amounts, Refusal, beyond, key_full, paused
from jobs.asks import ask
from jobs.fit_check import Bar, Comes, Standing
from jobs.held import Held
from jobs.intake import not_admitted
from jobs.kept_free import Overdue, kept_free
from jobs.key_turn import KeyTurn, OfKey, key_turn
from jobs.models import Attempt, Job
from jobs.orders import requirements
from jobs.project_use import limits_of
from jobs.queue import Pair, in_use, keys_in_use, live_labelled
from jobs.reasons import reason_text
from jobs.sql import fetch
from jobs.states import LIVE_PHASES
from jobs.way_out import MOST_LIVE, Live
from jobs.why_waiting import Beside
from projects.models import Project
from projects.quantities import listed
from projects.shares import pause_words
from providers.fit import Answer, Fit, Need
from providers.models import Provider, ProviderImage
from providers.selectors import ProviderUse, provider_use

MOST_OVERDUE = 200
"""For so many jobs that have waited too long at most is it looked what is kept free."""
MOST_FULL = 8
"""So many providers that are too full are looked at for a way out, the nearest to a yes."""


@dataclass(frozen=True, slots=True)
class Unsubmitted:
    """A job that is not there, as far as the planner would go by it."""

    spec: Mapping[str, Any]
    image: str
    labels: Mapping[str, Any]
    cpu_millis: int
    memory_mb: int
    gpus: int


def demand_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The demand of a spec with all its defaults (jobs/asks.py)."""
    amounts = spec["resources"]
    job = Unsubmitted(
        spec=spec,
        image=str(spec.get("image") or ""),
        labels=spec.get("labels") or {},
        cpu_millis=round(amounts["cpu_cores"] * 1000),
        memory_mb=amounts["memory_mb"],
        gpus=amounts["gpus"],
    )
    found: dict[str, Any] = json.loads(ask(job, 0, 0).demand)
    return found


def need_of_demand(demand: Mapping[str, Any]) -> Need:
    """The same as what a provider is asked."""
    return Need(
        demand["cpu_millis"],
        demand["memory_mb"],
        demand["gpus"],
        demand["provider"],
        requirements(demand["requires"]),
        tuple((label, value) for label, value in demand["apart"]),
    )


def standing_of(
    demand: Mapping[str, Any], project: Project | None, providers: Sequence[Provider]
) -> Standing:
    """What a job with this demand would meet now; without a project no limit is told."""
    used, now = provider_use([provider.pk for provider in providers]), timezone.now()
    overdue = overdue_jobs()
    own = [(project.pk, *pair) for pair in demand["apart"]] if project is not None else []
    there = live_labelled([*own, *_apart_of(overdue)])
    return Standing(
        providers=providers,
        used=used,
        now=now,
        with_image=frozenset(
            ProviderImage.objects.filter(image=demand.get("image", "")).values_list(
                "provider", flat=True
            )
        ),
        beside=_of_project(there, project.pk) if project is not None else {},
        kept=kept_free(overdue, providers, used, now, there),
        bar=bar_of(demand, project) if project is not None else None,
    )


def bar_of(demand: Mapping[str, Any], project: Project) -> Bar | None:
    """What would keep such a job from starting if it were submitted now, room or none."""
    if refused := not_admitted(project, 1):
        return Bar(Comes.REFUSED, str(refused))
    key, others, turn = demand.get("key"), OfKey(), KeyTurn()
    if key is not None:
        others = of_key(project.pk, key["name"])
        turn = key_turn(key, others)
        if turn.gives_way_to is not None:
            words = f"its key {key['name']} is taken, and it gives way to job {turn.gives_way_to}."
            return Bar(Comes.CANCELLED, words, jobs=(turn.gives_way_to,))
    refusal = refused_by(demand, project, len(others.live))
    if refusal is None:
        return None
    if key is not None and refusal.reason == "key_limit" and turn.stops:
        told = listed([f"job {job}" for job in turn.stops])
        words = f"for {told} to end, which it tells to stop: they have its key {key['name']}."
        return Bar(Comes.WAITS, words, jobs=turn.stops)
    return Bar(Comes.WAITS, reason_text(refusal.reason, refusal.detail), refusal)


def of_key(project: int, key: str) -> OfKey:
    """The jobs with a concurrency key."""
    live, stopping = keys_in_use([(project, key)]).get((project, key), ([], []))
    ((waiting, limit, newest_win),) = fetch("waiting_of_key", {"project": project, "key": key})
    return OfKey(live, stopping, waiting, limit, newest_win)


def overdue_jobs() -> list[Overdue]:
    """For whom providers are kept free, the one first that has waited longest."""
    return [
        Overdue(job, waiting, project, need_of_demand(json.loads(demand)))
        for job, waiting, project, demand in fetch("overdue", {"most": MOST_OVERDUE})
    ]


def kept_from(
    job: Job, providers: Sequence[Provider], used: Mapping[int, ProviderUse], now: datetime
) -> set[int]:
    """The providers that are kept free for others than this job and its like."""
    overdue = overdue_jobs()
    there = live_labelled(_apart_of(overdue))
    own = {one.job for one in overdue if one.waiting == job.queue_class_id}
    kept = kept_free(overdue, providers, used, now, there)
    return {provider for provider, ahead in kept.items() if ahead not in own}


def beside(project: int, apart: Sequence[tuple[str, str]]) -> Beside:
    """The jobs of a project from which one keeps apart that has these labels with these values."""
    return _of_project(live_labelled([(project, *pair) for pair in apart]), project)


def _apart_of(overdue: Sequence[Overdue]) -> list[Pair]:
    return [(one.project, *pair) for one in overdue for pair in one.need.apart]


def _of_project(there: Mapping[int, Mapping[Pair, Sequence[int]]], project: int) -> Beside:
    return {
        provider: {pair[1:]: jobs for pair, jobs in found.items() if pair[0] == project}
        for provider, found in there.items()
    }


def refused_by(demand: Mapping[str, Any], project: Project, live_of_key: int) -> Refusal | None:
    """What forbids such a job to start now, whatever room there is; as the planner sees it.
    `live_of_key`: how many jobs with its key are placed or run."""
    if project.paused_at is not None:
        return paused(project.slug, pause_words(project))
    key = demand.get("key")
    if key and (refusal := key_full(key["name"], key["limit"], live_of_key)):
        return refusal
    limits = limits_of(project)
    if limits == NO_LIMITS:
        return None
    held = in_use().projects.get(project.pk, Held())
    used = Amounts(held.attempts, held.cpu_millis, held.memory_mb, held.gpus)
    more = Amounts(1, demand["cpu_millis"], demand["memory_mb"], demand["gpus"])
    return beyond(project.slug, limits, used, more)


def live_on_full(answers: Sequence[tuple[Provider, Fit]]) -> dict[int, list[Live]]:
    """What runs on the nearest providers that are too full, or run its like, the oldest jobs of
    each first."""
    full = [p.pk for p, one in answers if one.answer in (Answer.FULL, Answer.BESIDE)]
    rows = (
        Attempt.objects.filter(provider__in=full[:MOST_FULL], phase__in=sorted(LIVE_PHASES))
        .annotate(nth=Window(RowNumber(), partition_by="provider", order_by="job_id"))
        .filter(nth__lte=MOST_LIVE)
        .order_by("job_id")
    )
    found: dict[int, list[Live]] = {}
    for provider, *held in rows.values_list(
        "provider", "job", "job__project", "cpu_millis", "memory_mb", "gpus"
    ):
        found.setdefault(provider, []).append(Live(*held))
    return found
