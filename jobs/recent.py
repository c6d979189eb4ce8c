"""What a new job may begin with: jobs that this person has submitted lately, and images that
were run lately in the projects they may see. Both are bounded reads along an index."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from jobs.models import Job
from jobs.selectors import jobs_of
from projects.actor import Actor
from projects.models import Role

MOST_STARTS = 8
MOST_IMAGES = 20
_LOOKED_AT = 100
"""So many of the newest jobs are read, however many there are."""
_PROJECTS_LOOKED_AT = 20
_NOT_HAD = ("image_not_found", "image_denied")


def recent_starts(actor: Actor) -> list[Job]:
    """The actor's newest jobs, each name of a project once, in projects they may submit to."""
    found = Job.objects.filter(submitted_by=actor.id, submitted_by__isnull=False)
    newest = (
        found.select_related("project")
        .only("pk", "name", "image", "state", "reason", "held", "created_at", "project__slug")
        .order_by("-pk")[:_LOOKED_AT]
    )
    mine = (job for job in newest if actor.may(Role.SUBMITTER, job.project_id))
    once: dict[tuple[int, str], Job] = {}
    for job in mine:
        once.setdefault((job.project_id, job.name), job)
    return list(once.values())[:MOST_STARTS]


def recent_images(actor: Actor) -> list[str]:
    """The images of the newest jobs that the actor may see, each once, newest first, without
    those that could not be had."""
    ids = actor.project_ids()
    if ids is None:
        found = [_newest(jobs_of(actor))]
    else:
        # One read for each project: the newest of a few small ones among many others could
        # be far back.
        some = sorted(ids)[:_PROJECTS_LOOKED_AT]
        found = [_newest(Job.objects.filter(project=one)) for one in some]
    if not found:
        return []
    first, *others = found
    newest = first.union(*others, all=True).order_by("-pk") if others else first
    had = (image for _, image, reason in newest if reason not in _NOT_HAD)
    return list(dict.fromkeys(had))[:MOST_IMAGES]


def _newest(jobs: QuerySet[Job]) -> QuerySet[Job, Any]:
    return jobs.order_by("-pk").values_list("pk", "image", "reason")[:_LOOKED_AT]
