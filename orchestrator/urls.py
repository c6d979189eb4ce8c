"""Every address of the instance. Pages have no trailing slash; live regions begin with /_/."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from orchestrator import views

urlpatterns = [
    path("", views.home, name="home"),
    path("hello", views.run_hello, name="hello"),
    path("login", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("health", views.health, name="health"),
    path("ready", views.ready, name="ready"),
    path("", include("jobs.urls")),
    path("", include("providers.urls")),
    path("api/", include("orchestrator.api_urls")),
    path("admin/", admin.site.urls),
]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.server_error
