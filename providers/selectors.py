"""Reading providers and engine requests, as far as the actor may see them.

Every member of a project may see the providers their jobs run on; a person who is in no
project sees none. Engine requests are for operators and for who made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from django.db.models import Count, DateTimeField, Exists, ExpressionWrapper, QuerySet, Sum
from django.db.models.functions import Coalesce, Now

from projects.actor import Actor
from projects.errors import FieldProblem, Invalid, NotFound
from projects.models import Event
from projects.prepared import PreparedQuery
from projects.selectors import latest_subject_events
from providers.leases import SCHEDULER, provider_lease
from providers.models import EngineRequest, Lease, Provider, RequestStatus

NOBODY_AFTER = timedelta(seconds=5)


def _living() -> QuerySet[Provider]:
    """All but the deleted ones, by name."""
    return Provider.objects.filter(deleted_at__isnull=True).order_by("name")


_LIVING = PreparedQuery(_living)
_USED: PreparedQuery[Any] = PreparedQuery(
    lambda ids: (
        Provider.objects.only("pk")
        .filter(pk__any=ids, attempts__isnull=False, attempts__ended_at=None)
        .annotate(
            running=Count("attempts"),
            given_cpu=Coalesce(Sum("attempts__cpu_millis"), 0),
            given_memory=Coalesce(Sum("attempts__memory_mb"), 0),
            given_gpus=Coalesce(Sum("attempts__gpus"), 0),
        )
    )
)


@dataclass(frozen=True, slots=True)
class ProviderUse:
    """What the live attempts of a provider have been given."""

    running: int = 0
    cpu_millis: int = 0
    memory_mb: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class RequestReading:
    """An engine request as it reads now: `status` and plain words."""

    request: EngineRequest
    status: str
    message: str


def providers_of(actor: Actor) -> QuerySet[Provider]:
    """The providers that the actor may see, by name, without the deleted ones."""
    living = _living()
    return living if _sees_any(actor) else living.none()


def _sees_any(actor: Actor) -> bool:
    return actor.may_operate or bool(actor.roles)


def provider_list(actor: Actor) -> list[Provider]:
    """All providers that the actor may see, by name."""
    return _LIVING.fetch() if _sees_any(actor) else []


def provider_get(actor: Actor, provider_id: int) -> Provider:
    """One provider. Raises NotFound when it is not there for this actor."""
    provider = providers_of(actor).filter(pk=provider_id).first()
    if provider is None:
        raise NotFound(f"There is no provider {provider_id} that you can see.")
    return provider


def provider_named(actor: Actor, name: str) -> Provider:
    """The provider with that name. Raises Invalid where there is none, with one that is like
    it."""
    provider = providers_of(actor).filter(name=name).first()
    if provider is None:
        names = list(providers_of(actor).values_list("name", flat=True))
        like = next(iter(get_close_matches(name, names, n=1)), "")
        hint = f"is {like} meant?" if like else "leave it out?"
        raise Invalid([FieldProblem("/provider", f"There is no provider {name!r}; {hint}")])
    return provider


def provider_page(actor: Actor, *, after_id: int, limit: int) -> list[Provider]:
    """Providers by id after one id, at most `limit`."""
    return list(providers_of(actor).order_by("pk").filter(pk__gt=after_id)[:limit])


def provider_use(provider_ids: Sequence[int]) -> dict[int, ProviderUse]:
    """What is in use on each of the providers, in one query over live attempts."""
    used = {
        one.pk: ProviderUse(one.running, one.given_cpu, one.given_memory, one.given_gpus)
        for one in _USED.fetch(provider_ids)
    }
    return {pk: used.get(pk, ProviderUse()) for pk in provider_ids}


def queue_is_planned() -> bool:
    """True while an engine process plans the queue, by the database's clock."""
    held = Lease.objects.filter(name=SCHEDULER, expires_at__gt=Now())
    return held.exclude(holder="").exists()


def left_over_count(provider_id: int) -> int:
    """How much is still on its engine: of attempts that ended, and strays."""
    provider = Provider(pk=provider_id)
    ended = provider.attempts.filter(to_remove=True).count()
    return int(ended + provider.strays.count())


def latest_events_of_provider(provider: Provider, *, limit: int) -> list[Event]:
    """What happened last to a provider the actor was allowed to get, newest first."""
    return latest_subject_events("provider", provider.pk, limit=limit)


def health_changes_of(provider: Provider, *, limit: int) -> list[Event]:
    """How its health changed last, newest first."""
    return latest_subject_events("provider", provider.pk, type_="provider.health", limit=limit)


def driven_by(provider: Provider) -> Lease | None:
    """The lease under which an engine process drives it now; None while nobody does."""
    held = Lease.objects.filter(name=provider_lease(provider.pk), expires_at__gt=Now())
    return held.exclude(holder="").first()


def latest_test(provider: Provider) -> EngineRequest | None:
    """The last test of a provider the actor was allowed to get."""
    return provider.requests.filter(kind="test").order_by("-pk").first()


def request_get(actor: Actor, request_id: int) -> RequestReading:
    """An engine request as it reads now. Raises NotFound for other people's.

    One that waits longer than 5 s while no engine process holds a lease says so, and one
    past its deadline reads as expired, whether or not anybody has written that yet.
    """
    alive = Lease.objects.filter(expires_at__gt=Now()).exclude(holder="")
    found = (
        EngineRequest.objects.select_related("provider")
        .annotate(
            read_at=ExpressionWrapper(Now(), output_field=DateTimeField()),
            engine_alive=Exists(alive),
        )
        .filter(pk=request_id)
    )
    if not actor.may_operate:
        found = found.filter(requested_by=actor.id, requested_by__isnull=False)
    request = found.first()
    if request is None:
        raise NotFound(f"There is no engine request {request_id} that you can see.")
    return _reading(request, now=request.read_at, engine_alive=request.engine_alive)


def _reading(request: EngineRequest, *, now: datetime, engine_alive: bool) -> RequestReading:
    open_ = request.status in (RequestStatus.WAITING, RequestStatus.WORKING)
    if open_ and now >= request.deadline:
        words = "Not answered in time." if engine_alive else "No engine process is running."
        return RequestReading(request, RequestStatus.EXPIRED, words)
    if request.status == RequestStatus.WAITING:
        if not engine_alive and now - request.created_at >= NOBODY_AFTER:
            return RequestReading(request, request.status, "No engine process is running.")
        return RequestReading(request, request.status, "Waiting for an engine process.")
    words = {
        RequestStatus.WORKING: "The engine process is at work on it.",
        RequestStatus.DONE: "Done.",
        RequestStatus.FAILED: "Failed.",
        RequestStatus.EXPIRED: "Not answered in time.",
    }[RequestStatus(request.status)]
    detail = request.result.get("message") if isinstance(request.result, dict) else None
    return RequestReading(request, request.status, str(detail or words))
