"""The pages of providers: the list, one of them, adding one. Parse, call, render."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from projects.errors import Conflict, Forbidden, Invalid
from projects.pages import page_actor, refusals
from providers import services
from providers.forms import FORMS, kinds
from providers.models import Mode
from providers.views_live import list_context, provider_context, request_context


@require_safe
@refusals
def provider_list(request: HttpRequest) -> HttpResponse:
    """All providers, with what they have left."""
    return render(request, "providers/list.html", list_context(page_actor(request)))


@require_safe
@refusals
def provider_detail(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One provider; `?request=` follows a test of it."""
    actor = page_actor(request)
    context = provider_context(actor, provider_id)
    asked = request.GET.get("request", "")
    if asked.isdecimal() and actor.may_operate:
        context |= request_context(actor, int(asked))
    return render(request, "providers/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def provider_new(request: HttpRequest) -> HttpResponse:
    """Add a provider: its kind, then how to reach it; saving it also tests it."""
    actor = page_actor(request)
    if not actor.may_operate:
        raise Forbidden("Only operators (staff) manage providers.")
    choices = kinds()
    kind = next((kind for kind in choices if kind.name == request.GET.get("kind")), None)
    if kind is None:
        return render(request, "providers/kinds.html", {"kinds": choices})
    form = FORMS[kind.name](request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            provider = services.provider_create(actor, **form.values(kind.name))
            test = services.provider_request(actor, provider.pk, "test")
            return redirect(f"/providers/{provider.pk}?request={test.pk}")
        except Invalid as error:
            form.blame(error.problems)
        except Conflict as error:
            form.add_error("name", str(error))
    status = 422 if form.is_bound else 200
    return render(request, "providers/new.html", {"form": form, "kind": kind}, status=status)


@require_POST
@refusals
def provider_mode(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Activate, drain or deactivate."""
    wanted = request.POST.get("mode", "")
    try:
        if wanted not in Mode.values:
            raise Conflict("There is no such mode.")
        services.provider_set_mode(page_actor(request), provider_id, Mode(wanted))
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
    return redirect("providers:detail", provider_id)


@require_POST
@refusals
def provider_test(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask the engine process to test it; the page follows the answer."""
    try:
        test = services.provider_request(page_actor(request), provider_id, "test")
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
        return redirect("providers:detail", provider_id)
    return redirect(f"/providers/{provider_id}?request={test.pk}")


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
