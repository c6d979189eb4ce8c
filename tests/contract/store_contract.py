"""What every Store must do, whatever it is made of: the loop's decisions rest on it.

A subclass gives the fixture `stage`: the store, and a hand to put jobs and providers into
it and to see what became of them. Times that only a database has are not looked at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

from jobs.endings import Ending
from jobs.frames import Position, pack
from jobs.log_store import Append
from jobs.states import Outcome, Phase, phase_edge
from jobs.transitions import BatchResult, Move, Written
from orchestrator.scheduling.policy import Plan, Waiting, plan
from orchestrator.store import Order, Store
from projects.notify import LiveChanges
from providers.driver import Health, Probe
from providers.leases import SCHEDULER, Fence, provider_lease
from tests.support.log_rows import lines

SUCCEEDED = Ending(Outcome.COMPLETED, "succeeded", {}, 0)
FAILED = Ending(Outcome.FAILED, "exit_code", {"exit_code": 3}, 3)
FENCED = Ending(Outcome.FENCED, "fenced", {"message": "nothing was made yet"})
WHEN = datetime(2026, 11, 1, 12, tzinfo=UTC)
WAY = (Phase.CREATING, Phase.STARTING, Phase.RUNNING, Phase.FINISHING, Phase.ENDED)


class Stage(Protocol):
    """A store with a hand in it."""

    store: Store
    holder: str
    """The name under which `store` holds leases."""
    other: Store
    """The same rows, seen by another engine process."""

    def add_provider(self, name: str, *, cpu_millis: int = 4000, slots: int | None = None) -> int:
        """A healthy, active provider."""
        ...

    def add_job(
        self,
        *,
        cpu_millis: int = 1000,
        priority: int = 50,
        held: bool = False,
        max_attempts: int = 1,
        queue_timeout_seconds: int | None = None,
        backoff_seconds: int = 0,
    ) -> int: ...

    def age_job(self, job: int) -> None:
        """Let its wait have begun an hour ago."""
        ...

    def cancel(self, job: int) -> None: ...
    def hold(self, job: int) -> None: ...
    def set_mode(self, provider: int, mode: str) -> None: ...
    def expire_leases(self) -> None:
        """Let the time of all leases be over."""
        ...

    def job(self, job: int) -> tuple[str, str]:
        """Its state and its reason."""
        ...

    def rev(self, job: int) -> int: ...
    def log(self, attempt: int) -> tuple[bool | None, str]:
        """Whether its log is complete (None: not known yet), and the note why not."""
        ...

    def readings(self, attempt: int) -> list[int]:
        """The bytes of memory of all that was measured of it."""
        ...

    def memory_peak(self, attempt: int) -> int | None: ...
    def ask(self, provider: int) -> int:
        """Web asks its engine for a probe."""
        ...

    def request(self, request: int) -> str:
        """The status of what web asked for."""
        ...


def acquire(store: Store, name: str) -> Fence:
    (fence,) = store.acquire([name], [])
    return fence


def scheduled(stage: Stage) -> tuple[Fence, int]:
    """Plan what waits; the scheduler's lease, and how many were placed."""
    fence = acquire(stage.store, SCHEDULER)
    placed, _ = stage.store.commit_plan(fence, plan(stage.store.snapshot()))
    return fence, placed


def one_placed(
    stage: Stage, *, cpu_millis: int = 1000, max_attempts: int = 1, backoff_seconds: int = 0
) -> tuple[Order, Fence]:
    """A job placed on a provider of its own, as its host takes it up."""
    provider = stage.add_provider("here")
    stage.add_job(cpu_millis=cpu_millis, max_attempts=max_attempts, backoff_seconds=backoff_seconds)
    scheduled(stage)
    (order,) = stage.store.placed([provider])
    return order, acquire(stage.store, provider_lease(provider))


def move(order: Order, fence: Fence, to: Phase, ending: Ending | None = None) -> Move:
    if to is Phase.ENDED and ending is None:
        ending = SUCCEEDED
    return Move(attempt=order.attempt, job=order.job, fence=fence, to=to, ending=ending)


def apply(store: Store, *moves: Move) -> BatchResult:
    return store.apply(moves, None, wake_scheduler=False)


def append(order: Order, fence: Fence, before: Position, first: int = 1) -> Append:
    chunks, after = pack(lines(first, 3), before)
    return Append(order.attempt, fence, before, after, {"at": first}, tuple(chunks))


class StoreContract:
    """The rules, one a test."""

    @pytest.fixture
    def stage(self) -> Stage:
        raise NotImplementedError

    # --- leases ---

    def test_a_lease_is_held_by_one_and_each_taking_has_a_new_term(self, stage: Stage) -> None:
        first = acquire(stage.store, "a")
        assert stage.other.acquire(["a"], []) == []
        stage.expire_leases()
        second = acquire(stage.other, "a")
        assert second.term > first.term
        assert stage.store.renew([first]) == set()
        assert stage.other.renew([second]) == {"a"}

    def test_a_lease_given_back_is_free_at_once(self, stage: Stage) -> None:
        first = acquire(stage.store, "a")
        stage.store.release([first])
        assert acquire(stage.other, "a").term > first.term

    def test_a_lease_that_ran_out_and_that_nobody_took_is_renewed(self, stage: Stage) -> None:
        held = acquire(stage.store, "a")
        stage.expire_leases()
        assert stage.store.renew([held]) == {"a"}
        assert stage.other.acquire(["a"], []) == []

    def test_the_lease_of_a_holder_known_dead_is_taken_at_once(self, stage: Stage) -> None:
        first = acquire(stage.store, "a")
        (second,) = stage.other.acquire(["a"], [stage.holder])
        assert second.term > first.term
        assert stage.store.renew([first]) == set()

    # --- the queue ---

    def test_the_queue_stands_in_its_order_without_what_is_held(self, stage: Stage) -> None:
        late, high, held = stage.add_job(), stage.add_job(priority=90), stage.add_job(held=True)
        last = stage.add_job()
        stage.add_provider("here")
        found = [job.id for job in stage.store.snapshot().queue]
        assert found == [high, late, last]
        assert held not in found

    def test_what_is_free_is_what_live_attempts_do_not_hold(self, stage: Stage) -> None:
        order, fence = one_placed(stage, cpu_millis=1500)
        stage.add_job()  # something must wait, else nobody looks
        (view,) = stage.store.snapshot().providers
        assert (view.total_cpu_millis, view.free_cpu_millis) == (4000, 2500)
        apply(stage.store, *(move(order, fence, to) for to in WAY))
        (view,) = stage.store.snapshot().providers
        assert view.free_cpu_millis == 4000

    def test_a_placed_job_is_taken_up_by_its_host(self, stage: Stage) -> None:
        order, _ = one_placed(stage)
        assert order.phase is Phase.PLACED
        assert stage.job(order.job) == ("scheduled", "placed")
        assert [o.attempt for o in stage.store.live(order.provider)] == [order.attempt]
        assert stage.store.live_uids([order.run.uid, "00000000-0000-0000-0000-000000000000"]) == {
            order.run.uid
        }

    @pytest.mark.parametrize("meanwhile", ["cancel", "hold"])
    def test_what_was_taken_out_of_the_queue_meanwhile_is_passed_over(
        self, stage: Stage, meanwhile: str
    ) -> None:
        provider = stage.add_provider("here")
        gone, kept = stage.add_job(), stage.add_job()
        fence = acquire(stage.store, SCHEDULER)
        made = plan(stage.store.snapshot())
        getattr(stage, meanwhile)(gone)
        placed, changes = stage.store.commit_plan(fence, made)
        assert (placed, [change.id for change in changes]) == (1, [kept])
        assert [o.job for o in stage.store.placed([provider])] == [kept]

    def test_a_plan_committed_twice_places_once(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        job = stage.add_job()
        fence = acquire(stage.store, SCHEDULER)
        made = plan(stage.store.snapshot())
        assert stage.store.commit_plan(fence, made)[0] == 1
        assert stage.store.commit_plan(fence, made)[0] == 0
        assert [o.job for o in stage.store.placed([provider])] == [job]

    def test_capacity_is_checked_again_when_a_plan_is_committed(self, stage: Stage) -> None:
        provider = stage.add_provider("here", cpu_millis=2000)
        first = [stage.add_job() for _ in range(2)]
        fence = acquire(stage.store, SCHEDULER)
        before = plan(stage.store.snapshot())
        stage.cancel(first[0])
        stage.cancel(first[1])
        second = [stage.add_job() for _ in range(2)]
        assert stage.store.commit_plan(fence, plan(stage.store.snapshot()))[0] == 2
        third = stage.add_job()
        stale = Plan((replace(before.placements[0], job=third),), ())
        assert stage.store.commit_plan(fence, stale)[0] == 0
        assert stage.job(third)[0] == "pending"
        assert [o.job for o in stage.store.placed([provider])] == second

    def test_slots_are_counted_again_when_a_plan_is_committed(self, stage: Stage) -> None:
        provider = stage.add_provider("here", slots=1)
        jobs = [stage.add_job() for _ in range(2)]
        fence = acquire(stage.store, SCHEDULER)
        (first,) = plan(stage.store.snapshot()).placements
        both = Plan((first, replace(first, job=jobs[1])), ())
        assert stage.store.commit_plan(fence, both)[0] == 1
        assert [o.job for o in stage.store.placed([provider])] == [jobs[0]]

    @pytest.mark.parametrize("mode", ["inactive", "draining"])
    def test_a_provider_switched_off_meanwhile_takes_nothing(self, stage: Stage, mode: str) -> None:
        provider = stage.add_provider("here")
        job = stage.add_job()
        fence = acquire(stage.store, SCHEDULER)
        made = plan(stage.store.snapshot())
        stage.set_mode(provider, mode)
        assert stage.store.commit_plan(fence, made)[0] == 0
        assert stage.job(job)[0] == "pending"
        stage.store.commit_plan(fence, plan(stage.store.snapshot()))
        assert stage.job(job)[1] in ("no_provider", "provider_down")

    def test_a_reason_to_wait_is_written_once_while_it_stays_the_same(self, stage: Stage) -> None:
        job = stage.add_job()
        fence, _ = scheduled(stage)
        assert stage.job(job) == ("pending", "no_provider")
        rev = stage.rev(job)
        for _ in range(3):
            _, changes = stage.store.commit_plan(fence, plan(stage.store.snapshot()))
            assert changes == []
        assert stage.rev(job) == rev
        _, changes = stage.store.commit_plan(fence, Plan((), (Waiting(job, "no_match", {}),)))
        assert [change.id for change in changes] == [job]
        assert stage.rev(job) == rev + 1

    def test_a_job_past_its_queue_limit_fails_and_others_wait_on(self, stage: Stage) -> None:
        limited, patient = stage.add_job(queue_timeout_seconds=60), stage.add_job()
        fresh = stage.add_job(queue_timeout_seconds=60)
        stage.age_job(limited)
        stage.age_job(patient)
        scheduled(stage)
        assert stage.job(limited) == ("failed", "queue_timeout")
        assert stage.job(patient)[0] == stage.job(fresh)[0] == "pending"

    def test_a_plan_of_a_lost_lease_writes_nothing(self, stage: Stage) -> None:
        stage.add_provider("here")
        job = stage.add_job()
        stale = acquire(stage.store, SCHEDULER)
        stage.expire_leases()
        acquire(stage.other, SCHEDULER)
        assert stage.store.commit_plan(stale, plan(stage.store.snapshot())) == (0, [])
        assert stage.job(job) == ("pending", "queued")

    # --- attempts ---

    @pytest.mark.parametrize("target", [p for p in Phase if p is not Phase.PLACED])
    @pytest.mark.parametrize("at", [(), *(WAY[:n] for n in range(1, 6))])
    def test_an_attempt_moves_by_the_table_and_by_nothing_else(
        self, stage: Stage, at: tuple[Phase, ...], target: Phase
    ) -> None:
        order, fence = one_placed(stage)
        apply(stage.store, *(move(order, fence, to) for to in at))
        source = at[-1] if at else Phase.PLACED
        ending = None if source in (Phase.RUNNING, Phase.FINISHING) else FENCED
        facts = ending if target is Phase.ENDED else None
        (written,) = apply(stage.store, move(order, fence, target, facts)).written
        permitted = phase_edge(source, target) is not None
        assert written is (Written.DONE if permitted else Written.STALE)
        reached = target if permitted else source
        assert stage.store.phases([order.attempt]) == {order.attempt: reached}

    def test_moves_of_a_lost_lease_write_nothing(self, stage: Stage) -> None:
        order, stale = one_placed(stage)
        stage.expire_leases()
        fence = acquire(stage.other, stale.name)
        assert apply(stage.store, move(order, stale, Phase.CREATING)).written == [Written.FENCED]
        assert stage.store.phases([order.attempt]) == {order.attempt: Phase.PLACED}
        assert apply(stage.other, move(order, fence, Phase.CREATING)).written == [Written.DONE]

    def test_a_batch_answers_each_move_and_tells_of_each_job(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        jobs = [stage.add_job() for _ in range(3)]
        scheduled(stage)
        fence = acquire(stage.store, provider_lease(provider))
        a, b, c = stage.store.placed([provider])
        live = LiveChanges()
        result = stage.store.apply(
            [
                move(a, fence, Phase.CREATING),
                move(b, fence, Phase.RUNNING),
                move(a, fence, Phase.STARTING),
                move(c, fence, Phase.PULLING),
            ],
            live,
            wake_scheduler=True,
        )
        done, stale = Written.DONE, Written.STALE
        assert result.written == [done, stale, done, done]
        assert {change.id for change in result.jobs} == {jobs[0], jobs[2]} == set(live.jobs)
        assert live.jobs[jobs[0]].rev == stage.rev(jobs[0])

    def test_a_job_ends_with_its_attempt(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        apply(stage.store, *(move(order, fence, to) for to in WAY))
        assert stage.job(order.job) == ("completed", "succeeded")
        assert stage.store.live(order.provider) == []
        assert stage.store.live_uids([order.run.uid]) == set()

    def test_a_failure_with_a_try_left_waits_for_the_next_and_the_last_ends_it(
        self, stage: Stage
    ) -> None:
        order, fence = one_placed(stage, max_attempts=2)
        apply(stage.store, *(move(order, fence, to) for to in WAY[:-1]))
        apply(stage.store, move(order, fence, Phase.ENDED, FAILED))
        assert stage.job(order.job)[0] == "pending"
        stage.store.commit_plan(
            acquire_again(stage), plan(stage.store.snapshot())
        )  # its wait of no seconds is over
        (again,) = stage.store.placed([order.provider])
        assert (again.job, again.run.attempt) == (order.job, 2)
        apply(stage.store, *(move(again, fence, to) for to in WAY[:-1]))
        apply(stage.store, move(again, fence, Phase.ENDED, FAILED))
        assert stage.job(order.job) == ("failed", "exit_code")

    def test_a_job_that_waits_for_its_next_try_is_not_in_the_queue_yet(self, stage: Stage) -> None:
        order, fence = one_placed(stage, max_attempts=2, backoff_seconds=60)
        apply(stage.store, *(move(order, fence, to) for to in WAY[:-1]))
        apply(stage.store, move(order, fence, Phase.ENDED, FAILED))
        assert stage.job(order.job) == ("pending", "backoff")
        assert stage.store.snapshot().queue == ()

    def test_an_attempt_that_was_fenced_costs_its_job_none_of_its_tries(self, stage: Stage) -> None:
        order, fence = one_placed(stage, max_attempts=1)
        apply(stage.store, move(order, fence, Phase.ENDED, FENCED))
        assert stage.job(order.job) == ("pending", "requeued")
        stage.store.commit_plan(acquire_again(stage), plan(stage.store.snapshot()))
        (again,) = stage.store.placed([order.provider])
        assert (again.job, again.run.attempt) == (order.job, 2)
        assert again.run.uid != order.run.uid

    def test_an_early_end_comes_too_late_once_something_is_made(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        early = replace(
            move(order, fence, Phase.ENDED, FENCED),
            expect=frozenset({Phase.PLACED, Phase.PULLING}),
        )
        apply(stage.store, move(order, fence, Phase.CREATING))
        assert apply(stage.store, early).written == [Written.STALE]
        assert stage.store.phases([order.attempt]) == {order.attempt: Phase.CREATING}

    def test_what_a_move_told_once_is_found_by_the_next_owner(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        handle = {"v": 1, "id": "x"}
        starting = replace(move(order, fence, Phase.STARTING), handle=handle)
        started = replace(move(order, fence, Phase.RUNNING), started_at=WHEN)
        apply(stage.store, move(order, fence, Phase.CREATING), starting, started)
        apply(stage.store, move(order, fence, Phase.FINISHING))
        (found,) = stage.other.live(order.provider)
        assert (found.phase, found.handle, found.started_at) == (Phase.FINISHING, handle, WHEN)

    def test_a_removal_before_the_start_is_known_to_the_next_owner(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        apply(stage.store, move(order, fence, Phase.CREATING), move(order, fence, Phase.STARTING))
        (before,) = stage.store.live(order.provider)
        fencing = Move(attempt=order.attempt, job=order.job, fence=fence, to=None, fencing=True)
        assert apply(stage.store, fencing).written == [Written.DONE]
        (after,) = stage.store.live(order.provider)
        assert (before.fencing, after.fencing, after.phase) == (False, True, Phase.STARTING)

    def test_a_pending_job_is_cancelled_at_once_and_stays_so(self, stage: Stage) -> None:
        stage.add_provider("here")
        job = stage.add_job()
        stage.cancel(job)
        assert stage.job(job) == ("cancelled", "cancelled")
        assert stage.store.snapshot().queue == ()

    def test_a_wish_to_cancel_reaches_the_host_and_wins_over_a_retry(self, stage: Stage) -> None:
        order, fence = one_placed(stage, max_attempts=5)
        assert stage.store.cancels([order.provider]) == []
        apply(stage.store, *(move(order, fence, to) for to in WAY[:-1]))
        stage.cancel(order.job)
        (wish,) = stage.store.cancels([order.provider])
        assert wish.attempt == order.attempt
        assert stage.store.cancels([order.provider + 1000]) == []
        apply(stage.store, move(order, fence, Phase.ENDED, FAILED))
        assert stage.job(order.job) == ("cancelled", "cancelled")
        assert stage.store.cancels([order.provider]) == []

    # --- logs ---

    def test_a_log_grows_from_where_it_stands_and_by_its_owner_only(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        first = append(order, fence, Position())
        assert stage.store.append_logs([first]) == {order.attempt}
        assert stage.store.append_logs([first]) == set()
        assert stage.store.log_ends([order.attempt]) == {order.attempt: first.after.seq}
        (resumed,) = stage.store.live(order.provider)
        assert (resumed.log, resumed.cursor) == (first.after, {"at": 1})
        stage.expire_leases()
        acquire(stage.other, fence.name)
        assert stage.store.append_logs([append(order, fence, first.after, 4)]) == set()

    def test_a_known_loss_stays_known(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        apply(stage.store, *(move(order, fence, to) for to in WAY[:-1]))
        assert stage.log(order.attempt) == (None, "")
        stage.store.append_logs([replace(append(order, fence, Position()), note="some is lost")])
        assert stage.log(order.attempt) == (False, "some is lost")
        end = replace(move(order, fence, Phase.ENDED), log_complete=True)
        apply(stage.store, end)
        assert stage.log(order.attempt) == (False, "some is lost")

    def test_one_log_that_cannot_grow_keeps_no_other_from_it(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        for _ in range(2):
            stage.add_job()
        scheduled(stage)
        fence = acquire(stage.store, provider_lease(provider))
        a, b = stage.store.placed([provider])
        stage.store.append_logs([append(a, fence, Position())])
        both = [append(a, fence, Position()), append(b, fence, Position())]
        assert stage.store.append_logs(both) == {b.attempt}

    # --- what is left, and the provider ---

    def test_a_provider_out_of_reach_takes_nothing_until_it_is_back(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        job = stage.add_job()
        fence = acquire(stage.store, provider_lease(provider))
        stage.store.save_probe(fence, provider, Probe(Health.UNREACHABLE, "connection refused"))
        scheduler, placed = scheduled(stage)
        assert placed == 0
        assert stage.job(job) == ("pending", "provider_down")
        stage.store.save_probe(fence, provider, Probe(Health.HEALTHY, cpu_cores=4, memory_mb=8192))
        assert stage.store.commit_plan(scheduler, plan(stage.store.snapshot()))[0] == 1

    def test_a_probe_of_a_lost_lease_is_not_believed(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        stage.add_job()
        stale = acquire(stage.store, provider_lease(provider))
        stage.expire_leases()
        acquire(stage.other, stale.name)
        stage.store.save_probe(stale, provider, Probe(Health.UNREACHABLE, "hung"))
        assert scheduled(stage)[1] == 1

    def test_all_providers_are_known_to_the_keeper_whatever_their_mode(self, stage: Stage) -> None:
        ids = [stage.add_provider(name) for name in ("a", "b")]
        stage.set_mode(ids[1], "inactive")
        assert [site.id for site in stage.store.sites()] == ids


def acquire_again(stage: Stage) -> Fence:
    """The scheduler's lease, whoever had it."""
    stage.expire_leases()
    fence = acquire(stage.store, SCHEDULER)
    return fence
