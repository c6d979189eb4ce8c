"""Addresses of adding a provider, testing it and its logins; other pages of it: jobs/urls.py."""

from __future__ import annotations

from django.urls import path

from providers import views, views_live

urlpatterns = [
    path("providers/new", views.provider_new, name="new"),
    path("providers/<int:provider_id>/test", views.provider_test, name="test"),
    path("providers/<int:provider_id>/sweep", views.provider_sweep, name="sweep"),
    path("providers/<int:provider_id>/logins", views.login_set, name="login-set"),
    path(
        "providers/<int:provider_id>/logins/<int:login_id>/delete",
        views.login_delete,
        name="login-delete",
    ),
    path("_/requests/<int:request_id>", views_live.request, name="live-request"),
]
