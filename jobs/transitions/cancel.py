"""Cancelling: a pending job ends now; of one that is placed or runs, its host is to be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import F
from django.db.models.functions import Now

from jobs.models import Job
from jobs.states import TERMINAL, JobState
from jobs.transitions.last_run import LAST_RUN
from projects.actor import Actor
from projects.events import Happening, record
from projects.notify import JobChange


@dataclass(slots=True)
class Cancelled:
    """Which jobs ended at once, which are to be told to stop, and which had ended already. One
    that was told to stop before is none of these."""

    ended: list[Job] = field(default_factory=list)
    stopping: list[Job] = field(default_factory=list)
    already: list[int] = field(default_factory=list)

    def changes(self) -> list[JobChange]:
        """What pages are to be told."""
        return [
            *(JobChange(job.pk, job.rev, job.project_id) for job in self.stopping),
            *(JobChange(job.pk, job.rev, job.project_id, ended=True) for job in self.ended),
        ]


def locked(jobs: Iterable[int]) -> list[Job]:
    """The rows to cancel, locked in the order of their numbers: the planner and the host see
    one or the other."""
    return list(
        Job.objects.filter(pk__in=list(jobs))
        .order_by("pk")
        .select_for_update(no_key=True)
        .only("id", "state", "project_id", "rev", "cancel_requested_at")
    )


def cancel(jobs: Sequence[Job], actor: Actor) -> Cancelled:
    """Cancel these locked rows inside the caller's transaction, which tells pages and hosts."""
    done = Cancelled()
    for job in jobs:
        if job.state in TERMINAL:
            done.already.append(job.pk)
        elif job.state == JobState.PENDING:
            done.ended.append(job)
        elif job.cancel_requested_at is None:
            done.stopping.append(job)
    asked = {"cancel_requested_at": Now(), "cancel_requested_by": actor.name}
    by = {"by": actor.name}
    Job.objects.filter(pk__in=[job.pk for job in done.ended]).update(
        state=JobState.CANCELLED,
        reason="cancelled",
        reason_detail=by,
        finished_at=Now(),
        run_seconds=LAST_RUN,
        not_before=None,
        rev=F("rev") + 1,
        **asked,
    )
    Job.objects.filter(pk__in=[job.pk for job in done.stopping]).update(rev=F("rev") + 1, **asked)
    record(
        [
            *(
                Happening("job", j.pk, "job.cancelled", j.project_id, j.state,
                          JobState.CANCELLED, "cancelled", by)
                for j in done.ended
            ),
            *(
                Happening("job", j.pk, "job.cancel_requested", j.project_id, j.state, j.state,
                          "cancelled", by)
                for j in done.stopping
            ),
        ],
        actor,
    )  # fmt: skip
    for job in (*done.ended, *done.stopping):
        job.rev += 1
    return done
