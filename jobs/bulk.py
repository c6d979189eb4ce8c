"""One action on many jobs: what it would hit, and one batch of it.

A batch goes the way of a single job: rights are asked per job, the change is made by
`jobs/transitions` with an event by the actor. What came of each job is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q

from jobs import search, services, transitions
from jobs.filters import JobFilter
from jobs.models import Job
from jobs.search import Found, first_of, ids_of
from jobs.selectors import MOST_COUNTED, jobs_of
from jobs.states import TERMINAL, JobState
from jobs.stretches import ALL, FIRST_SIZE
from projects.actor import Actor
from projects.errors import Conflict, Forbidden, Invalid, NotFound
from projects.models import Role

MOST = 1000
"""Jobs of one action; there may be more, and it is told."""
SECONDS = 0.5
"""What a preview may take: its searches one after the other, each until that time is over."""


class Action(StrEnum):
    """What can be done to many jobs."""

    CANCEL = "cancel"
    RERUN = "rerun"

    @property
    def batch(self) -> int:
        """How many jobs one request may take; a rerun reads and writes a whole spec."""
        return 200 if self is Action.CANCEL else 25


class Fate(StrEnum):
    """What came of a job, or would come of it."""

    CANCELLED = "cancelled"
    STOPPING = "stopping"
    RERUN = "rerun"
    FINISHED = "finished"
    STOPPING_BEFORE = "stopping_before"
    UNFINISHED = "unfinished"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    GONE = "gone"


_ONE_AND_MORE = {
    Fate.CANCELLED: ("cancelled", "cancelled"),
    Fate.STOPPING: ("is being stopped", "are being stopped"),
    Fate.RERUN: ("submitted again", "submitted again"),
    Fate.FINISHED: ("had already finished", "had already finished"),
    Fate.STOPPING_BEFORE: ("was being stopped already", "were being stopped already"),
    Fate.UNFINISHED: ("has not finished", "have not finished"),
    Fate.FORBIDDEN: ("is not yours to change", "are not yours to change"),
    Fate.REFUSED: ("could not be submitted again", "could not be submitted again"),
    Fate.GONE: ("is no longer there", "are no longer there"),
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would hit: jobs, newest first, their number by state, and what it would
    leave out and why. `more`: further jobs match, beyond MOST. `cut_short`: there was no time to
    look through all jobs; further ones may match."""

    hit: tuple[int, ...]
    states: Mapping[JobState, int]
    left_out: Mapping[Fate, tuple[int, bool]]
    more: bool = False
    cut_short: bool = False

    @property
    def total(self) -> tuple[int, bool]:
        """All jobs that were meant, and whether that number is exact."""
        counts = self.left_out.values()
        exact = not (self.more or self.cut_short) and all(exact for _, exact in counts)
        return len(self.hit) + sum(number for number, _ in counts), exact


def preview(actor: Actor, action: Action, meant: JobFilter | Sequence[int]) -> Preview:
    """What the action would do to the jobs of a filter, or to these."""
    listed = None if isinstance(meant, JobFilter) else sorted(set(meant))
    if isinstance(meant, JobFilter):
        where, among, size = meant.condition(), ids_of(meant), FIRST_SIZE
    else:
        where, among, size = Q(pk__in=listed), ALL, len(ALL)
    found = jobs_of(actor).filter(where)
    end = search.clock() + SECONDS

    def first(condition: Q, number: int) -> Found:
        left = end - search.clock()
        if left <= 0:
            return Found([], among)
        return first_of(found.filter(condition), number, among, seconds=left, size=size)

    def count(condition: Q) -> tuple[int, bool]:
        some = first(condition, MOST_COUNTED + 1)
        number = len(some.ids)
        return min(number, MOST_COUNTED), number <= MOST_COUNTED and not some.unseen

    mine = actor.project_ids(Role.SUBMITTER)
    own = Q() if mine is None else Q(project__in=sorted(mine))
    live, ended = Q(state__in=sorted(set(JobState) - TERMINAL)), Q(state__in=sorted(TERMINAL))
    asked_before = Q(cancel_requested_at__isnull=False)
    if action is Action.CANCEL:
        fit, unfit = live & ~asked_before, {
            Fate.FINISHED: ended, Fate.STOPPING_BEFORE: live & asked_before
        }  # fmt: skip
    else:
        fit, unfit = ended, {Fate.UNFINISHED: live}
    seen = first(fit & own, MOST + 1)
    hit = seen.ids[:MOST]
    states = Counter(Job.objects.filter(pk__in=hit).values_list("state", flat=True))
    left_out = {fate: count(condition) for fate, condition in unfit.items()}
    left_out[Fate.FORBIDDEN] = (0, True) if mine is None else count(fit & ~own)
    if listed is not None:
        left_out[Fate.GONE] = (len(listed) - found.count(), True)
    return Preview(
        tuple(hit),
        {state: states[state] for state in JobState if states[state]},
        {fate: counted for fate, counted in left_out.items() if counted[0]},
        more=len(seen.ids) > MOST,
        cut_short=bool(seen.unseen) or (0, False) in left_out.values(),
    )


def cancel_batch(actor: Actor, jobs: Sequence[int]) -> Counter[Fate]:
    """Ask these jobs to end; what came of them."""
    allowed, fates = _allowed(actor, jobs)
    result = transitions.request_cancel(sorted(allowed), actor)
    fates[Fate.CANCELLED] += len(result.cancelled)
    fates[Fate.STOPPING] += len(result.requested)
    fates[Fate.FINISHED] += len(result.already)
    told = len(result.cancelled) + len(result.requested) + len(result.already)
    fates[Fate.STOPPING_BEFORE] += len(allowed) - told
    return +fates


def rerun_batch(actor: Actor, jobs: Sequence[int], *, token: str) -> Counter[Fate]:
    """Submit these jobs again; with the same token a job is submitted again only once."""
    allowed, fates = _allowed(actor, jobs)
    for job_id in sorted(allowed):
        if allowed[job_id] not in TERMINAL:
            fates[Fate.UNFINISHED] += 1
            continue
        try:
            key = f"again-{token}-{job_id}" if token else None
            services.job_rerun(actor, job_id=job_id, idempotency_key=key)
            fates[Fate.RERUN] += 1
        except NotFound:
            fates[Fate.GONE] += 1
        except Forbidden:
            fates[Fate.FORBIDDEN] += 1
        except (Invalid, Conflict):
            fates[Fate.REFUSED] += 1
    return +fates


def sentence(fates: Mapping[Fate, int]) -> str:
    """What came of all jobs: "12 cancelled, 3 had already finished."."""
    told = [f"{fates[fate]:,} {words_of(fate, fates[fate])}" for fate in Fate if fates.get(fate)]
    return ", ".join(told) + "." if told else "Nothing was changed."


def words_of(fate: Fate, number: int) -> str:
    """A fate's words after a number."""
    return _ONE_AND_MORE[fate][number != 1]


def _allowed(actor: Actor, jobs: Sequence[int]) -> tuple[dict[int, str], Counter[Fate]]:
    """Of these jobs those the actor may change, with their states; the others are counted."""
    meant = set(jobs)
    rows = jobs_of(actor).filter(pk__in=meant).values_list("pk", "project_id", "state")
    found = {pk: (project, state) for pk, project, state in rows}
    allowed = {
        pk: state for pk, (project, state) in found.items() if actor.may(Role.SUBMITTER, project)
    }
    fates = Counter({Fate.GONE: len(meant) - len(found), Fate.FORBIDDEN: len(found) - len(allowed)})
    return allowed, fates
