"""A person's own settings: how pages look, API tokens, the password. Parse, call, render."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from projects import services
from projects.errors import Conflict, Invalid, NotFound
from projects.forms import PasswordForm, TokenForm
from projects.pages import page_actor, refusals
from projects.preferences import OPTIONS, UNCHOSEN, preferences_chosen, preferences_set
from projects.selectors import tokens_of
from projects.zones import LOCAL, keep_zone, zones_offered

_NAMES = (*OPTIONS, "zone")


@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """Everything that is a person's own to set. Without JavaScript its form is sent here."""
    if request.method != "POST":
        return _page(request)
    try:
        changes = _prefer(request)
    except Invalid as error:
        messages.error(request, f"Nothing was saved: {error}")
        return redirect("settings:page")
    messages.success(request, "Saved.")
    response = redirect("settings:page")
    keep_zone(response, changes.get("zone", LOCAL))
    return response


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """What a page has been told by a click: kept, without a word. 422 for what is not offered."""
    try:
        changes = _prefer(request)
    except Invalid as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    response = HttpResponse(status=204)
    keep_zone(response, changes.get("zone", LOCAL))
    return response


@never_cache
@require_POST
def token_new(request: HttpRequest) -> HttpResponse:
    """A new token. This answer alone shows it; a page that were led to could be opened again."""
    actor, form = page_actor(request), TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    try:
        token, text = services.token_issue(
            actor,
            user=cast(User, request.user),
            name=form.cleaned_data["name"],
            expires_at=form.expires_at(),
        )
    except Conflict as error:
        form.add_error("name", str(error))
        return _page(request, form=form, status=409)
    return _page(request, made=token, text=text)


@require_POST
@refusals
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token of one's own, once and for all."""
    actor = page_actor(request)
    token = tokens_of(actor).filter(pk=token_id).first()
    if token is None:
        raise NotFound("You have no such token. It may have been revoked already.")
    services.token_revoke(actor, token_id=token_id)
    messages.success(request, f"The token {token} is revoked: it opens nothing any more.")
    return redirect("settings:page")


class PasswordPage(PasswordChangeView):
    """The present password, and a new one. Other browsers are signed out by it."""

    form_class = PasswordForm
    template_name = "projects/password.html"
    success_url = reverse_lazy("settings:page")

    def form_valid(self, form: Any) -> HttpResponse:
        """Saves it and records that it was changed, both or neither, and says what follows."""
        with transaction.atomic():
            response = super().form_valid(form)
            services.password_changed(page_actor(self.request))
        words = "Your password is changed. Your other browsers are signed out; tokens still work."
        messages.success(self.request, words)
        return response


def _prefer(request: HttpRequest) -> dict[str, str]:
    given = {name: request.POST[name] for name in _NAMES if name in request.POST}
    preferences_set(page_actor(request), given)
    return given


def _page(
    request: HttpRequest, *, form: TokenForm | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    actor = page_actor(request)
    context = {
        "prefs": {**UNCHOSEN, **preferences_chosen(cast(int, actor.id))},
        "zones": zones_offered(),
        "tokens": list(tokens_of(actor)),
        "now": timezone.now(),
        "form": form or TokenForm(),
        "origin": request.build_absolute_uri("/").rstrip("/"),
        **more,
    }
    return render(request, "projects/settings.html", context, status=status)
