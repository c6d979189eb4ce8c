"""Every address of the instance. Pages have no trailing slash; live regions begin with /_/."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from jobs.urls import provider_pages
from orchestrator import (
    views,
    views_activity,
    views_home,
    views_members,
    views_palette,
    views_projects,
    views_wrong,
)
from orchestrator.home import BY_NAME
from providers.urls import urlpatterns as adding_providers

# Pages of providers that show jobs belong to jobs, which knows both.
providers = ([*provider_pages, *adding_providers], "providers")

# Here, not as each process starts: only web has an admin, and what its pages need is 20 MiB.
admin.autodiscover()

urlpatterns = [
    path("", views_home.home, name="home"),
    path("seen", views_home.acknowledge, name="seen"),
    path("hello", views_home.run_hello, name="hello"),
    *(
        path(f"_/home/{name}", views_home.card, {"name": name}, name=f"home-{name}")
        for name in BY_NAME
    ),
    path("login", views.SignIn.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("_/palette", views_palette.palette, name="palette"),
    path("health", views.health, name="health"),
    path("ready", views.ready, name="ready"),
    path("activity", views_activity.page, name="activity"),
    path("activity/export", views_activity.export, name="activity-export"),
    path("_/activity", views_activity.rows, name="live-activity"),
    path("projects", views_projects.index, name="projects"),
    path("projects/<slug:slug>", views_projects.detail, name="project"),
    path("projects/<slug:slug>/edit", views_projects.edit, name="project-edit"),
    path("projects/<slug:slug>/pause", views_projects.pause, name="project-pause"),
    path("projects/<slug:slug>/resume", views_projects.resume, name="project-resume"),
    path("projects/<slug:slug>/members", views_members.add, name="member-add"),
    path(
        "projects/<slug:slug>/members/<int:user_id>/role",
        views_members.change,
        name="member-change",
    ),
    path(
        "projects/<slug:slug>/members/<int:user_id>/remove",
        views_members.remove,
        name="member-remove",
    ),
    path("_/projects", views_projects.rows, name="live-projects"),
    path("_/projects/<slug:slug>", views_projects.live_detail, name="live-project"),
    path("_/projects/<slug:slug>/preview", views_projects.preview, name="project-preview"),
    path("", include("projects.urls")),
    path("", include("jobs.urls")),
    path("", include(providers)),
    path("api/", include("orchestrator.api_urls")),
    path("admin/", admin.site.urls),
]

handler400 = views_wrong.bad_request
handler403 = views_wrong.forbidden
handler404 = views_wrong.not_found
handler500 = views_wrong.server_error
