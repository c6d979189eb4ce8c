"""Addresses of the provider pages and of their live regions."""

from __future__ import annotations

from django.urls import path

from providers import views, views_live

app_name = "providers"
urlpatterns = [
    path("providers", views.provider_list, name="list"),
    path("providers/new", views.provider_new, name="new"),
    path("providers/<int:provider_id>", views.provider_detail, name="detail"),
    path("providers/<int:provider_id>/mode", views.provider_mode, name="mode"),
    path("providers/<int:provider_id>/test", views.provider_test, name="test"),
    path("providers/<int:provider_id>/sweep", views.provider_sweep, name="sweep"),
    path("providers/<int:provider_id>/logins", views.login_set, name="login-set"),
    path(
        "providers/<int:provider_id>/logins/<int:login_id>/delete",
        views.login_delete,
        name="login-delete",
    ),
    path("_/providers", views_live.providers, name="live-list"),
    path("_/providers/<int:provider_id>", views_live.provider, name="live-detail"),
    path("_/requests/<int:request_id>", views_live.request, name="live-request"),
]
