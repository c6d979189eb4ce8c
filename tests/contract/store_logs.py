"""What every Store must do with logs: part of the store's contract."""

from __future__ import annotations

from dataclasses import replace

from jobs.log.frames import Position
from jobs.states import Phase
from providers.leases import provider_lease
from tests.contract.store_stage import (
    WAY,
    OnStage,
    Stage,
    acquire,
    append,
    apply,
    move,
    one_placed,
    scheduled,
)


class LogsContract(OnStage):
    """The rules, one a test."""

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
