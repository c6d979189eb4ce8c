"""What is still on engines after its attempt ended, and why: for operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from jobs.models import Attempt
from projects.actor import Actor
from projects.errors import Forbidden
from providers.models import HealthState, Provider, Stray

MOST_SHOWN = 200
USUAL = timedelta(seconds=60)
"""What ended so recently is being removed; it is no left-over before."""


@dataclass(frozen=True, slots=True)
class LeftOver:
    """One thing on an engine. `attempt` 0 of `job` 0 is a provider's test; `owned`: an attempt
    of ours made it, and has ended."""

    provider: Provider
    job: int
    attempt: int
    name: str
    since: datetime
    owned: bool
    tries: int
    why: str


def left_overs(actor: Actor, provider_id: int | None = None) -> list[LeftOver]:
    """What is left, on one provider or on all that are in service, at most MOST_SHOWN and
    one of each kind. Raises Forbidden for who does not operate providers."""
    if not actor.may_operate:
        raise Forbidden("Only operators (staff) manage providers.")
    return [*_of_attempts(provider_id), *_strays(provider_id)]


def _of_attempts(provider_id: int | None) -> Iterator[LeftOver]:
    found = Attempt.objects.filter(
        Q(removal_tries__gt=0) | Q(ended_at__lt=timezone.now() - USUAL),
        to_remove=True,
        **_on(provider_id),
    )
    for attempt in found.select_related("provider").order_by("pk")[: MOST_SHOWN + 1]:
        assert attempt.ended_at is not None
        yield LeftOver(
            attempt.provider,
            attempt.job_id,
            attempt.number,
            name_of(attempt.handle),
            attempt.ended_at,
            owned=True,
            tries=attempt.removal_tries,
            why=_why(attempt.provider, attempt.removal_error),
        )


def _strays(provider_id: int | None) -> Iterator[LeftOver]:
    found = Stray.objects.filter(**_on(provider_id)).select_related("provider")
    for stray in found.order_by("pk")[: MOST_SHOWN + 1]:
        yield LeftOver(
            stray.provider,
            stray.job,
            stray.attempt,
            name_of(stray.handle),
            stray.found_at,
            owned=False,
            tries=stray.removal_tries,
            why=_why(stray.provider, stray.removal_error),
        )


def _on(provider_id: int | None) -> dict[str, Any]:
    return {"provider__deleted_at": None} | ({"provider": provider_id} if provider_id else {})


def _why(provider: Provider, error: str) -> str:
    """Why it is still there, the nearest cause first."""
    if provider.health == HealthState.UNREACHABLE:
        since = provider.unreachable_since
        when = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        return f"{provider.name} does not answer{when}."
    return error or "It is tried again at the next look."


def name_of(handle: Mapping[str, Any] | None) -> str:
    """What an engine calls it, as far as people need it to find it there."""
    return str((handle or {}).get("id") or (handle or {}).get("uid") or "")[:12]
