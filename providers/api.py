"""The API's providers and engine requests. Everybody with a project reads, operators write."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from projects.actor import Actor
from projects.cursors import Page, make_cursor, read_cursor
from projects.http import (
    json_reply,
    object_body,
    only_parameters,
    page_reply,
    read_flag,
    read_limit,
    request_actor,
)
from providers import schemas, services
from providers.models import Mode, Provider
from providers.presenters import provider_values, request_values
from providers.selectors import provider_get, provider_page, provider_use, request_get

router = Router(tags=["Providers"])


@router.post("/providers", response={201: schemas.ProviderOut})
def provider_create(request: HttpRequest) -> HttpResponse:
    """Register a provider. It takes jobs as soon as an engine process has looked at it."""
    provider = services.provider_create(request_actor(request), **object_body(request))
    response = _shown(request, provider, 201)
    response["Location"] = f"/api/v1/providers/{provider.pk}"
    return response


@router.get("/providers", response=schemas.ProviderList)
def provider_list(request: HttpRequest) -> HttpResponse:
    """Providers in the order they were registered, with what is in use on each."""
    only_parameters(request.GET, ("limit", "cursor"))
    actor, limit, cursor = (
        request_actor(request),
        read_limit(request.GET),
        request.GET.get("cursor"),
    )
    after = read_cursor(cursor, {"providers": ["all"]}) if cursor else 0
    found = provider_page(actor, after_id=after, limit=limit + 1)
    items = found[:limit]
    more = make_cursor(items[-1].pk, {"providers": ["all"]}) if len(found) > limit else None
    used = provider_use([provider.pk for provider in items])
    return page_reply(request, Page(items, more), lambda p: provider_values(actor, p, used[p.pk]))


@router.get("/providers/{int:provider_id}", response=schemas.ProviderOut)
def provider_detail(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One provider: capacity, use, health."""
    return _shown(request, provider_get(request_actor(request), provider_id))


@router.patch("/providers/{int:provider_id}", response=schemas.ProviderOut)
def provider_update(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Change the fields that are sent and leave the others."""
    actor, fields = request_actor(request), object_body(request)
    return _shown(request, services.provider_update(actor, provider_id, fields))


@router.delete("/providers/{int:provider_id}", response={204: None})
def provider_delete(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Take it out of service for good. Refused while attempts are live on it, and while
    containers are left there, unless `abandon=1` says to leave them."""
    only_parameters(request.GET, ("abandon",))
    abandon = read_flag(request.GET, "abandon")
    services.provider_delete(request_actor(request), provider_id, abandon=abandon)
    return HttpResponse(status=204)


@router.post("/providers/{int:provider_id}/activate", response=schemas.ProviderOut)
def provider_activate(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Let it take new jobs."""
    return _mode(request, provider_id, Mode.ACTIVE)


@router.post("/providers/{int:provider_id}/deactivate", response=schemas.ProviderOut)
def provider_deactivate(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Let it take nothing new; what runs goes on."""
    return _mode(request, provider_id, Mode.INACTIVE)


@router.post("/providers/{int:provider_id}/drain", response=schemas.ProviderOut)
def provider_drain(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Let it finish what runs and take nothing new, before maintenance."""
    return _mode(request, provider_id, Mode.DRAINING)


@router.post("/providers/{int:provider_id}/probe", response={202: schemas.EngineRequestOut})
def provider_probe(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask its engine process to look at it now; follow the answer at Location."""
    return _asked(request_actor(request), provider_id, "probe")


@router.post("/providers/{int:provider_id}/sweep", response={202: schemas.EngineRequestOut})
def provider_sweep(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask its engine process to compare what is there with what runs, and to try again to
    remove what was left; follow the answer at Location."""
    return _asked(request_actor(request), provider_id, "sweep")


@router.get(
    "/engine-requests/{int:request_id}",
    response=schemas.EngineRequestOut,
    tags=["Engine requests"],
)
def engine_request(request: HttpRequest, request_id: int) -> HttpResponse:
    """What was asked of an engine, and how far it is."""
    return json_reply(request_values(request_get(request_actor(request), request_id)))


def _asked(actor: Actor, provider_id: int, kind: services.RequestKind) -> HttpResponse:
    asked = services.provider_request(actor, provider_id, kind)
    values = request_values(request_get(actor, asked.pk))
    return json_reply(values, 202, Location=f"/api/v1/engine-requests/{asked.pk}")


def _mode(request: HttpRequest, provider_id: int, mode: Mode) -> HttpResponse:
    return _shown(request, services.provider_set_mode(request_actor(request), provider_id, mode))


def _shown(request: HttpRequest, provider: Provider, status: int = 200) -> HttpResponse:
    actor = request_actor(request)
    etag = f'"provider-{provider.pk}-{provider.rev}"'
    values = provider_values(actor, provider, provider_use([provider.pk])[provider.pk])
    # What is in use changes without a new rev, so there is no 304 to be had from it.
    return json_reply(values, status, ETag=etag)
