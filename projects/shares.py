"""A project's share of the instance: its weight in the fair turn, its limits, and its pause.

Who runs the instance sets weight and limits; a project's admins pause and resume it, and so may
who runs the instance. Each change is one transaction with its event and its notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Annotated, Any

from django.db import transaction
from django.db.models.functions import Now
from pydantic import AfterValidator, Field

from projects.actor import Actor
from projects.errors import Forbidden
from projects.events import Happening, record
from projects.models import Project, Role
from projects.notify import LiveChanges, notify_engine, notify_live
from projects.rules import one_line
from projects.selectors import share_get
from projects.strict import StrictModel, parse_strict

MAX_BYTES = 4096
_MILLION = 1_000_000


def _some(value: float | None) -> float | None:
    """A rule: a limit of nothing would be a pause that nobody sees."""
    if value is not None and value <= 0:
        raise ValueError("Use more than 0, or pause the project to let nothing start.")
    return value


Count = Annotated[int, Field(le=_MILLION), AfterValidator(_some)]


class ShareChange(StrictModel):
    """Weight and limits; what is left out stays as it is, and null takes a limit away."""

    weight: int = Field(
        default=100, ge=1, le=10_000, description="In the fair turn: 200 gets twice what 100 gets."
    )
    running: Count | None = Field(default=None, description="Most jobs that run at once.")
    cpu_cores: Annotated[float, Field(le=_MILLION), AfterValidator(_some)] | None = Field(
        default=None, description="Most cores of all that runs at once; 0.5 is half of one."
    )
    memory_mb: Annotated[int, Field(le=2**31 - 1), AfterValidator(_some)] | None = Field(
        default=None, description="Most memory of all that runs at once, in MiB."
    )
    gpus: Annotated[int, Field(ge=0, le=_MILLION)] | None = Field(
        default=None, description="Most GPUs of all that runs at once; 0: none at all."
    )
    queued: Annotated[int, Field(ge=0, le=_MILLION)] | None = Field(
        default=None, description="Most jobs that wait; 0: nothing may be submitted."
    )
    submits_per_minute: Annotated[int, Field(ge=1, le=_MILLION)] | None = Field(
        default=None, description="Most jobs that are submitted in a minute."
    )


class PauseIn(StrictModel):
    """Why it is paused, for everybody whose jobs wait."""

    note: Annotated[str, Field(max_length=200), AfterValidator(one_line)] = ""


LIMITS = ("running", "cpu_cores", "memory_mb", "gpus", "queued", "submits_per_minute")
_COLUMNS = {
    "weight": "weight",
    "running": "max_running",
    "cpu_cores": "max_cpu_millis",
    "memory_mb": "max_memory_mb",
    "gpus": "max_gpus",
    "queued": "max_queued",
    "submits_per_minute": "submits_per_minute",
}


def share_values(project: Project) -> dict[str, Any]:
    """Weight and limits by their names in `ShareChange`; cores as cores."""
    found = {name: getattr(project, column) for name, column in _COLUMNS.items()}
    if found["cpu_cores"] is not None:
        found["cpu_cores"] /= 1000
    return found


def may_limit(actor: Actor) -> bool:
    """True for who sets weight and limits: operators."""
    return actor.may_operate


def may_pause(actor: Actor, project: Project) -> bool:
    """True for who pauses and resumes: the project's admins, and operators."""
    return actor.may(Role.ADMIN, project.pk) or actor.may_operate


def share_set(actor: Actor, slug: str, fields: Mapping[str, Any]) -> Project:
    """Change the fields that are there (of `ShareChange`) and leave the others; a limit may be
    below what is in use, which goes on.

    Raises Invalid, Forbidden, NotFound.
    """
    _must_limit(actor, share_get(actor, slug))
    values = _checked(fields)
    with transaction.atomic():
        project = _locked(actor, slug)
        before = share_values(project)
        _put(project, values)
        after = share_values(project)
        changes = {
            name: [before[name], after[name]] for name in before if before[name] != after[name]
        }
        if changes:
            project.save(update_fields=[_COLUMNS[name] for name in changes])
            _tell(actor, project, "project.limits", {"changes": changes})
    return project


def share_changed(actor: Actor, slug: str, fields: Mapping[str, Any]) -> Project:
    """The project as it would be after that change; nothing is written. Raises as `share_set`."""
    project = share_get(actor, slug)
    _must_limit(actor, project)
    after = copy(project)
    _put(after, _checked(fields))
    return after


def project_pause(actor: Actor, slug: str, fields: Mapping[str, Any]) -> Project:
    """Let nothing of the project start until it is resumed; what runs goes on. Of one that is
    paused another note takes the place of the one before. `fields` are those of `PauseIn`.

    Raises Invalid, Forbidden, NotFound.
    """
    _must_pause(actor, share_get(actor, slug))
    note = parse_strict(PauseIn, fields, most_bytes=MAX_BYTES).note.strip()
    with transaction.atomic():
        project = _locked(actor, slug)
        if project.paused_at is not None and project.pause_note == note:
            return project
        since = {} if project.paused_at else {"paused_at": Now()}
        Project.objects.filter(pk=project.pk).update(paused_by=actor.name, pause_note=note, **since)
        project.refresh_from_db()
        _tell(actor, project, "project.paused", {"note": note} if note else {})
    return project


def project_resume(actor: Actor, slug: str) -> Project:
    """Let its jobs start again; of one that is not paused this changes nothing.

    Raises Forbidden, NotFound.
    """
    _must_pause(actor, share_get(actor, slug))
    with transaction.atomic():
        project = _locked(actor, slug)
        if project.paused_at is not None:
            project.paused_at, project.paused_by, project.pause_note = None, "", ""
            project.save(update_fields=["paused_at", "paused_by", "pause_note"])
            _tell(actor, project, "project.resumed", {})
    return project


def pause_words(project: Project) -> str:
    """Who paused it, and what they wrote; "" while it is not paused."""
    if project.paused_at is None:
        return ""
    by = project.paused_by or "somebody"
    return f"{by} wrote “{project.pause_note}”" if project.pause_note else f"by {by}"


def _must_limit(actor: Actor, project: Project) -> None:
    if not may_limit(actor):
        raise Forbidden(f"Only operators (staff) set the weight and the limits of {project.slug}.")


def _must_pause(actor: Actor, project: Project) -> None:
    if not may_pause(actor, project):
        raise Forbidden(f"Only admins of {project.slug} and operators may pause or resume it.")


def _locked(actor: Actor, slug: str) -> Project:
    """The project, its row locked until the transaction ends."""
    pk = share_get(actor, slug).pk
    return Project.objects.select_for_update(no_key=True).get(pk=pk)


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    change = parse_strict(ShareChange, fields, most_bytes=MAX_BYTES)
    return change.model_dump(exclude_unset=True)


def _put(project: Project, values: Mapping[str, Any]) -> None:
    """Set the columns; cores become thousandths, never none of them."""
    for name, value in values.items():
        if name == "cpu_cores" and value is not None:
            value = max(1, round(value * 1000))
        setattr(project, _COLUMNS[name], value)


def _tell(actor: Actor, project: Project, event: str, detail: Mapping[str, Any]) -> None:
    """The event and the notices: the planner looks again, and so do pages of the project."""
    record([Happening("project", project.pk, event, project.pk, detail=detail)], actor)
    notify_live(LiveChanges(resync={project.pk}))
    notify_engine("jobs")
