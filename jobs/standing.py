"""Reading what a job meets now: providers with what is in use, runs, and is kept free on each. Of a
job that waits, and of one that was not submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from jobs.bars import bar_of
from jobs.fit_check import Standing
from jobs.kept_free import Overdue, kept_free
from jobs.models import Attempt, Job
from jobs.overdue import overdue_jobs
from jobs.queue import Pair, live_labelled
from jobs.way_out import MOST_LIVE, Live
from jobs.why_waiting import Beside
from projects.models import Project
from providers.fit import Answer, Fit
from providers.models import Provider, ProviderImage
from providers.selectors import ProviderUse, provider_use

MOST_FULL = 8
"""So many providers that are too full are looked at for a way out, the nearest to a yes."""


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
        bar=bar_of(demand, project, overdue) if project is not None else None,
    )


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


def live_on_full(answers: Sequence[tuple[Provider, Fit]]) -> dict[int, list[Live]]:
    """What runs on the nearest providers that are too full, or run its like, the oldest jobs of
    each first."""
    full = [p.pk for p, one in answers if one.answer in (Answer.FULL, Answer.BESIDE)]
    rows = (
        Attempt.objects.filter(provider__in=full[:MOST_FULL], ended_at=None)
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
