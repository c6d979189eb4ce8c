"""The in-memory twin of the store: the same calls, by the same tables and pure decisions.

Each call is one transaction: it happens wholly at one moment, or, when it raises, is a
mistake of the loop's that the simulation reports.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, get_args

from jobs.following import sequel
from jobs.log.store import Append
from jobs.stat_store import Measured
from jobs.states import ACTIVE, JobState, Phase, Who
from jobs.transitions import BatchResult, Move, Written
from orchestrator.reconcile import Wanted
from orchestrator.store import CancelWish, Leftover, Order, Request, Word
from projects.notify import LiveChanges
from providers.driver import Owned, Probe, RunSpec
from providers.leases import Fence
from tests.simulation.memory_queue import MemoryQueue, change, may
from tests.simulation.rows import AttemptRow, JobRow, Rows

INSTANCE = "00000000-0000-0000-0000-000000000001"


class MemoryStore(MemoryQueue):
    """One engine process's view of the rows."""

    def __init__(
        self,
        rows: Rows,
        holder: str,
        ttl: float,
        *,
        instance: str = INSTANCE,
        log_limit: int = 2**26,
    ) -> None:
        super().__init__(rows, holder, ttl)
        self.instance = instance
        self.log_limit = log_limit

    # --- attempts ---

    def news(self, providers: Collection[int]) -> frozenset[Word]:
        found = (
            any(a.phase is Phase.PLACED for a in self._on(providers)),
            any(
                j.cancel_requested_at is not None and j.state in ACTIVE and j.provider in providers
                for j in self.rows.jobs.values()
            ),
            bool(self.requests(providers)),
        )
        return frozenset(word for word, some in zip(get_args(Word), found, strict=True) if some)

    def placed(self, providers: Collection[int], known: Collection[int] = ()) -> list[Order]:
        placed = (a for a in self._on(providers) if a.phase is Phase.PLACED)
        return [self._order(a) for a in placed if a.pk not in known]

    def live(self, provider: int) -> list[Order]:
        return [self._order(a) for a in self._on((provider,))]

    def orders(self, attempts: Collection[int]) -> list[Order]:
        return [self._order(a) for a in self.rows.live.values() if a.pk in attempts]

    def wanted(self, provider: int) -> list[Wanted]:
        return [Wanted(a.pk, a.uid, a.phase) for a in self._on((provider,))]

    def _on(self, providers: Collection[int]) -> Iterable[AttemptRow]:
        return [a for a in self.rows.live.values() if a.provider in providers]

    def _order(self, attempt: AttemptRow) -> Order:
        job = attempt.job
        resources = job.spec.get("resources") or {}
        return Order(
            attempt=attempt.pk,
            job=job.pk,
            provider=attempt.provider,
            phase=attempt.phase,
            run=RunSpec(
                instance=self.instance,
                job=job.pk,
                attempt=attempt.number,
                uid=attempt.uid,
                term=attempt.term,
                name=f"job-{job.pk}",
                image="image",
                cpu_cores=job.demand.cpu_millis / 1000,
                memory_mb=job.demand.memory_mb,
            ),
            timeout_seconds=float(resources.get("timeout_seconds") or 86_400),
            handle=attempt.handle,
            started_at=attempt.started_at,
            fencing=attempt.fencing,
            cancel=_wish(attempt),
            log=attempt.log,
            cursor=attempt.cursor,
            not_seen=attempt.unseen,
        )

    def cancels(self, providers: Collection[int]) -> list[CancelWish]:
        wishes = (_wish(a) for a in self._on(providers) if a.job.state in ACTIVE)
        return [wish for wish in wishes if wish is not None]

    def apply(
        self, moves: Sequence[Move], live: LiveChanges | None, *, wake_scheduler: bool
    ) -> BatchResult:
        result = BatchResult([])
        for move in moves:
            written = self._move(move)
            result.written.append(written)
            if written is Written.DONE:
                result.jobs.append(change(self.rows.jobs[move.job]))
        if live is not None:
            live.add_jobs(result.jobs)
        if wake_scheduler:
            self.rows.notify("jobs")
        return result

    def _move(self, move: Move) -> Written:
        if not self.fenced(move.fence):
            return Written.FENCED
        attempt = self.rows.attempts[move.attempt]
        if attempt.phase not in move.sources():
            return Written.STALE
        attempt.phase = move.to or attempt.phase
        attempt.term, attempt.unseen = move.fence.term, False
        attempt.fencing = attempt.fencing or move.fencing
        attempt.handle = move.handle if move.handle is not None else attempt.handle
        attempt.started_at = move.started_at or attempt.started_at
        attempt.finished_at = move.finished_at or attempt.finished_at
        if attempt.log_complete is not False and move.log_complete is not None:
            attempt.log_complete = move.log_complete
        attempt.log_note = move.log_note or attempt.log_note
        if move.to is Phase.RUNNING:
            self._run_job(attempt.job)
        elif move.to is Phase.ENDED:
            self._end_job(move, attempt)
        self.rows.touch(attempt.job)
        self.rows.changed.append(attempt)
        return Written.DONE

    def _run_job(self, job: JobRow) -> None:
        if not may(job, JobState.RUNNING, Who.HOST):
            raise AssertionError(f"job {job.pk} is not scheduled, but its attempt runs")
        job.state, job.reason, job.detail = JobState.RUNNING, "", {}

    def _end_job(self, move: Move, attempt: AttemptRow) -> None:
        ending, job = move.ending, attempt.job
        assert ending is not None, "a move to `ended` brings its ending"
        after = sequel(ending, job)
        attempt.outcome, attempt.reason = ending.outcome, ending.reason
        attempt.exit_code = ending.exit_code
        del self.rows.live[attempt.pk]
        waits_on = job.state == JobState.SCHEDULED and not after.charged
        job.state, job.reason, job.detail = after.state, after.reason, after.detail
        job.exit_code = ending.exit_code if ending.exit_code is not None else job.exit_code
        job.charged += after.charged
        if after.state is JobState.PENDING:
            job.provider, job.queue_until = None, None
            job.waits_on = waits_on
            job.not_before = self.rows.now() + timedelta(seconds=after.delay_seconds)

    def phases(self, attempts: Collection[int]) -> dict[int, Phase]:
        return {pk: self.rows.attempts[pk].phase for pk in attempts}

    # --- logs ---

    def append_logs(self, appends: Sequence[Append], measured: Sequence[Measured] = ()) -> set[int]:
        for m in measured:
            if self.fenced(m.fence):
                self.rows.attempts[m.attempt].readings.append(m.reading)
        grown = set()
        for a in appends:
            attempt = self.rows.attempts[a.attempt]
            if not self.fenced(a.fence) or attempt.log.seq != a.before.seq:
                continue
            attempt.log, attempt.cursor = a.after, dict(a.cursor)
            attempt.chunks.extend(a.chunks)
            if a.note:
                attempt.log_complete, attempt.log_note = False, a.note
            self.rows.changed.append(attempt)
            grown.add(a.attempt)
        return grown

    def log_ends(self, attempts: Collection[int]) -> dict[int, int]:
        return {pk: self.rows.attempts[pk].log.seq for pk in attempts}

    def tell(self, live: LiveChanges) -> None: ...

    # --- what is seen of them ---

    def progress(self, fence: Fence, attempt: int, progress: Mapping[str, Any]) -> None:
        if not self.fenced(fence):
            return
        row = self.rows.attempts[attempt]
        if row.phase is Phase.PULLING:
            row.progress = progress
        self.rows.touch(row.job)

    def unseen(self, fence: Fence, attempts: Sequence[int], *, unseen: bool, why: str = "") -> None:
        if not self.fenced(fence):
            return
        for pk in attempts:
            if pk in self.rows.live:
                self.rows.live[pk].unseen = unseen
                self.rows.touch(self.rows.live[pk].job)

    def leftovers(self, provider: int) -> list[Leftover]:
        return [
            Leftover(a.pk, a.handle)
            for a in self.rows.attempts.values()
            if a.provider == provider
            and a.phase is Phase.ENDED
            and not a.removed
            and a.handle is not None
        ]

    def removed(self, fence: Fence, attempts: Sequence[int]) -> None:
        if self.fenced(fence):
            for pk in attempts:
                self.rows.attempts[pk].removed = True

    def not_removed(self, fence: Fence, attempt: int, why: str) -> None: ...
    def swept(self, fence: Fence, provider: int, thing: Owned, why: str) -> None: ...
    def strays_gone(self, fence: Fence, provider: int, present: Collection[str]) -> None: ...

    def live_uids(self, uids: Collection[str]) -> set[str]:
        return {a.uid for a in self.rows.live.values() if a.uid in uids}

    # --- providers ---

    def save_probe(self, fence: Fence, provider: int, probe: Probe) -> None:
        if not self.fenced(fence):
            return
        row = self.rows.providers[provider]
        before = (row.health, row.total_cpu_millis, row.total_memory_mb, row.total_gpus)
        row.probed(probe, self.rows.now())
        if before != (row.health, row.total_cpu_millis, row.total_memory_mb, row.total_gpus):
            row.rev += 1
            self.rows.notify("jobs")

    def requests(self, providers: Collection[int]) -> list[Request]:
        now = self.rows.now()
        return [
            Request(r.pk, r.provider, r.kind, r.args)
            for r in self.rows.requests.values()
            if r.provider in providers and r.status == "waiting" and r.deadline > now
        ]

    def answer(
        self,
        fence: Fence,
        request: int,
        *,
        steps: Sequence[Mapping[str, Any]],
        result: Mapping[str, Any] | None,
        failed: bool,
    ) -> None:
        row = self.rows.requests[request]
        if not self.fenced(fence) or row.status not in ("waiting", "working"):
            return
        row.steps = steps
        row.status = "working" if result is None else "failed" if failed else "done"

    def close(self) -> None: ...


def _wish(attempt: AttemptRow) -> CancelWish | None:
    job = attempt.job
    if job.cancel_requested_at is None:
        return None
    return CancelWish(attempt.pk, job.cancel_requested_by, job.cancel_requested_at)
