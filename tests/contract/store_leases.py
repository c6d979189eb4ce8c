"""What every Store must do with leases: part of the store's contract."""

from __future__ import annotations

from tests.contract.store_stage import OnStage, Stage, acquire


class LeasesContract(OnStage):
    """The rules, one a test."""

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

    def test_a_holder_takes_its_own_lease_anew_under_the_next_term(self, stage: Stage) -> None:
        first = acquire(stage.store, "a")
        second = acquire(stage.store, "a")
        assert second.term > first.term
        assert stage.store.renew([first]) == set()
        assert stage.store.renew([second]) == {"a"}

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
