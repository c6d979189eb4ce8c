"""Holding leases: trusted for less long than they last, and given up before others may act."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from orchestrator.loop import keeper as keeper_module
from orchestrator.loop.keeper import HolderLock, Keeper
from orchestrator.store import Site, Store, StoreDown
from providers.leases import SCHEDULER, Fence

TTL = 10.0


class Clock:
    """The process's own clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Leases:
    """The table of leases: who holds what, and how a call fails or how long it takes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.held: dict[str, str] = {}
        self.terms: dict[str, int] = {}
        self.providers = [7]
        self.down = False
        self.slow = 0.0
        self.released: list[str] = []
        self.dead: list[str] = []

    def _call(self) -> None:
        self.clock.now += self.slow
        if self.down:
            raise StoreDown("away")

    def sites(self) -> list[Site]:
        self._call()
        return [Site(n, f"p{n}", "fake", {}, 1) for n in self.providers]

    def acquire(self, names: Sequence[str], dead_holders: Sequence[str]) -> list[Fence]:
        self._call()
        self.dead = list(dead_holders)
        taken = []
        for name in names:
            if self.held.get(name, "") in ("", "me", *dead_holders):
                self.held[name] = "me"
                self.terms[name] = self.terms.get(name, 0) + 1
                taken.append(Fence(name, self.terms[name]))
        return taken

    def renew(self, held: Sequence[Fence]) -> set[str]:
        self._call()
        return {f.name for f in held if self.held[f.name] == "me" and self.terms[f.name] == f.term}

    def release(self, held: Sequence[Fence]) -> None:
        self._call()
        for fence in held:
            self.held[fence.name] = ""
            self.released.append(fence.name)


class World:
    """A keeper over such a table."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        monkeypatch.setattr(keeper_module, "monotonic", self.clock)
        self.leases = Leases(self.clock)
        self.gained: list[Fence] = []
        self.lost: list[Fence] = []
        self.lock = HolderLock(folder)
        self.keeper = Keeper(
            cast(Store, self.leases),
            self.lock,
            TTL,
            gained=self.gained.append,
            lost=self.lost.append,
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, monkeypatch)
    made.keeper.run_once()
    yield made
    made.lock.close()


def test_free_leases_of_the_scheduler_and_of_every_provider_are_taken(world: World) -> None:
    assert world.gained == [Fence(SCHEDULER, 1), Fence("provider:7", 1)]
    assert world.keeper.held(SCHEDULER) == Fence(SCHEDULER, 1)
    world.leases.providers.append(8)
    world.keeper.run_once()
    assert world.gained[-1] == Fence("provider:8", 1)


def test_a_lease_is_trusted_for_less_than_it_lasts(world: World) -> None:
    fence = Fence(SCHEDULER, 1)
    world.clock.now += 0.69 * TTL
    assert world.keeper.trusted(fence)
    world.clock.now += 0.02 * TTL
    assert not world.keeper.trusted(fence)
    assert world.keeper.held(SCHEDULER) is None
    assert not world.keeper.trusted(Fence(SCHEDULER, 2))


def test_trust_counts_from_the_start_of_the_renewal_not_from_its_answer(world: World) -> None:
    """A renewal that was slow may have happened at its very beginning."""
    world.leases.slow = 0.3 * TTL
    world.keeper.run_once()  # three calls at most: the renewal answers after 0.3
    began = 1000.0
    world.clock.now = began + 0.69 * TTL
    assert world.keeper.trusted(Fence(SCHEDULER, 1))
    world.clock.now = began + 0.71 * TTL
    assert not world.keeper.trusted(Fence(SCHEDULER, 1))


def test_leases_that_cannot_be_renewed_in_time_are_given_up(world: World) -> None:
    world.leases.down = True
    world.clock.now += 0.5 * TTL
    with pytest.raises(StoreDown):
        world.keeper.run_once()
    assert world.lost == []
    world.clock.now += 0.3 * TTL
    with pytest.raises(StoreDown):
        world.keeper.run_once()
    assert {fence.name for fence in world.lost} == {SCHEDULER, "provider:7"}


def test_a_lease_that_another_took_is_given_up_and_not_released(world: World) -> None:
    world.leases.held["provider:7"] = "other"
    world.leases.terms["provider:7"] += 1
    world.keeper.run_once()
    assert world.lost == [Fence("provider:7", 1)]
    assert world.leases.released == []
    assert world.keeper.held("provider:7") is None


def test_the_lease_of_a_deleted_provider_is_given_back(world: World) -> None:
    world.leases.providers.clear()
    world.keeper.run_once()
    assert world.lost == [Fence("provider:7", 1)]
    assert world.leases.released == ["provider:7"]


def test_at_the_end_all_are_given_back_and_none_is_trusted(world: World) -> None:
    world.keeper.finish()
    assert set(world.leases.released) == {SCHEDULER, "provider:7"}
    assert not world.keeper.trusted(Fence(SCHEDULER, 1))


def test_it_renews_often_enough_to_fail_twice(world: World) -> None:
    assert 2 * world.keeper.interval <= keeper_module.TRUST_SHARE * TTL


def test_after_an_answer_that_came_late_it_renews_before_trust_ends(world: World) -> None:
    world.leases.slow = 0.3 * TTL  # each of its two calls
    world.keeper.run_once()
    world.leases.slow = 0.0
    assert world.keeper.next_wait() == 0
    world.keeper.run_once()
    assert world.lost == []
    assert world.keeper.trusted(Fence(SCHEDULER, 1))


def test_what_it_stepped_down_from_it_takes_back_at_once_under_a_new_term(world: World) -> None:
    world.clock.now += TTL * keeper_module.TRUST_SHARE
    world.keeper.run_once()
    assert world.lost == [Fence(SCHEDULER, 1), Fence("provider:7", 1)]
    assert world.keeper.held(SCHEDULER) == Fence(SCHEDULER, 2)


def test_it_looks_more_often_while_another_holds_something(world: World) -> None:
    assert world.keeper.next_wait() == world.keeper.interval
    world.leases.held["provider:7"] = "other"
    world.leases.terms["provider:7"] += 1
    world.keeper.run_once()
    assert world.keeper.next_wait() <= 0.1 * TTL
    world.leases.slow = 0.2 * TTL
    world.keeper.run_once()
    assert world.keeper.next_wait() > 0, "a slow database is left a pause"
    world.leases.slow = 0.0
    world.leases.held["provider:7"] = ""
    world.keeper.run_once()
    assert world.keeper.next_wait() == world.keeper.interval


def test_a_lease_that_is_taken_anew_has_its_next_term_in_the_same_round(world: World) -> None:
    world.keeper.retake(Fence("provider:7", 1))
    world.keeper.run_once()
    assert world.lost == [Fence("provider:7", 1)]
    assert world.gained[-1] == Fence("provider:7", 2)
    assert world.leases.released == [], "nobody else could come in between"
    world.keeper.run_once()
    assert world.gained[-1] == Fence("provider:7", 2), "once"


def test_a_lease_that_is_another_term_by_then_is_not_taken_anew(world: World) -> None:
    world.keeper.retake(Fence("provider:7", 99))
    world.keeper.run_once()
    assert world.lost == []
    assert world.keeper.held("provider:7") == Fence("provider:7", 1)


def test_a_lease_that_is_taken_anew_is_not_acted_on_while_the_database_is_away(
    world: World,
) -> None:
    world.keeper.retake(Fence("provider:7", 1))
    world.leases.down = True
    with pytest.raises(StoreDown):
        world.keeper.run_once()
    assert not world.keeper.trusted(Fence("provider:7", 1))
    assert world.lost == [Fence("provider:7", 1)]


HOLD = """
import sys
from pathlib import Path
from orchestrator.loop.keeper import HolderLock
lock = HolderLock(Path(sys.argv[1]))
print(lock.holder, flush=True)
sys.stdin.read()
"""


def test_a_killed_holder_on_this_machine_is_known_dead_and_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    mine = HolderLock(tmp_path)
    environment = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", "import django; django.setup()" + HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as other:
        assert other.stdout is not None
        holder = other.stdout.readline().strip()
        assert holder.split("/")[1] == str(other.pid)
        assert mine.dead_holders() == []
        other.kill()
        other.wait(10)
    assert mine.dead_holders() == [holder]
    mine.forget([holder])
    assert mine.dead_holders() == []
    mine.close()
    assert list(tmp_path.iterdir()) == []
