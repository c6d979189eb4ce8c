"""What holds a job up besides room: who paused its project, which limit it is at, which jobs have
its key, for whom a provider is kept free. Told from the reason that the planner has stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.allowance import bounding
from jobs.held import Held
from jobs.models import Attempt, Job
from jobs.project_use import limits_of
from jobs.queue import in_use, keys_in_use
from projects.actor import Actor
from projects.models import Project
from projects.quantities import cores_text, memory_text

MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class HoldUp:
    """A sentence, and the jobs that it speaks of as far as the reader may see them."""

    words: str
    jobs: tuple[Job, ...] = ()


def hold_up(
    actor: Actor, project: Project, reason: str, detail: Mapping[str, Any]
) -> HoldUp | None:
    """What a job of the project that waits for this reason is held up by; None where it is room
    alone, or nothing."""
    match reason:
        case "paused":
            return HoldUp("Nothing of it starts until somebody resumes it; what runs goes on.")
        case "key_limit":
            return _by_key(actor, project, str(detail.get("key", "")), int(detail.get("limit", 1)))
        case "project_limit" | "above_project_limit":
            return HoldUp(_in_use(project), _largest(actor, project, str(detail.get("limit", ""))))
        case "kept_free" | "kept_limit":
            ahead = seen(actor, [int(detail.get("job", 0))])
            name = f"{ahead[0].name}, job {ahead[0].pk}," if ahead else "Another project's job"
            return HoldUp(f"{name} has waited longest of all and goes first.", ahead)
    return None


def _by_key(actor: Actor, project: Project, key: str, limit: int) -> HoldUp:
    live, _ = keys_in_use([(project.pk, key)]).get((project.pk, key), ([], []))
    if not live:
        return HoldUp(f"No job with the key {key} runs now; it goes at the next look.")
    return HoldUp(f"{len(live)} of {limit} with the key {key} run now.", seen(actor, live))


def _in_use(project: Project) -> str:
    """What the project uses now, of what it may, measure by measure that has a limit."""
    held = in_use().projects.get(project.pk, Held())
    told = [
        f"{text(used)} of {text(limit)} {unit}".rstrip()
        for used, limit, text, unit in (
            (held.attempts, project.max_running, str, "running jobs"),
            (held.cpu_millis, project.max_cpu_millis, cores_text, "CPU"),
            (held.memory_mb, project.max_memory_mb, memory_text, "of memory"),
            (held.gpus, project.max_gpus, str, "GPU"),
        )
        if limit is not None
    ]
    return f"{project.slug} uses {', '.join(told)} now." if told else ""


_MEASURES = ("job_id", "-cpu_millis", "-memory_mb", "-gpus")


def _largest(actor: Actor, project: Project, limit: str) -> tuple[Job, ...]:
    """The project's live jobs that hold the most of what its limit bounds; the oldest, where that
    is their number."""
    measure = _MEASURES[bounding(limits_of(project), limit)]
    live = Attempt.objects.filter(job__project=project, ended_at=None)
    jobs = list(live.order_by(measure, "job_id").values_list("job_id", flat=True)[:MOST_NAMED])
    found = {job.pk: job for job in seen(actor, jobs)}
    return tuple(found[job] for job in jobs if job in found)


def seen(actor: Actor, jobs: Sequence[int]) -> tuple[Job, ...]:
    """The first of these jobs that the actor may see."""
    found = Job.objects.filter(pk__in=jobs[:MOST_NAMED]).order_by("pk")
    visible = actor.project_ids()
    if visible is not None:
        found = found.filter(project__in=visible)
    return tuple(found.only("name", "state", "project_id"))
