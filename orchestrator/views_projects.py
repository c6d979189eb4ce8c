"""The pages of projects: the list, a new one, one of them, its share changed, its queue paused.
Parse, call, render."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs.project_use import below_use, project_use
from orchestrator.project_form import ProjectForm
from orchestrator.project_page import preview_of, project_detail, project_rows
from orchestrator.share_form import ShareForm
from projects.actor import Actor
from projects.errors import Conflict, Forbidden, Invalid
from projects.live_marks import list_mark
from projects.models import Project
from projects.pages import fragment, page_actor, refusals
from projects.selectors import share_get
from projects.services import project_create
from projects.shares import may_limit, project_pause, project_resume, share_changed, share_set


@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def index(request: HttpRequest) -> HttpResponse:
    """All projects that this person may see; an operator makes another one (POST)."""
    actor = page_actor(request)
    form = ProjectForm(request.POST if request.method == "POST" else None)
    if form.is_bound and (project := _made(actor, form)) is not None:
        messages.success(request, f"{project.slug} is made. Its share is set with Edit.")
        return redirect("project", project.slug)
    context = project_rows(actor) | {"form": form}
    return render(request, "projects/list.html", context, status=422 if form.is_bound else 200)


@require_safe
@refusals
def rows(request: HttpRequest) -> HttpResponse:
    """The list, live."""
    actor = page_actor(request)
    mark = list_mark(actor, "jobs", "providers")
    return fragment(request, "projects/_list.html", lambda: project_rows(actor), etag=mark)


@require_safe
@refusals
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One project."""
    actor = page_actor(request)
    context = project_detail(actor, share_get(actor, slug), request.GET.get("members", ""))
    return render(request, "projects/detail.html", context)


@require_safe
@refusals
def live_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One project, live."""
    actor = page_actor(request)
    project = share_get(actor, slug)
    mark = list_mark(actor, "jobs", "providers", also=project.pk)
    after = request.GET.get("members", "")
    return fragment(
        request, "projects/_detail.html", lambda: project_detail(actor, project, after), etag=mark
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Set weight and limits; beside them stands what that would do."""
    actor = page_actor(request)
    project = _limited_by(actor, slug)
    form = ShareForm(request.POST if request.method == "POST" else None, project)
    context: dict[str, Any] = {"project": project, "form": form}
    after = _after(actor, project, form, context)
    if after is not None and form.is_bound and "check" not in request.POST:
        return _saved(request, actor, project, form)
    context |= preview_of(project, after) if after is not None else {}
    status = 422 if form.is_bound and after is None else 200
    return render(request, "projects/edit.html", context, status=status)


@never_cache
@require_POST
@refusals
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What the form as it stands would do; nothing is kept."""
    actor = page_actor(request)
    project = _limited_by(actor, slug)
    form = ShareForm(request.POST, project)
    context: dict[str, Any] = {"project": project, "form": form}
    after = _after(actor, project, form, context)
    context |= preview_of(project, after) if after is not None else {}
    return render(request, "projects/_preview.html", context)


@require_POST
@refusals
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Let nothing of it start until it is resumed."""
    actor = page_actor(request)
    try:
        project = project_pause(actor, slug, {"note": request.POST.get("note", "")})
        messages.success(request, f"{project.slug} is paused: nothing of it starts.")
    except Invalid as error:
        context = project_detail(actor, share_get(actor, slug))
        wrong = {"note": request.POST.get("note", ""), "problems": error.problems}
        return render(request, "projects/detail.html", context | wrong, status=422)
    return redirect("project", slug)


@require_POST
@refusals
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Let its jobs start again."""
    project = project_resume(page_actor(request), slug)
    messages.success(request, f"{project.slug} is resumed: its jobs start when their turn comes.")
    return redirect("project", slug)


def _made(actor: Actor, form: ProjectForm) -> Project | None:
    """The new project; None where the form is wrong, which it then says."""
    if not form.is_valid():
        return None
    try:
        return project_create(actor, form.fields_given())
    except Invalid as error:
        form.blame(error.problems)
    except Conflict as error:
        form.add_error("slug", str(error))
    return None


def _limited_by(actor: Actor, slug: str) -> Project:
    project = share_get(actor, slug)
    if not may_limit(actor):
        raise Forbidden(f"Only operators (staff) set the weight and the limits of {slug}.")
    return project


def _after(
    actor: Actor, project: Project, form: ShareForm, context: dict[str, Any]
) -> Project | None:
    """The project as the form would have it; None where the form is wrong, which it then says.
    A form that was not sent changes nothing."""
    if not form.is_bound:
        return project
    if not form.is_valid():
        return None
    try:
        return share_changed(actor, project.slug, form.changes())
    except Invalid as error:
        context["problems"] = form.blame(error.problems)
        return None


def _saved(request: HttpRequest, actor: Actor, project: Project, form: ShareForm) -> HttpResponse:
    after = share_set(actor, project.slug, form.changes())
    over = list(below_use(after, project_use([after])[after.pk]))
    if over:
        messages.warning(request, f"Saved. {' '.join(over)}")
    else:
        messages.success(request, "Saved.")
    return redirect("project", project.slug)
