"""The live attempts as the loop reads them from Postgres: whole, to be taken up, or only
where they stand, to be compared with what an engine shows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from jobs.endings import Ending
from jobs.log.frames import Position
from jobs.log.reading import position
from jobs.models import Attempt
from jobs.orders import (
    DEFAULT_TIMEOUT_SECONDS,
    SpecUnreadable,
    bare_spec,
    run_spec,
    timeout_seconds,
)
from jobs.states import Outcome, Phase
from orchestrator.reconcile import Wanted
from orchestrator.store import CancelWish, Order
from projects import secrets
from projects.prepared import PreparedQuery

_LIVE = PreparedQuery(
    lambda providers: (
        Attempt.objects.filter(ended_at=None, provider__any=providers)
        .select_related("job")
        .order_by("pk")
    )
)
_PLACED = PreparedQuery(
    lambda providers, known: (
        Attempt.objects.filter(ended_at=None, phase=Phase.PLACED, provider__any=providers)
        .exclude(pk__any=known)
        .select_related("job")
        .order_by("pk")
    )
)


def placed_orders(providers: Collection[int], known: Collection[int], instance: str) -> list[Order]:
    """Attempts in phase `placed` on these providers, but for those that are known."""
    return [_order(attempt, instance) for attempt in _PLACED.fetch(providers, known)]


def live_orders(provider: int, instance: str) -> list[Order]:
    """All live attempts of a provider."""
    return [_order(attempt, instance) for attempt in _LIVE.fetch([provider])]


def orders_of(attempts: Collection[int], instance: str) -> list[Order]:
    """Those of these attempts that are live."""
    rows = Attempt.objects.filter(pk__in=list(attempts), ended_at=None)
    return [_order(attempt, instance) for attempt in rows.select_related("job").order_by("pk")]


def wanted(provider: int) -> list[Wanted]:
    """Which attempts of a provider are live, and where each stands; one query, whatever
    their logs have grown to."""
    rows = Attempt.objects.filter(provider=provider, ended_at=None)
    return [
        Wanted(pk, str(uid), Phase(phase))
        for pk, uid, phase in rows.order_by("pk").values_list("pk", "uid", "phase")
    ]


def _order(attempt: Attempt, instance: str) -> Order:
    job = attempt.job
    cancel = None
    if job.cancel_requested_at is not None:
        cancel = CancelWish(attempt.pk, job.cancel_requested_by, job.cancel_requested_at)
    hidden, broken, unfit = {}, "", None
    try:
        hidden = secrets.open_values(job.secrets)
    except secrets.SecretUnreadable as error:
        broken = str(error)
        unfit = Ending(Outcome.FAILED, "secrets_unreadable", {"message": broken})
    known: dict[str, Any] = {"instance": instance, "term": attempt.term}
    try:
        run, timeout = run_spec(job, attempt, **known, secrets=hidden), timeout_seconds(job)
    except SpecUnreadable as error:
        run, timeout = bare_spec(job, attempt, **known), DEFAULT_TIMEOUT_SECONDS
        unfit = Ending(Outcome.FAILED, "spec_unreadable", {"message": str(error)})
    return Order(
        attempt=attempt.pk,
        job=job.pk,
        provider=attempt.provider_id,
        phase=Phase(attempt.phase),
        run=run,
        timeout_seconds=timeout,
        handle=attempt.handle,
        started_at=attempt.started_at,
        fencing=attempt.fencing_at is not None,
        cancel=cancel,
        secrets=tuple(hidden.values()),
        broken=broken,
        unfit=unfit,
        log=position(attempt.pk) if attempt.log_seq else Position(),
        cursor=attempt.log_cursor,
        not_seen=attempt.not_seen_since is not None,
    )
