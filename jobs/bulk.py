"""One action on many jobs: what it would hit, and one batch of it.

A batch goes the way of a single job: rights are asked per job, the change is made by
`jobs/transitions` with an event by the actor. What came of each job is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q

from jobs import search, services, transitions
from jobs.bulk_words import Action, Fate
from jobs.filters import JobFilter
from jobs.models import Job
from jobs.search import Found, first_of, ids_of
from jobs.selectors import MOST_COUNTED, jobs_of
from jobs.states import ACTIVE, TERMINAL, JobState
from jobs.stretches import ALL, FIRST_SIZE
from projects.actor import Actor
from projects.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound
from projects.models import Role

MOST = 1000
"""Jobs of one action; there may be more, and it is told."""
SECONDS = 0.5
"""What a preview may take: its searches one after the other, each until that time is over."""


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
    fit, unfit = _sorted(action)
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


def _sorted(action: Action) -> tuple[Q, dict[Fate, Q]]:
    """The jobs that an action is for, and the others by what is told of them."""
    live, ended = Q(state__in=sorted(set(JobState) - TERMINAL)), Q(state__in=sorted(TERMINAL))
    waits, placed = Q(state=JobState.PENDING), Q(state__in=sorted(ACTIVE))
    asked_before = Q(cancel_requested_at__isnull=False)
    gone = {Fate.STARTED: placed, Fate.FINISHED: ended}
    match action:
        case Action.CANCEL:
            stopping = {Fate.STOPPING_BEFORE: live & asked_before}
            return live & ~asked_before, {Fate.FINISHED: ended} | stopping
        case Action.RERUN:
            return ended, {Fate.UNFINISHED: live}
        case Action.HOLD:
            return waits & Q(held=False), {Fate.SAME: waits & Q(held=True)} | gone
        case Action.RELEASE:
            return waits & Q(held=True), {Fate.FREE: waits & Q(held=False)} | gone
    return waits, gone


def cancel_batch(actor: Actor, jobs: Sequence[int]) -> Counter[Fate]:
    """Ask these jobs to end; what came of them."""
    allowed, fates = allowed_of(actor, jobs)
    result = transitions.request_cancel(sorted(allowed), actor)
    fates[Fate.CANCELLED] += len(result.cancelled)
    fates[Fate.STOPPING] += len(result.requested)
    fates[Fate.FINISHED] += len(result.already)
    told = len(result.cancelled) + len(result.requested) + len(result.already)
    fates[Fate.STOPPING_BEFORE] += len(allowed) - told
    return +fates


def rerun_batch(
    actor: Actor, jobs: Sequence[int], *, token: str
) -> tuple[Counter[Fate], list[int]]:
    """Submit these jobs again; with the same token a job is submitted again only once. What came
    of them, and the new jobs."""
    allowed, fates = allowed_of(actor, jobs)
    made = []
    for job_id in sorted(allowed):
        if allowed[job_id] not in TERMINAL:
            fates[Fate.UNFINISHED] += 1
            continue
        try:
            key = f"again-{token}-{job_id}" if token else None
            again, _ = services.job_rerun(actor, job_id=job_id, idempotency_key=key)
            made.append(again.pk)
            fates[Fate.RERUN] += 1
        except NotFound:
            fates[Fate.GONE] += 1
        except Forbidden:
            fates[Fate.FORBIDDEN] += 1
        except (Invalid, Conflict):
            fates[Fate.REFUSED] += 1
        except LimitReached:
            fates[Fate.LIMITED] += 1
    return +fates, made


def allowed_of(actor: Actor, jobs: Sequence[int]) -> tuple[dict[int, str], Counter[Fate]]:
    """Of these jobs those that the actor may change, with their states; the others are counted."""
    meant = set(jobs)
    rows = jobs_of(actor).filter(pk__in=meant).values_list("pk", "project_id", "state")
    found = {pk: (project, state) for pk, project, state in rows}
    allowed = {
        pk: state for pk, (project, state) in found.items() if actor.may(Role.SUBMITTER, project)
    }
    fates = Counter({Fate.GONE: len(meant) - len(found), Fate.FORBIDDEN: len(found) - len(allowed)})
    return allowed, fates
