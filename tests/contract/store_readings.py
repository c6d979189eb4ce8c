"""What every Store must do with readings of what attempts use: part of the store's contract."""

from __future__ import annotations

from datetime import timedelta

from jobs.log.frames import Position
from jobs.stat_pages import Reading
from jobs.stat_store import Measured
from orchestrator.store import Order
from providers.leases import Fence
from tests.contract.store_stage import WHEN, OnStage, Stage, acquire, append, one_placed

MIB = 2**20


def measured(order: Order, fence: Fence, second: float, memory: int) -> Measured:
    """A reading so long after WHEN, of so many MiB."""
    reading = Reading(WHEN + timedelta(seconds=second), 250, memory * MIB)
    return Measured(order.attempt, fence, reading)


class ReadingsContract(OnStage):
    """The rules, one a test."""

    def test_readings_are_kept_and_their_peak_stays(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        for second, memory in ((0, 5), (5, 9), (10, 7)):
            stage.store.append_logs([], [measured(order, fence, second, memory)])
        assert stage.readings(order.attempt) == [5 * MIB, 9 * MIB, 7 * MIB]
        assert stage.memory_peak(order.attempt) == 9 * MIB

    def test_readings_are_written_beside_logs_in_one_go(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        both = [measured(order, fence, second, 3) for second in (0, 700)]
        grown = stage.store.append_logs([append(order, fence, Position())], both)
        assert grown == {order.attempt}
        assert stage.readings(order.attempt) == [3 * MIB, 3 * MIB]

    def test_readings_of_a_lost_lease_are_not_kept(self, stage: Stage) -> None:
        order, fence = one_placed(stage)
        stage.expire_leases()
        acquire(stage.other, fence.name)
        stage.store.append_logs([], [measured(order, fence, 0, 5)])
        assert stage.readings(order.attempt) == []
        assert stage.memory_peak(order.attempt) is None
