"""The page of what is left on engines after its attempt ended."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs.left_overs import MOST_SHOWN, left_overs
from projects.actor import Actor
from projects.live_marks import list_mark
from projects.pages import fragment, page_actor, refusals
from providers.selectors import provider_get
from providers.views_live import request_context


@require_safe
@refusals
def page(request: HttpRequest) -> HttpResponse:
    """What is left, on `?provider=` or on all; `?request=` follows a try to remove it."""
    actor = page_actor(request)
    context = _context(request, actor)
    asked = request.GET.get("request", "")
    if asked.isdecimal() and len(asked) < 19:
        context |= request_context(actor, int(asked))
    return render(request, "jobs/left_overs.html", context)


@require_safe
@refusals
def rows(request: HttpRequest) -> HttpResponse:
    """The table, live."""
    actor = page_actor(request)
    mark = list_mark(actor, "providers")
    return fragment(request, "jobs/_left_overs.html", lambda: _context(request, actor), etag=mark)


def _context(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    given = request.GET.get("provider", "")
    wanted = int(given) if given.isdecimal() and len(given) < 19 else None
    found = left_overs(actor, wanted)
    provider = provider_get(actor, wanted) if wanted is not None else None
    concerned = {one.provider.pk: one.provider for one in found}
    return {
        "left": found[:MOST_SHOWN],
        "more": len(found) > MOST_SHOWN,
        "provider": provider,
        "providers": [provider] if provider else list(concerned.values()),
    }
