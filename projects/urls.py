"""Addresses of a person's own settings."""

from __future__ import annotations

from django.urls import path

from projects import views

app_name = "settings"
urlpatterns = [
    path("settings", views.settings_page, name="page"),
    path("settings/tokens", views.token_new, name="tokens"),
    path("settings/tokens/<int:token_id>/revoke", views.token_revoke, name="token-revoke"),
    path("settings/password", views.PasswordPage.as_view(), name="password"),
    path("_/preferences", views.preferences, name="preferences"),
]
