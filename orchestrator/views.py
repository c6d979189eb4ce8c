"""Pages of the instance itself: signing in, health."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from orchestrator.readiness import why_not_ready
from projects.preferences import preferences_chosen
from projects.zones import LOCAL, keep_zone


class SignIn(LoginView):
    """Signing in leads back to where somebody wanted to go, in the time zone they chose."""

    redirect_authenticated_user = True

    def get_success_url(self) -> str:
        """Where the person was going, unless that is here."""
        wanted = super().get_success_url()
        return reverse("home") if urlsplit(wanted).path == self.request.path else wanted

    def form_valid(self, form: Any) -> HttpResponse:
        """Signs in."""
        response = super().form_valid(form)
        chosen = preferences_chosen(cast(User, self.request.user).pk)
        keep_zone(response, chosen.get("zone", LOCAL))
        return response


@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """The process is alive; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The database answers and has every migration; otherwise 503 and why, in words."""
    if why := why_not_ready():
        return JsonResponse({"status": "not ready", "detail": why}, status=503)
    return JsonResponse({"status": "ready"})
