"""Adding a provider, testing one, its logins. Parse, call, render.

The pages that show what a provider runs are in jobs/views_providers.py; those that change it,
and tell what that means to jobs, in jobs/views_provider_change.py.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from projects.actor import Actor
from projects.errors import Conflict, Forbidden, Invalid
from projects.pages import page_actor, refusals
from providers import services
from providers.forms import CONNECTIONS, kinds
from providers.models import Mode
from providers.setup_page import test_args


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
            args = test_args(request)
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


@require_POST
@refusals
def provider_test(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask the engine process to test it; the page follows the answer."""
    page = reverse("providers:detail", args=[provider_id])
    try:
        args = test_args(request)
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
    page = reverse("jobs:left-overs")
    return redirect(f"{page}?provider={provider_id}&request={asked.pk}")


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
