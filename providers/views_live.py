"""The live regions of the provider pages: ordinary, authorised views of one fragment each."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from projects.actor import Actor
from projects.pages import fragment, page_actor, refusals
from providers.checks import steps_of
from providers.models import Mode
from providers.readings import live_attempts, readings, totals
from providers.selectors import (
    events_of_provider,
    left_over_count,
    provider_get,
    providers_of,
    request_get,
)


def list_context(actor: Actor) -> dict[str, Any]:
    """What the list of providers shows."""
    found = readings(list(providers_of(actor)))
    return {
        "readings": found,
        "totals": totals(found),
        "taking": sum(r.provider.mode == Mode.ACTIVE and not r.stale for r in found),
        "silent": sum(r.unreachable and not r.unwatched for r in found),
        "unwatched": sum(r.unwatched for r in found),
        "may_operate": actor.may_operate,
    }


def provider_context(actor: Actor, provider_id: int) -> dict[str, Any]:
    """What the page of one provider shows."""
    provider = provider_get(actor, provider_id)
    (reading,) = readings([provider])
    running = live_attempts(actor, provider)
    return {
        "reading": reading,
        "provider": provider,
        "running": running,
        "hidden": max(0, reading.use.running - len(running)),
        "events": events_of_provider(provider, limit=200)[::-1][:12],
        "logins": list(provider.credentials.order_by("registry")) if actor.may_operate else [],
        "may_operate": actor.may_operate,
        "left": left_over_count(provider.pk) if actor.may_operate else 0,
    }


def request_context(actor: Actor, request_id: int) -> dict[str, Any]:
    """What the card of one engine request shows."""
    reading = request_get(actor, request_id)
    return {
        "asked": reading.request,
        "steps": steps_of(reading.request),
        "asked_status": reading.status,
        "asked_message": reading.message,
    }


@require_safe
@refusals
def providers(request: HttpRequest) -> HttpResponse:
    """The list."""
    return fragment(request, "providers/_list.html", list_context(page_actor(request)))


@require_safe
@refusals
def provider(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One provider."""
    context = provider_context(page_actor(request), provider_id)
    return fragment(request, "providers/_detail.html", context)


@require_safe
@refusals
def request(request: HttpRequest, request_id: int) -> HttpResponse:
    """What was asked of an engine, and how far it is."""
    context = request_context(page_actor(request), request_id)
    return fragment(request, "providers/_request.html", context)
