"""The pages of providers, which also show the jobs there: the list, one of them.

Changing one is in views_provider_change.py; adding one and testing it in providers/views.py,
which knows nothing of jobs.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs.provider_list import asked, provider_list
from jobs.provider_page import provider_page
from projects.live_marks import list_mark
from projects.pages import fragment, page_actor, refusals
from providers.views_live import request_context


@require_safe
@refusals
def provider_index(request: HttpRequest) -> HttpResponse:
    """All providers, with what they have left."""
    context = provider_list(page_actor(request), asked(request.GET))
    return render(request, "providers/list.html", context)


@require_safe
@refusals
def rows(request: HttpRequest) -> HttpResponse:
    """The list, live."""
    actor = page_actor(request)

    def context() -> dict[str, Any]:
        return provider_list(actor, asked(request.GET))

    mark = list_mark(actor, "providers", "jobs", beat=5)
    return fragment(request, "providers/_list.html", context, etag=mark)


@require_safe
@refusals
def provider_detail(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One provider; `?request=` follows a test of it."""
    actor = page_actor(request)
    context = provider_page(actor, provider_id)
    if actor.may_operate:
        provider = context["provider"]
        context["logins"] = list(provider.credentials.order_by("registry"))
        given = request.GET.get("request", "")
        if given.isdecimal() and len(given) < 19:
            context |= request_context(actor, int(given))
    return render(request, "providers/detail.html", context)


@require_safe
@refusals
def detail(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One provider, live."""
    actor = page_actor(request)
    mark = list_mark(actor, f"provider:{provider_id}", "jobs", beat=5)
    return fragment(
        request, "providers/_detail.html", lambda: provider_page(actor, provider_id), etag=mark
    )
