"""What the API shows of projects and their shares of the instance."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from jobs.project_use import ProjectUse, below_use
from projects.models import Project
from projects.shares import LIMITS, share_values


class ProjectLimits(BaseModel):
    """What a project may use and submit; null: no limit. Cores as cores, memory in MiB."""

    running: int | None
    cpu_cores: float | None
    memory_mb: int | None
    gpus: int | None
    queued: int | None
    submits_per_minute: int | None


class ProjectUsed(BaseModel):
    """What it uses now, in the measures of its limits."""

    running: int = Field(description="Jobs that are placed or run.")
    cpu_cores: float
    memory_mb: int
    gpus: int
    queued: int = Field(description="Jobs that wait: in line, held, or before a retry.")
    submits_per_minute: int | None = Field(
        description="Submitted in the last minute; null where no limit asks for that."
    )


class ProjectPaused(BaseModel):
    """Since when nothing of it starts, and why."""

    at: datetime
    by: str
    note: str


class ProjectOut(BaseModel):
    """A project with its share of the instance."""

    slug: str
    name: str
    weight: int = Field(description="In the fair turn: 200 gets twice what 100 gets.")
    limits: ProjectLimits
    used: ProjectUsed
    paused: ProjectPaused | None
    warnings: list[str] = Field(description="What limits below what is in use mean.")


class ProjectList(BaseModel):
    """One page of projects."""

    items: list[ProjectOut]
    next_cursor: str | None


def project_values(project: Project, use: ProjectUse) -> dict[str, Any]:
    """A project as plain values."""
    share = share_values(project)
    paused = project.paused_at and {
        "at": project.paused_at,
        "by": project.paused_by,
        "note": project.pause_note,
    }
    return {
        "slug": project.slug,
        "name": project.name,
        "weight": project.weight,
        "limits": {name: share[name] for name in LIMITS},
        "used": {
            "running": use.held.attempts,
            "cpu_cores": use.held.cpu_millis / 1000,
            "memory_mb": use.held.memory_mb,
            "gpus": use.held.gpus,
            "queued": use.queued,
            "submits_per_minute": use.submitted,
        },
        "paused": paused,
        "warnings": list(below_use(project, use)),
    }
