"""What was asked of an engine, live: an ordinary, authorised view of one fragment."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from projects.actor import Actor
from projects.pages import fragment, page_actor, refusals
from providers.checks import steps_of
from providers.readings import KIND_WORDS
from providers.selectors import request_get


def request_context(actor: Actor, request_id: int, *, setup: bool = False) -> dict[str, Any]:
    """What the card of one engine request shows. `setup`: it stands in the setup of a new
    provider, whose form it sends."""
    reading = request_get(actor, request_id)
    asked = reading.request
    return {
        "asked": asked,
        "steps": steps_of(asked, reading.status, reading.message),
        "asked_kind": KIND_WORDS.get(asked.provider.kind, asked.provider.kind),
        "asked_status": reading.status,
        "asked_message": reading.message,
        "over": reading.status in ("done", "failed", "expired"),
        "setup": setup,
        "may_operate": actor.may_operate,
    }


@require_safe
@refusals
def request(request: HttpRequest, request_id: int) -> HttpResponse:
    """What was asked of an engine, and how far it is."""
    context = request_context(page_actor(request), request_id, setup="setup" in request.GET)
    return fragment(request, "providers/_request.html", context)
