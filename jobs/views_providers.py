"""The pages of providers, which also show the jobs there: the list, one of them, changing one.

Adding one and testing it is in providers/views.py, which knows nothing of jobs.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from jobs.provider_change import limits_change, mode_change, mode_of
from jobs.provider_list import asked, provider_list
from jobs.provider_page import provider_page
from projects.actor import Actor
from projects.errors import BadRequest, Conflict, FieldProblem, Forbidden, Invalid
from projects.pages import fragment, page_actor, refusals
from providers import services
from providers.forms import CONNECTIONS, ConnectionForm, LimitsForm, connection_of, limits_of
from providers.models import Mode, Provider
from providers.selectors import provider_get
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
    context = provider_list(page_actor(request), asked(request.GET))
    return fragment(request, "providers/_list.html", context)


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
    context = provider_page(page_actor(request), provider_id)
    return fragment(request, "providers/_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_mode(request: HttpRequest, provider_id: int) -> HttpResponse:
    """What activating, draining or deactivating it would mean (GET `?to=`); doing it (POST)."""
    actor = page_actor(request)
    if request.method == "POST":
        return _set_mode(request, actor, provider_id)
    return render(request, "providers/mode.html", _mode_context(request, actor, provider_id))


@require_safe
@refusals
def mode(request: HttpRequest, provider_id: int) -> HttpResponse:
    """What the change would mean as things are now, live."""
    context = _mode_context(request, page_actor(request), provider_id)
    return fragment(request, "providers/_mode.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_edit(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Change how it is reached and what it gives out. A change that harms what runs or waits
    is shown first, and made when it is sent again."""
    actor = page_actor(request)
    _must_operate(actor)
    provider = provider_get(actor, provider_id)
    data = request.POST if request.method == "POST" else None
    connection = CONNECTIONS[provider.kind](data, initial=connection_of(provider))
    limits = LimitsForm(data, initial=limits_of(provider)).found(provider)
    context: dict[str, Any] = {"provider": provider, "connection": connection, "limits": limits}
    if data is None:
        return render(request, "providers/edit.html", context)
    fields = _fields(provider, connection, limits)
    if fields is not None:
        try:
            told = _harm(actor, provider, fields) if "confirmed" not in data else None
            if told is None:
                return _saved(request, actor, provider, fields)
            return render(request, "providers/edit.html", context | told)
        except Invalid as error:
            context["problems"] = _blamed(error.problems, connection, limits)
        except Conflict as error:
            connection.add_error("name", str(error))
    return render(request, "providers/edit.html", context, status=422)


def _fields(
    provider: Provider, connection: ConnectionForm, limits: LimitsForm
) -> dict[str, Any] | None:
    """What was typed, as far as it differs; None if it cannot be read."""
    if not (connection.is_valid() & limits.is_valid()):
        return None
    values = limits.values() | {
        "name": connection.cleaned_data["name"],
        "options": connection.options(provider.options),
    }
    return {name: value for name, value in values.items() if getattr(provider, name) != value}


def _harm(actor: Actor, provider: Provider, fields: dict[str, Any]) -> dict[str, Any] | None:
    """What the change would do, if that is something to see first."""
    after = services.provider_changed(actor, provider.pk, fields)
    told = limits_change(actor, provider, after)
    return told if told["harms"] else None


def _saved(
    request: HttpRequest, actor: Actor, provider: Provider, fields: dict[str, Any]
) -> HttpResponse:
    services.provider_update(actor, provider.pk, fields)
    if "options" in fields:
        # How it is reached has changed: whether it still is, shows a test.
        test = services.provider_request(actor, provider.pk, "test")
        return redirect(f"/providers/{provider.pk}?request={test.pk}")
    messages.success(request, "Saved." if fields else "Nothing was changed.")
    return redirect("providers:detail", provider.pk)


def _blamed(
    problems: tuple[FieldProblem, ...], connection: ConnectionForm, limits: LimitsForm
) -> list[str]:
    """Problems at their fields; those of no field in words."""
    rest = limits.blame(connection.blame(problems))
    return [f"{problem.pointer.strip('/')}: {problem.detail}" for problem in rest]


def _mode_context(request: HttpRequest, actor: Actor, provider_id: int) -> dict[str, Any]:
    _must_operate(actor)
    wanted = mode_of(request.GET.get("to", ""))
    if wanted is None:
        raise BadRequest("A provider can be active, draining or inactive, nothing else.")
    provider = provider_get(actor, provider_id)
    after = services.provider_changed(actor, provider_id, {"mode": wanted.value})
    listed = "all" in request.GET
    told = mode_change(actor, provider, after, listed=listed)
    return told | {"mode": wanted.value, "listed": listed, "same": provider.mode == wanted}


def _set_mode(request: HttpRequest, actor: Actor, provider_id: int) -> HttpResponse:
    wanted = mode_of(request.POST.get("mode", ""))
    if wanted is None:
        messages.error(request, "There is no such mode.")
        return redirect("providers:detail", provider_id)
    provider = services.provider_set_mode(actor, provider_id, wanted)
    messages.success(request, _DONE[wanted].format(name=provider.name))
    return redirect("providers:detail", provider_id)


_DONE = {
    Mode.ACTIVE: "{name} takes new jobs.",
    Mode.DRAINING: "{name} finishes what runs there and takes nothing new.",
    Mode.INACTIVE: "{name} is switched off: it takes nothing new.",
}


def _must_operate(actor: Actor) -> None:
    if not actor.may_operate:
        raise Forbidden("Only operators (staff) manage providers.")
