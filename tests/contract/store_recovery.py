"""What every Store must do with what recovery decides: another part of the store's contract."""

from __future__ import annotations

from dataclasses import replace

from jobs.notes import adopted
from jobs.states import Phase
from jobs.transitions import Move, Written
from orchestrator.reconcile import Wanted
from providers.leases import Fence, provider_lease
from tests.contract.store_stage import FENCED, WAY, OnStage, Stage, acquire, apply, move, one_placed


class RecoveryContract(OnStage):
    """The rules, one a test."""

    def test_what_is_noted_of_an_attempt_leaves_it_where_it_is_and_makes_it_its_noters(
        self, stage: Stage
    ) -> None:
        order, fence = one_placed(stage)
        apply(stage.store, *(move(order, fence, to) for to in WAY[:3]))
        stage.expire_leases()
        taken = acquire(stage.other, fence.name)
        noted = Move(attempt=order.attempt, job=order.job, fence=taken, to=None,
                     notes=(adopted("another", taken.term, "its program runs"),))  # fmt: skip
        before = stage.rev(order.job)
        assert apply(stage.store, replace(noted, fence=fence)).written == [Written.FENCED]
        assert stage.rev(order.job) == before
        assert apply(stage.other, noted).written == [Written.DONE]
        assert stage.rev(order.job) == before + 1
        assert stage.store.phases([order.attempt]) == {order.attempt: Phase.RUNNING}
        assert [o.run.term for o in stage.store.live(order.provider)] == [taken.term]
        apply(stage.other, *(move(order, taken, to) for to in WAY[3:]))
        assert apply(stage.other, noted).written == [Written.STALE]

    def test_what_is_out_of_sight_is_marked_until_it_is_seen_or_moves(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        apply(stage.store, *(move(order, fence, to) for to in WAY[:3]))

        def marked() -> bool:
            (live,) = stage.store.live(order.provider)
            return live.not_seen

        assert not marked()
        stage.store.unseen(fence, [order.attempt], unseen=True, why="it hangs")
        assert marked()
        stage.store.unseen(fence, [order.attempt], unseen=False)
        assert not marked()
        stage.store.unseen(fence, [order.attempt], unseen=True)
        apply(stage.store, move(order, fence, Phase.FINISHING))
        assert not marked()
        stage.store.unseen(Fence(fence.name, fence.term + 1), [order.attempt], unseen=True)
        assert not marked()

    def test_where_each_live_attempt_stands_is_known_to_compare_and_whole_to_take_it_up(
        self, stage: Stage
    ) -> None:
        order, fence = one_placed(stage)
        apply(stage.store, move(order, fence, Phase.CREATING))
        creating = Wanted(order.attempt, order.run.uid, Phase.CREATING)
        assert stage.other.wanted(order.provider) == [creating]
        assert stage.other.wanted(order.provider + 1000) == []
        (whole,) = stage.other.orders([order.attempt, order.attempt + 1000])
        assert whole == stage.other.live(order.provider)[0]
        assert stage.other.orders([]) == []
        apply(stage.store, *(move(order, fence, to) for to in WAY[1:]))
        assert stage.other.wanted(order.provider) == []
        assert stage.other.orders([order.attempt]) == []

    def test_what_an_ended_attempt_left_is_known_until_it_is_removed(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        made = Move(attempt=order.attempt, job=order.job, fence=fence, to=Phase.STARTING,
                    handle={"v": 1, "id": "x"})  # fmt: skip
        apply(stage.store, move(order, fence, Phase.CREATING), made)
        assert stage.store.leftovers(order.provider) == []
        apply(stage.store, move(order, fence, Phase.ENDED, FENCED))
        (left,) = stage.store.leftovers(order.provider)
        assert (left.attempt, left.handle) == (order.attempt, {"v": 1, "id": "x"})
        stage.store.removed(fence, [order.attempt])
        assert stage.store.leftovers(order.provider) == []

    def test_what_a_lost_lease_says_was_removed_stays_known(self, stage: Stage) -> None:
        order, stale = one_placed(stage)
        handle = {"v": 1, "id": "x"}
        apply(stage.store, move(order, stale, Phase.CREATING))
        apply(stage.store, replace(move(order, stale, Phase.STARTING), handle=handle))
        apply(stage.store, move(order, stale, Phase.ENDED, FENCED))
        stage.expire_leases()
        acquire(stage.other, stale.name)
        rev = stage.rev(order.job)
        stage.store.removed(stale, [order.attempt])
        stage.store.progress(stale, order.attempt, {"text": "late"})
        stage.store.unseen(stale, [order.attempt], unseen=True)
        assert [left.attempt for left in stage.store.leftovers(order.provider)] == [order.attempt]
        assert stage.rev(order.job) == rev

    def test_a_request_of_web_is_handed_over_until_it_is_taken_up(self, stage: Stage) -> None:
        here, there = stage.add_provider("here"), stage.add_provider("there")
        assert stage.store.news([here]) == frozenset()
        asked = stage.ask(here)
        assert stage.store.news([here]) == {"requests"}
        assert stage.store.news([there]) == frozenset()
        assert [r.id for r in stage.store.requests([here, there])] == [asked]
        fence = acquire(stage.store, provider_lease(here))
        stage.store.answer(fence, asked, steps=[{"name": "reach"}], result=None, failed=False)
        assert stage.store.requests([here]) == []

    def test_a_request_is_answered_once_and_by_who_drives_its_provider(self, stage: Stage) -> None:
        provider = stage.add_provider("here")
        stale = acquire(stage.store, provider_lease(provider))
        stage.expire_leases()
        fence = acquire(stage.other, stale.name)
        asked, answered = stage.ask(provider), {"health": "healthy"}
        stage.store.answer(stale, asked, steps=[], result=answered, failed=False)
        assert stage.request(asked) == "waiting"
        stage.other.answer(fence, asked, steps=[], result=answered, failed=False)
        assert stage.request(asked) == "done"
        stage.other.answer(fence, asked, steps=[], result=None, failed=False)
        stage.other.answer(fence, asked, steps=[], result=answered, failed=True)
        assert stage.request(asked) == "done"
