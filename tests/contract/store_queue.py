"""What every Store must do with the queue and its plans: part of the store's contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.states import Phase
from orchestrator.scheduling.policy import Plan, Told, plan
from projects.notify import LiveChanges
from providers.leases import SCHEDULER
from tests.contract.store_stage import (
    WAY,
    OnStage,
    Stage,
    acquire,
    apply,
    in_line,
    move,
    one_placed,
    scheduled,
)


class QueueContract(OnStage):
    """The rules, one a test."""

    def test_the_queue_stands_in_its_order_without_what_is_held(self, stage: Stage) -> None:
        late, high, held = stage.add_job(), stage.add_job(priority=90), stage.add_job(held=True)
        last = stage.add_job()
        stage.add_provider("here")
        stage.store.tend_queue(acquire(stage.store, SCHEDULER))
        assert in_line(stage) == [high, late, last]
        assert held not in in_line(stage)

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
        assert (placed, list(changes.jobs)) == (1, [kept])
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
        for _ in range(3):
            _, changes = stage.store.commit_plan(fence, plan(stage.store.snapshot()))
            assert not changes
        (waiting,) = stage.store.snapshot().classes
        told = Plan((), (Told(waiting.id, "no_match", {}),))
        _, changes = stage.store.commit_plan(fence, told)
        assert changes.resync == {waiting.project}
        assert stage.job(job) == ("pending", "no_match")
        assert not stage.store.commit_plan(fence, told)[1]

    def test_a_reason_is_forgotten_when_nothing_waits_for_it_any_more(self, stage: Stage) -> None:
        first = stage.add_job()
        fence, _ = scheduled(stage)
        assert stage.job(first) == ("pending", "no_provider")
        stage.cancel(first)
        stage.store.commit_plan(fence, plan(stage.store.snapshot()))
        second = stage.add_job()
        stage.store.tend_queue(fence)
        assert stage.job(second) == ("pending", "queued")

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
        assert stage.store.commit_plan(stale, plan(stage.store.snapshot())) == (0, LiveChanges())
        assert stage.job(job) == ("pending", "queued")
