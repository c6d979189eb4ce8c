"""What projects use of the instance now, and what of them waits: all counted from live rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count
from django.db.models.functions import Now

from jobs.allowance import Amounts
from jobs.held import Held
from jobs.models import Job
from jobs.queue import QueuedClass, in_use
from jobs.sql import fetch
from jobs.states import JobState
from projects.models import Project
from projects.quantities import cores_text, memory_text


@dataclass(frozen=True, slots=True)
class ProjectUse:
    """What live attempts hold; how many jobs wait, held ones and those before a retry too; how
    many were submitted in the last minute, None where no limit asks for that."""

    held: Held
    queued: int = 0
    submitted: int | None = None


@dataclass(frozen=True, slots=True)
class LineOfClass:
    """The jobs of one class that are in line: how many, and the first of them."""

    waiting: int
    first: QueuedClass


def limits_of(project: Project) -> Amounts:
    """What the project may use at once."""
    return Amounts(
        project.max_running, project.max_cpu_millis, project.max_memory_mb, project.max_gpus
    )


def project_use(projects: Collection[Project]) -> dict[int, ProjectUse]:
    """What each of these projects uses; three queries."""
    held = in_use().projects
    waiting = Job.objects.filter(
        state=JobState.PENDING, project__in=[project.pk for project in projects]
    )
    queued = dict(waiting.order_by().values_list("project").annotate(Count("pk")))
    limited = [project.pk for project in projects if project.submits_per_minute is not None]
    lately = Job.objects.filter(created_at__gt=Now() - timedelta(minutes=1), project__in=limited)
    submitted = dict(lately.order_by().values_list("project").annotate(Count("pk")))
    return {
        project.pk: ProjectUse(
            held.get(project.pk, Held()),
            queued.get(project.pk, 0),
            submitted.get(project.pk, 0) if project.pk in limited else None,
        )
        for project in projects
    }


def line_of(project: int, *, depth: int, most: int) -> list[LineOfClass]:
    """At most so many classes of the project in which jobs are in line, those of the highest
    priority first, with at most `depth` jobs of each."""
    rows = fetch("line_of_project", {"project": project, "depth": depth, "most": most})
    return [
        LineOfClass(
            waiting,
            QueuedClass(
                number, of, priority, demand, "", {}, tuple(jobs), tuple(since),
                more=waiting > len(jobs),
            ),
        )
        for number, of, priority, demand, waiting, jobs, since in rows
    ]  # fmt: skip


def below_use(project: Project, use: ProjectUse) -> Iterator[str]:
    """What it means that a limit is below what is used, for each that is."""
    running, held = use.held.attempts, use.held
    if (limit := project.max_running) is not None and running > limit:
        run = "1 runs" if running == 1 else f"{running:,} run"
        yield f"{run} now: nothing new starts until fewer than {limit:,} run."
    if (limit := project.max_cpu_millis) is not None and held.cpu_millis > limit:
        yield _holds(f"{cores_text(held.cpu_millis)} CPU", f"{cores_text(limit)} CPU")
    if (limit := project.max_memory_mb) is not None and held.memory_mb > limit:
        yield _holds(memory_text(held.memory_mb), memory_text(limit))
    if (limit := project.max_gpus) is not None and held.gpus > limit:
        yield _holds(f"{held.gpus:,} GPU", f"{limit:,} GPU")
    if (limit := project.max_queued) is not None and use.queued > limit:
        until = f"until fewer than {limit:,} wait" if limit else "while the limit is 0"
        wait = "1 waits" if use.queued == 1 else f"{use.queued:,} wait"
        yield f"{wait} now: nothing more may be submitted {until}."


def _holds(held: str, limit: str) -> str:
    return f"What runs holds {held}: nothing that needs it starts until it fits into {limit}."
