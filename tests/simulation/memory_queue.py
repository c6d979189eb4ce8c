"""The twin's leases and its queue: who may plan, what waits, and what is placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from jobs.states import JobState, Who, job_edge
from orchestrator.scheduling.commit_check import still_fitting, view_of
from orchestrator.scheduling.limits import Limits
from orchestrator.scheduling.policy import Placed, Plan, Told
from orchestrator.scheduling.snapshot import Demand, Snapshot, WaitingClass
from orchestrator.store import ALL_ALIKE, Site
from projects.notify import JobChange, LiveChanges
from providers.leases import Fence
from tests.simulation.rows import PROJECT, AttemptRow, ClassRow, JobRow, LeaseRow, Rows


class MemoryQueue:
    """What of the store concerns leases and jobs that wait; times are the rows' clock."""

    def __init__(self, rows: Rows, holder: str, ttl: float) -> None:
        self.rows = rows
        self.holder = holder
        self._ttl = timedelta(seconds=ttl)

    def fenced(self, fence: Fence) -> bool:
        """True while that lease is held at that term."""
        lease = self.rows.leases.get(fence.name)
        return lease is not None and lease.term == fence.term

    # --- leases ---

    def acquire(self, names: Sequence[str], dead_holders: Sequence[str]) -> list[Fence]:
        taken, now = [], self.rows.now()
        for name in sorted(set(names)):
            lease = self.rows.leases.get(name)
            free = (
                lease is None
                or lease.expires_at <= now
                or lease.holder in ("", self.holder, *dead_holders)
            )
            if free:
                term = lease.term + 1 if lease else 1
                self.rows.leases[name] = LeaseRow(self.holder, term, now + self._ttl)
                taken.append(Fence(name, term))
        return taken

    def renew(self, held: Sequence[Fence]) -> set[str]:
        kept = set()
        for fence in held:
            lease = self.rows.leases[fence.name]
            if self.fenced(fence) and lease.holder == self.holder:
                lease.expires_at = self.rows.now() + self._ttl
                kept.add(fence.name)
        return kept

    def release(self, held: Sequence[Fence]) -> None:
        for fence in held:
            if self.fenced(fence):
                lease = self.rows.leases[fence.name]
                lease.holder, lease.expires_at = "", self.rows.now()

    # --- the queue ---

    def sites(self) -> list[Site]:
        return [
            Site(p.pk, p.name, p.kind, p.options, p.rev, p.lost_after_seconds)
            for p in self.rows.providers.values()
            if not p.deleted
        ]

    def tend_queue(self, fence: Fence) -> LiveChanges:
        if not self.fenced(fence):
            return LiveChanges()
        now, changed = self.rows.now(), []
        for job in self.rows.jobs.values():
            if job.state != JobState.PENDING:
                continue
            if job.not_before is not None and job.not_before <= now:
                job.not_before, job.reason, job.detail = None, "queued", {}
                job.queued_at = job.queued_at if job.waits_on else now
                job.queue_until = job.limit_from(now)
                self.rows.touch(job)
                changed.append(job)
            if job.queue_until is not None and job.queue_until <= now and self._expire(job):
                changed.append(job)
        return _told(changed)

    def snapshot(self, depth: int = 32, deeper: Mapping[int, int] = ALL_ALIKE) -> Snapshot:
        found: dict[int, list[JobRow]] = {}
        for job in self.rows.jobs.values():
            if job.in_line:
                found.setdefault(job.kind.pk, []).append(job)
        for kind in self.rows.classes.values():
            if kind.reason != "queued":
                found.setdefault(kind.pk, [])
        if not found:
            return Snapshot()
        held = self.rows.held()
        return Snapshot(
            classes=tuple(
                self._class(
                    priority, demand, kind, found[kind.pk], max(depth, deeper.get(kind.pk, 0))
                )
                for (priority, demand), kind in self.rows.classes.items()
                if kind.pk in found
            ),
            providers=tuple(
                view_of(p, held.get(p.pk), self.rows.now())
                for p in self.rows.providers.values()
                if not p.deleted and p.mode != "inactive"
            ),
            now=self.rows.now().timestamp(),
        )

    def _class(
        self, priority: int, demand: Demand, kind: ClassRow, jobs: list[JobRow], depth: int
    ) -> WaitingClass:
        jobs = sorted(jobs, key=lambda job: (job.queued_at, job.pk))
        return WaitingClass(
            id=kind.pk,
            project=PROJECT,
            priority=priority,
            demand=demand,
            jobs=tuple(job.pk for job in jobs[:depth]),
            since=tuple(job.queued_at.timestamp() for job in jobs[:depth]),
            more=len(jobs) > depth,
            told=(kind.reason, kind.detail),
        )

    def commit_plan(
        self, fence: Fence, plan: Plan, *, wake_hosts: bool = True
    ) -> tuple[int, LiveChanges]:
        if not self.fenced(fence):
            return 0, LiveChanges()
        held, now = self.rows.held(), self.rows.now()
        views = {
            p.pk: view_of(p, held.get(p.pk), now)
            for p in self.rows.providers.values()
            if not p.deleted and p.mode == "active"
        }
        placed = [
            job
            for p in still_fitting(plan.placements, views, Limits({}, {}))
            if (job := self._place(p)) is not None
        ]
        live = _told(placed)
        live.resync = {PROJECT for wait in plan.waits if self._explain(wait)}
        if placed and wake_hosts:
            self.rows.notify("placed")
        return len(placed), live

    def _place(self, placed: Placed) -> JobRow | None:
        job = self.rows.jobs[placed.job]
        if not may(job, JobState.SCHEDULED, Who.SCHEDULER):
            return None
        if job.held or job.cancel_requested_at is not None:
            return None
        job.state, job.reason = JobState.SCHEDULED, "placed"
        job.detail = {"provider": placed.provider_name}
        job.provider, job.not_before = placed.provider, None
        job.attempt += 1
        attempt = AttemptRow(
            pk=len(self.rows.attempts) + 1,
            job=job,
            number=job.attempt,
            uid=self.rows.new_uid(),
            provider=placed.provider,
        )
        self.rows.attempts[attempt.pk] = self.rows.live[attempt.pk] = attempt
        self.rows.touch(job)
        self.rows.changed.append(attempt)
        return job

    def _explain(self, wait: Told) -> bool:
        kind = next(k for k in self.rows.classes.values() if k.pk == wait.waiting)
        if (kind.reason, kind.detail) == (wait.reason, wait.detail):
            return False
        kind.reason, kind.detail = wait.reason, wait.detail
        return True

    def _expire(self, job: JobRow) -> bool:
        if not may(job, JobState.FAILED, Who.SCHEDULER):
            return False
        job.state, job.reason = JobState.FAILED, "queue_timeout"
        self.rows.touch(job)
        return True


def _told(jobs: Sequence[JobRow]) -> LiveChanges:
    live = LiveChanges()
    live.add_jobs(change(job) for job in jobs)
    return live


def may(job: JobRow, target: JobState, who: Who) -> bool:
    """Whether the table lets this actor bring the job there."""
    edge = job_edge(JobState(job.state), target)
    return edge is not None and who in edge.who


def change(job: JobRow) -> JobChange:
    """What pages are told of it."""
    return JobChange(job.pk, job.rev, PROJECT)
