"""What every Store must do with attempts and their jobs: part of the store's contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.states import Phase, phase_edge
from jobs.transitions import Move, Written
from orchestrator.scheduling.policy import plan
from projects.notify import LiveChanges
from providers.leases import provider_lease
from tests.contract.store_stage import (
    FAILED,
    FENCED,
    WAY,
    WHEN,
    OnStage,
    Stage,
    acquire,
    acquire_again,
    apply,
    in_line,
    move,
    one_placed,
    scheduled,
    waited,
)


class AttemptsContract(OnStage):
    """The rules, one a test."""

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
        assert stage.store.placed([provider], [a.attempt, c.attempt]) == [b]
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
        assert in_line(stage) == []

    def test_an_attempt_that_was_fenced_costs_its_job_none_of_its_tries(self, stage: Stage) -> None:
        order, fence = one_placed(stage, max_attempts=1)
        apply(stage.store, move(order, fence, Phase.ENDED, FENCED))
        assert stage.job(order.job) == ("pending", "requeued")
        stage.store.commit_plan(acquire_again(stage), plan(stage.store.snapshot()))
        (again,) = stage.store.placed([order.provider])
        assert (again.job, again.run.attempt) == (order.job, 2)
        assert again.run.uid != order.run.uid

    def test_backing_off_is_not_waiting(self, stage: Stage) -> None:
        """Neither is the limit of its wait over before it comes due, nor is it older for it."""
        order, fence = one_placed(
            stage, max_attempts=2, backoff_seconds=600, queue_timeout_seconds=60
        )
        apply(stage.store, *(move(order, fence, to) for to in WAY[:-1]))
        apply(stage.store, move(order, fence, Phase.ENDED, FAILED))
        stage.store.tend_queue(acquire_again(stage))
        assert stage.job(order.job) == ("pending", "backoff")
        stage.age_job(order.job)
        acquire_again(stage)
        assert stage.job(order.job) == ("pending", "queued")
        assert waited(stage) < 60

    def test_a_job_that_is_given_back_unstarted_waits_on(self, stage: Stage) -> None:
        order, fence = one_placed(stage, waited_an_hour=True)
        apply(stage.store, move(order, fence, Phase.ENDED, FENCED))
        stage.store.commit_plan(acquire_again(stage), plan(stage.store.snapshot()))
        (again,) = stage.store.placed([order.provider])
        apply(stage.store, move(again, fence, Phase.ENDED, FENCED))
        assert stage.job(order.job) == ("pending", "backoff")
        stage.age_job(order.job)
        acquire_again(stage)
        assert waited(stage) >= 2 * 3600

    def test_a_retry_is_as_old_as_its_own_wait(self, stage: Stage) -> None:
        order, fence = one_placed(stage, max_attempts=2, waited_an_hour=True)
        apply(stage.store, *(move(order, fence, to) for to in WAY[:-1]))
        apply(stage.store, move(order, fence, Phase.ENDED, FAILED))
        acquire_again(stage)
        assert waited(stage) < 60

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
        assert in_line(stage) == []

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
