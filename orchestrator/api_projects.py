"""The API's projects: operators make them and set their shares of the instance; their pause is
also for their own admins."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from jobs.project_use import project_use
from orchestrator.project_schemas import ProjectList, ProjectOut, project_values
from projects.cursors import Page, make_cursor, read_cursor
from projects.http import (
    json_body,
    json_reply,
    object_body,
    only_parameters,
    page_reply,
    read_limit,
    request_actor,
)
from projects.models import Project
from projects.selectors import share_get, shares_of
from projects.services import project_create
from projects.shares import project_pause, project_resume, share_set

router = Router(tags=["Projects"])
_LIST = {"projects": ["all"]}


@router.post("/projects", response={201: ProjectOut})
def project_new(request: HttpRequest) -> HttpResponse:
    """Make a project, with its first admin. Operators only."""
    project = project_create(request_actor(request), object_body(request))
    reply = _shown(project, 201)
    reply["Location"] = f"/api/v1/projects/{project.slug}"
    return reply


@router.get("/projects", response=ProjectList)
def project_list(request: HttpRequest) -> HttpResponse:
    """Your projects, or all for an operator, in the order they were made: weight, limits, what
    is used, what waits, whether it is paused."""
    only_parameters(request.GET, ("limit", "cursor"))
    limit, cursor = read_limit(request.GET), request.GET.get("cursor")
    after = read_cursor(cursor, _LIST) if cursor else 0
    rows = shares_of(request_actor(request)).filter(pk__gt=after).order_by("pk")
    found = list(rows[: limit + 1])
    items = found[:limit]
    more = make_cursor(items[-1].pk, _LIST) if len(found) > limit else None
    use = project_use(items)
    return page_reply(request, Page(items, more), lambda p: project_values(p, use[p.pk]))


@router.get("/projects/{slug:slug}", response=ProjectOut)
def project_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One project."""
    return _shown(share_get(request_actor(request), slug))


@router.patch("/projects/{slug:slug}/limits", response=ProjectOut)
def project_limits(request: HttpRequest, slug: str) -> HttpResponse:
    """Set weight and limits: those that are sent; null takes a limit away. A limit may be below
    what is in use, which goes on: `warnings` tells what that means."""
    return _shown(share_set(request_actor(request), slug, object_body(request)))


@router.post("/projects/{slug:slug}/pause", response=ProjectOut)
def project_pauses(request: HttpRequest, slug: str) -> HttpResponse:
    """Let nothing of it start until it is resumed; what runs goes on, and jobs may be
    submitted. The body, if any, has a note for those whose jobs wait."""
    fields = json_body(request, optional=True)
    return _shown(project_pause(request_actor(request), slug, {} if fields is None else fields))


@router.post("/projects/{slug:slug}/resume", response=ProjectOut)
def project_resumes(request: HttpRequest, slug: str) -> HttpResponse:
    """Let its jobs start again."""
    return _shown(project_resume(request_actor(request), slug))


def _shown(project: Project, status: int = 200) -> HttpResponse:
    return json_reply(project_values(project, project_use([project])[project.pk]), status)
