"""Adding a provider in steps, testing one, its logins. Parse, call, render.

The pages that show what a provider runs are in jobs/views_providers.py.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid
from projects.pages import page_actor, refusals
from projects.rules import one_line
from providers import services
from providers.forms import CONNECTIONS, Kind, LimitsForm, kinds, limits_of
from providers.models import Mode, Provider
from providers.readings import KIND_WORDS
from providers.selectors import latest_test, provider_get
from providers.views_live import request_context

MAX_IMAGE = 512


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_new(request: HttpRequest) -> HttpResponse:
    """Steps 1 and 2: its kind, then how it is reached. It is kept switched off and tested."""
    actor = page_actor(request)
    _must_operate(actor)
    choices = kinds()
    kind = next((kind for kind in choices if kind.name == request.GET.get("kind")), None)
    if kind is None:
        return render(request, "providers/kinds.html", {"kinds": choices})
    form = CONNECTIONS[kind.name](request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "kind": kind, "image": request.POST.get("image", "")}
    if form.is_bound and form.is_valid():
        try:
            args = _test_args(request)
            provider = services.provider_create(
                actor,
                name=form.cleaned_data["name"],
                kind=kind.name,
                options=form.options(),
                mode=Mode.INACTIVE.value,
            )
            test = services.provider_request(actor, provider.pk, "test", args)
            return redirect(f"{reverse('providers:setup', args=[provider.pk])}?request={test.pk}")
        except Invalid as error:
            rest = form.blame(error.problems)
            context["problems"] = [f"{p.pointer.strip('/')}: {p.detail}" for p in rest]
        except Conflict as error:
            form.add_error("name", str(error))
    status = 422 if form.is_bound else 200
    return render(request, "providers/new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_setup(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Steps 3 and 4: the test, live, and what it may give out; then it takes jobs, or not yet."""
    actor = page_actor(request)
    _must_operate(actor)
    provider = provider_get(actor, provider_id)
    data = request.POST if request.method == "POST" else None
    form = LimitsForm(data, initial=limits_of(provider)).found(provider)
    context: dict[str, Any] = {"form": form, "provider": provider, "kind": _kind(provider)}
    if data is not None and form.is_valid():
        try:
            args = _test_args(request)
            mode = {"mode": data["mode"]} if data.get("mode") in Mode.values else {}
            services.provider_update(actor, provider.pk, form.values() | mode)
            return _next(request, actor, provider, args)
        except Invalid as error:
            rest = form.blame(error.problems)
            context["problems"] = [f"{p.pointer.strip('/')}: {p.detail}" for p in rest]
    context |= _test_shown(request, actor, provider)
    return render(request, "providers/setup.html", context, status=422 if form.is_bound else 200)


@require_POST
@refusals
def provider_test(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask the engine process to test it; the page follows the answer."""
    page = reverse("providers:detail", args=[provider_id])
    try:
        args = _test_args(request)
        test = services.provider_request(page_actor(request), provider_id, "test", args)
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
        return redirect(page)
    return redirect(f"{page}?request={test.pk}")


@require_POST
@refusals
def provider_sweep(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask the engine process to remove again what is left; the page follows the answer."""
    asked = services.provider_request(page_actor(request), provider_id, "sweep")
    return redirect(f"/left-overs?provider={provider_id}&request={asked.pk}")


@require_POST
@refusals
def login_set(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Keep a login to an image registry. Its password is never shown again."""
    names = ("registry", "username", "password")
    fields = {name: request.POST.get(name, "") for name in names}
    try:
        services.credential_set(page_actor(request), provider_id, **fields)
        messages.success(request, f"The login to {fields['registry']} is kept.")
    except Invalid as error:
        messages.error(request, f"Not kept. {error}")
    return redirect("providers:detail", provider_id)


@require_POST
@refusals
def login_delete(request: HttpRequest, provider_id: int, login_id: int) -> HttpResponse:
    """Forget a login to an image registry."""
    services.credential_delete(page_actor(request), provider_id, login_id)
    return redirect("providers:detail", provider_id)


def _must_operate(actor: Actor) -> None:
    if not actor.may_operate:
        raise Forbidden("Only operators (staff) manage providers.")


def _kind(provider: Provider) -> Kind:
    known = {kind.name: kind for kind in kinds()}
    word = KIND_WORDS.get(provider.kind, provider.kind)
    return known.get(provider.kind) or Kind(provider.kind, word, "")


def _test_args(request: HttpRequest) -> dict[str, Any]:
    """The image to test with, if one was named. Raises Invalid for what is none."""
    image = request.POST.get("image", "").strip()
    if len(image) > MAX_IMAGE or " " in image:
        words = f"A name of an image has no blanks and at most {MAX_IMAGE} characters."
        raise Invalid([FieldProblem("/image", words)])
    try:
        return {"image": one_line(image)} if image else {}
    except ValueError as error:
        raise Invalid([FieldProblem("/image", str(error))]) from None


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


def _test_shown(request: HttpRequest, actor: Actor, provider: Provider) -> dict[str, Any]:
    """The test that the address names, or the last one."""
    last = latest_test(provider)
    given = request.GET.get("request", "")
    if given.isdecimal() and len(given) < 19:
        shown = request_context(actor, int(given), setup=True)
        if shown["asked"].provider_id == provider.pk:
            return shown
    return request_context(actor, last.pk, setup=True) if last else {}
