"""Reading what a job meets now: providers with what is in use, and what its project's limits and
its concurrency key forbid. Of a job that waits, and of one that was not submitted."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from jobs.allowance import NO_LIMITS, Amounts, Refusal, beyond, key_full, paused
from jobs.asks import ask
from jobs.fit_check import Standing
from jobs.held import Held
from jobs.models import Attempt
from jobs.orders import requirements
from jobs.queue import in_use, kept_apart, keys_in_use
from jobs.reasons import reason_text
from jobs.states import LIVE_PHASES
from jobs.way_out import Live
from projects.models import Project
from projects.shares import pause_words
from providers.fit import Need
from providers.models import Provider, ProviderImage
from providers.selectors import provider_use

MOST_LIVE = 500
"""Live attempts that are looked at for a way out, of all providers together."""


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
    refusal = refused(demand, project) if project is not None else None
    apart = demand.get("apart")
    return Standing(
        providers=providers,
        used=provider_use([provider.pk for provider in providers]),
        now=timezone.now(),
        with_image=frozenset(
            ProviderImage.objects.filter(image=demand.get("image", "")).values_list(
                "provider", flat=True
            )
        ),
        beside=beside(project.pk) if apart and project is not None else {},
        forbidden=reason_text(refusal.reason, refusal.detail) if refusal else "",
    )


def beside(project: int) -> dict[int, set[tuple[str, str]]]:
    """Provider → what the jobs of a project that it runs keep apart from."""
    return {
        provider: {(label, value) for owner, label, value in pairs if owner == project}
        for provider, pairs in kept_apart().items()
    }


def refused(demand: Mapping[str, Any], project: Project) -> Refusal | None:
    """What forbids such a job to start now, whatever room there is; as the planner sees it."""
    if project.paused_at is not None:
        return paused(project.slug, pause_words(project))
    if key := demand.get("key"):
        live, _ = keys_in_use([(project.pk, key["name"])]).get((project.pk, key["name"]), ([], []))
        if refusal := key_full(key["name"], key["limit"], len(live)):
            return refusal
    limits = Amounts(
        project.max_running, project.max_cpu_millis, project.max_memory_mb, project.max_gpus
    )
    if limits == NO_LIMITS:
        return None
    held = in_use().projects.get(project.pk, Held())
    used = Amounts(held.attempts, held.cpu_millis, held.memory_mb, held.gpus)
    more = Amounts(1, demand["cpu_millis"], demand["memory_mb"], demand["gpus"])
    return beyond(project.slug, limits, used, more)


def live_on(providers: Collection[int]) -> dict[int, list[Live]]:
    """What runs on each of these providers, the oldest jobs first."""
    rows = Attempt.objects.filter(provider__in=providers, phase__in=sorted(LIVE_PHASES))
    found: dict[int, list[Live]] = {}
    for provider, *held in rows.order_by("job_id").values_list(
        "provider", "job", "job__project", "cpu_millis", "memory_mb", "gpus"
    )[:MOST_LIVE]:
        found.setdefault(provider, []).append(Live(*held))
    return found
