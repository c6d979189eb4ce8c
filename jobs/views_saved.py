"""The person's saved views of the list: keep one, and mend those there are."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from jobs.list_page import address_of_view
from jobs.models import SavedView
from jobs.saved_views import (
    default_view,
    view_delete,
    view_rename,
    view_save,
    view_set_default,
    views_of,
)
from jobs.sorts import Sort
from projects.actor import Actor
from projects.errors import Conflict, Invalid
from projects.pages import page_actor, refusals


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def view_list(request: HttpRequest) -> HttpResponse:
    """The person's views (GET); keep the list that the form is about (POST)."""
    actor = page_actor(request)
    if request.method != "POST":
        return _shown(request, actor)
    form = {name: request.POST.get(name, "") for name in ("name", "q", "sort", "default")}
    try:
        view = view_save(
            actor,
            name=form["name"],
            query=form["q"],
            sort=form["sort"],
            default=bool(form["default"]),
        )
    except (Conflict, Invalid) as error:
        return _shown(request, actor, 422, form=form, problems=_words(error))
    messages.success(request, f"Saved: “{view.name}” shows this list.")
    return redirect(f"{reverse('jobs:list')}?{address_of_view(view)}")


@require_POST
@refusals
def rename(request: HttpRequest, view_id: int) -> HttpResponse:
    """Another name."""
    actor = page_actor(request)
    name = request.POST.get("name", "")
    try:
        view_rename(actor, view_id=view_id, name=name)
    except (Conflict, Invalid) as error:
        wrong = {"view": view_id, "name": name, "words": _words(error)}
        return _shown(request, actor, 422, wrong=wrong)
    return redirect("jobs:views")


@require_POST
@refusals
def default(request: HttpRequest, view_id: int) -> HttpResponse:
    """Open the page of jobs with it, or with `off` no longer."""
    view_set_default(page_actor(request), view_id=view_id, default=not request.POST.get("off"))
    return redirect("jobs:views")


@require_POST
@refusals
def delete(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget it."""
    view = view_delete(page_actor(request), view_id=view_id)
    messages.success(request, f"Deleted the view “{view.name}”.")
    return redirect("jobs:views")


def _shown(request: HttpRequest, actor: Actor, status: int = 200, **more: Any) -> HttpResponse:
    views = [(view, address_of_view(view), _label(view)) for view in views_of(actor)]
    context = {"views": views, "has_default": default_view(actor) is not None} | more
    return render(request, "jobs/views.html", context, status=status)


def _label(view: SavedView) -> str:
    return Sort(view.sort).label if view.sort in set(Sort) else view.sort


def _words(error: Conflict | Invalid) -> list[str]:
    if isinstance(error, Invalid):
        return [problem.detail for problem in error.problems]
    return [str(error)]
