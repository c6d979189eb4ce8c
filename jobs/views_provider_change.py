"""The pages that change a provider: its mode, its limits and connection, its setup.

Each tells what the change would do to jobs before it is made.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from jobs.provider_change import change, mode_change, mode_of
from projects.actor import Actor
from projects.errors import BadRequest, Conflict, FieldProblem, Forbidden, Invalid
from projects.live_marks import list_mark
from projects.pages import fragment, page_actor, refusals
from providers import services
from providers.forms import CONNECTIONS, ConnectionForm, LimitsForm, connection_of, limits_of
from providers.models import Mode, Provider
from providers.selectors import provider_get
from providers.setup_page import kind_of, test_args, test_shown


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_mode(request: HttpRequest, provider_id: int) -> HttpResponse:
    """What activating, draining or deactivating it would mean (GET `?to=`); doing it (POST)."""
    actor = page_actor(request)
    if request.method == "POST":
        return _set_mode(request, actor, provider_id)
    asked = _mode_asked(request, actor, provider_id)
    return render(request, "providers/mode.html", _mode_context(actor, *asked))


@require_safe
@refusals
def mode(request: HttpRequest, provider_id: int) -> HttpResponse:
    """What the change would mean as things are now, live."""
    actor = page_actor(request)
    provider, wanted, listed = _mode_asked(request, actor, provider_id)
    also = f"{provider.pk}-{provider.rev}-{wanted}-{listed}"
    mark = list_mark(actor, "jobs", "providers", also=also, beat=5)

    def context() -> dict[str, Any]:
        return _mode_context(actor, provider, wanted, listed)

    return fragment(request, "providers/_mode.html", context, etag=mark)


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_edit(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Change how it is reached and what it gives out. A change that harms what runs or waits
    is shown first, and made when it is confirmed while that harm is the same."""
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
            told = _to_confirm(request, actor, provider, fields)
            if told is None:
                return _saved(request, actor, provider, fields)
            status = 409 if told["changed"] else 200
            return render(request, "providers/edit.html", context | told, status=status)
        except Invalid as error:
            context["problems"] = _in_words(limits.blame(connection.blame(error.problems)))
        except Conflict as error:
            connection.add_error("name", str(error))
    return render(request, "providers/edit.html", context, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_setup(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Steps 3 and 4 of adding it: the test, live, and what it may give out; then it takes
    jobs, or not yet. Where it takes some already, harm is shown first, as by `provider_edit`."""
    actor = page_actor(request)
    _must_operate(actor)
    provider = provider_get(actor, provider_id)
    data = request.POST if request.method == "POST" else None
    limits = LimitsForm(data, initial=limits_of(provider)).found(provider)
    context: dict[str, Any] = {"form": limits, "provider": provider, "kind": kind_of(provider)}
    if data is not None and limits.is_valid():
        context["image"] = data.get("image", "")
        try:
            args = test_args(request)
            mode = {"mode": data["mode"]} if data.get("mode") in Mode.values else {}
            fields = limits.values() | mode
            told = _to_confirm(request, actor, provider, fields)
            if told is None:
                services.provider_update(actor, provider.pk, fields)
                return _next(request, actor, provider, args)
            context |= told | {"wanted": mode | {"then": data.get("then", "")}}
            status = 409 if told["changed"] else 200
            return render(request, "providers/setup.html", context, status=status)
        except Invalid as error:
            context["problems"] = _in_words(limits.blame(error.problems))
    context |= test_shown(request, actor, provider)
    return render(request, "providers/setup.html", context, status=422 if limits.is_bound else 200)


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


def _to_confirm(
    request: HttpRequest, actor: Actor, provider: Provider, fields: dict[str, Any]
) -> dict[str, Any] | None:
    """What the change would do, if that is something to see and was not seen yet as it is now.
    `changed`: it was seen otherwise, and confirmed."""
    after = services.provider_changed(actor, provider.pk, fields)
    told = change(actor, provider, after)
    seen = request.POST.get("seen", "")
    if not told["harms"] or seen == told["seen"]:
        return None
    return told | {"changed": bool(seen)}


def _saved(
    request: HttpRequest, actor: Actor, provider: Provider, fields: dict[str, Any]
) -> HttpResponse:
    services.provider_update(actor, provider.pk, fields)
    if "options" in fields:
        # How it is reached has changed: whether it still is, shows a test.
        test = services.provider_request(actor, provider.pk, "test")
        return redirect(f"{reverse('providers:detail', args=[provider.pk])}?request={test.pk}")
    messages.success(request, "Saved." if fields else "Nothing was changed.")
    return redirect("providers:detail", provider.pk)


def _next(
    request: HttpRequest, actor: Actor, provider: Provider, args: dict[str, Any]
) -> HttpResponse:
    """Where the setup goes on once the limits are kept: another test, the connection, the end."""
    then = request.POST.get("then", "")
    if then == "test":
        test = services.provider_request(actor, provider.pk, "test", args)
        return redirect(f"{reverse('providers:setup', args=[provider.pk])}?request={test.pk}")
    if then == "edit":
        return redirect("providers:edit", provider.pk)
    takes = "takes jobs" if request.POST.get("mode") == Mode.ACTIVE else "is saved, switched off"
    messages.success(request, f"{provider.name} {takes}.")
    return redirect("providers:detail", provider.pk)


def _in_words(problems: list[FieldProblem]) -> list[str]:
    """Problems that belong to no field of the form."""
    return [f"{problem.pointer.strip('/')}: {problem.detail}" for problem in problems]


def _mode_asked(
    request: HttpRequest, actor: Actor, provider_id: int
) -> tuple[Provider, Mode, bool]:
    """Which provider is to be what, and whether all jobs are to be listed."""
    _must_operate(actor)
    wanted = mode_of(request.GET.get("to", ""))
    if wanted is None:
        raise BadRequest("A provider can be active, draining or inactive, nothing else.")
    return provider_get(actor, provider_id), wanted, "all" in request.GET


def _mode_context(actor: Actor, provider: Provider, wanted: Mode, listed: bool) -> dict[str, Any]:
    after = services.provider_changed(actor, provider.pk, {"mode": wanted.value})
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
