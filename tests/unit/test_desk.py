"""Handing work to the hosts of providers, and noticing what an operator edited."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, cast

import pytest

from orchestrator.loop import desk as desk_module
from orchestrator.loop.desk import Desk
from orchestrator.loop.host import ProviderHost
from orchestrator.loop.service import monotonic
from orchestrator.store import CancelWish, Order, Request, Site, Store, StoreDown, Word
from providers.leases import Fence

SITE = Site(7, "here", "fake", {"cpu_cores": 4}, rev=1)
FENCE = Fence("provider:7", 1)


class Rows:
    """What the desk reads of the store."""

    def __init__(self) -> None:
        self.site = SITE
        self.down = False
        self.read: list[str] = []
        self.waiting: set[Word] = set()

    def sites(self) -> list[Site]:
        if self.down:
            raise StoreDown("away")
        return [self.site]

    def live(self, provider: int) -> list[Order]:
        if self.down:
            raise StoreDown("away")
        return []

    def news(self, providers: Collection[int]) -> frozenset[Word]:
        self._read("news")
        return frozenset(self.waiting)

    def placed(self, providers: Collection[int], known: Collection[int]) -> list[Order]:
        return self._read("placed")

    def cancels(self, providers: Collection[int]) -> list[CancelWish]:
        return self._read("cancel")

    def requests(self, providers: Collection[int]) -> list[Request]:
        return self._read("requests")

    def _read(self, word: str) -> list[Any]:
        self.read.append(word)
        if self.down:
            raise StoreDown("away")
        return []


class Host:
    """A host that remembers what was done to it."""

    def __init__(self, site: Site, fence: Fence) -> None:
        self.site = site
        self.fence = fence
        self.adopted = 0
        self.closed = False

    def adopt(self, orders: list[Order]) -> None:
        self.adopted += 1

    def tick(self) -> None:
        pass

    def unmoved(self) -> list[int]:
        return []

    def close(self) -> None:
        self.closed = True

    def join(self, timeout: float) -> None:
        pass


class World:
    """A desk, its rows, and the hosts it made."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.hosts: list[Host] = []
        self.unmakable = False
        make = cast(Callable[[Fence], ProviderHost | None], self._make)
        self.desk = Desk(cast(Store, self.rows), make, self.retake)
        self.retaken: list[Fence] = []

    def retake(self, fence: Fence) -> None:
        """As the keeper does, which takes the lease over from itself."""
        self.retaken.append(fence)
        self.desk.lost(fence)
        self.desk.gained(Fence(fence.name, fence.term + 1))

    def _make(self, fence: Fence) -> Host | None:
        if self.unmakable:
            return None
        self.hosts.append(Host(self.rows.site, fence))
        return self.hosts[-1]


@pytest.fixture
def world() -> World:
    world = World()
    world.desk.gained(FENCE)
    world.desk.run_once()
    return world


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"cpu_cores": 8}},
        {"lost_after_seconds": 60},
        {"mount_allow_list": ("/data",)},
        {"name": "there"},
    ],
)
def test_an_edit_that_matters_reaches_the_host(world: World, change: dict[str, object]) -> None:
    world.rows.site = replace(SITE, rev=2, **change)  # type: ignore[arg-type]
    world.desk.edited()
    world.desk.run_once()
    before, after = world.hosts
    assert (before.closed, after.closed, after.adopted) == (True, False, 1)
    assert after.site == world.rows.site
    assert after.fence == Fence(FENCE.name, FENCE.term + 1)


def test_a_new_revision_alone_disturbs_nobody(world: World) -> None:
    world.rows.site = replace(SITE, rev=2)
    world.desk.edited()
    world.desk.run_once()
    assert [host.closed for host in world.hosts] == [False]


def test_an_edit_whose_notice_was_lost_is_found_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.rows.site = replace(SITE, options={"cpu_cores": 1})
    world.desk.run_once()
    assert len(world.hosts) == 1  # not looked at in each round
    monkeypatch.setattr(desk_module, "EDITS_SECONDS", 0.0)
    world.desk.run_once()
    assert [host.closed for host in world.hosts] == [True, False]


def test_an_edit_told_while_the_database_is_away_is_not_forgotten(world: World) -> None:
    world.rows.site = replace(SITE, options={"cpu_cores": 8})
    world.rows.down = True
    world.desk.edited()
    with pytest.raises(StoreDown):
        world.desk.run_once()
    world.rows.down = False
    world.desk.run_once()
    assert [host.closed for host in world.hosts] == [True, False]


def test_a_lost_lease_closes_its_host_and_a_new_term_opens_another(world: World) -> None:
    world.desk.lost(FENCE)
    assert world.hosts[0].closed
    world.desk.gained(Fence("provider:7", 2))
    world.desk.run_once()
    assert [host.closed for host in world.hosts] == [True, False]
    assert world.hosts[1].fence.term == 2


def test_a_host_opened_after_its_lease_was_lost_does_not_outlive_the_next(world: World) -> None:
    world.desk.gained(Fence("provider:7", 2))
    world.desk.lost(Fence("provider:7", 2))
    world.desk.gained(Fence("provider:7", 3))
    world.desk.run_once()
    assert [host.closed for host in world.hosts[:-1]] == [True] * (len(world.hosts) - 1)
    assert not world.hosts[-1].closed


def test_a_host_of_a_lease_that_is_lost_meanwhile_drives_nothing(world: World) -> None:
    world.desk.gained(Fence("provider:8", 1))
    world.desk.lost(Fence("provider:8", 1))
    world.desk.run_once()
    assert [host.closed for host in world.hosts if host.fence.name == "provider:8"] in ([], [True])


def test_a_database_that_goes_away_while_an_edit_is_taken_in_leaves_no_provider_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.rows.site = replace(SITE, options={"cpu_cores": 8})
    monkeypatch.setattr(Host, "close", lambda host: setattr(world.rows, "down", True))
    world.desk.edited()
    with pytest.raises(StoreDown):
        world.desk.run_once()
    world.rows.down = False
    world.desk.run_once()
    assert (world.hosts[-1].closed, world.hosts[-1].adopted) == (False, 1)
    assert world.hosts[-1].site == world.rows.site


def test_a_provider_without_a_driver_is_tried_again_when_it_is_edited(world: World) -> None:
    world.unmakable = True
    world.desk.lost(FENCE)
    world.desk.gained(Fence("provider:7", 2))
    world.desk.run_once()
    assert [host.closed for host in world.hosts] == [True]
    world.unmakable = False
    world.desk.edited()
    world.desk.run_once()
    assert [host.closed for host in world.hosts] == [True, False]


def test_work_that_waited_for_the_database_is_done_in_its_order(world: World) -> None:
    done: list[int] = []
    world.rows.down = True
    for n in (1, 2, 3):
        world.desk.post(lambda store, n=n: done.append(n) if store.sites() else None)  # type: ignore[misc]
    for _ in range(2):
        with pytest.raises(StoreDown):
            world.desk.run_once()
    world.rows.down = False
    world.desk.run_once()
    assert done == [1, 2, 3]


def test_an_edit_does_not_wait_for_a_host_whose_engine_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(host: Host, timeout: float) -> None:
        raise AssertionError("the desk serves all providers, and waited for one")

    monkeypatch.setattr(Host, "join", hang)
    world.rows.site = replace(SITE, options={"cpu_cores": 8})
    world.desk.edited()
    world.desk.run_once()
    assert world.retaken == [FENCE]
    assert world.hosts[-1].site == world.rows.site


def test_of_what_waits_for_a_database_only_the_last_word_on_each_thing_is_kept(
    world: World,
) -> None:
    done: list[tuple[str, int]] = []
    world.rows.down = True

    def post(about: str, n: int) -> None:
        world.desk.post(lambda store: done.append((about, n)) if store.sites() else None, about)

    for n in range(100):
        post("probe", n)
        post("progress", n)
        if n == 50:
            with pytest.raises(StoreDown):
                world.desk.run_once()
    world.rows.down = False
    world.desk.run_once()
    assert done == [("probe", 99), ("progress", 99)]


def test_work_that_fails_ends_no_other_work(world: World) -> None:
    done: list[str] = []

    def fail(store: Store) -> None:
        raise ValueError("odd")

    world.desk.post(fail)
    world.desk.post(lambda store: done.append("next"))
    world.desk.run_once()
    assert done == ["next"]


def test_work_waits_for_a_database_that_is_away(world: World) -> None:
    done: list[Site] = []
    world.rows.down = True
    world.desk.post(lambda store: done.extend(store.sites()))
    with pytest.raises(StoreDown):
        world.desk.run_once()
    world.rows.down = False
    world.desk.run_once()
    assert done == [SITE]


def test_only_what_was_told_is_read_until_the_next_poll(world: World) -> None:
    world.rows.read.clear()
    world.rows.waiting = {"requests"}
    world.desk.post(lambda store: None)
    world.desk.run_once()
    assert world.rows.read == []
    world.desk.look("cancel")
    world.desk.look("placed")
    world.desk.run_once()
    assert world.rows.read == ["placed", "cancel"]


def test_what_nobody_told_is_found_by_the_poll_of_each_second(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.rows.read.clear()
    world.rows.waiting = {"cancel"}
    assert 0 < world.desk.next_wait() <= 1.0
    later = monotonic() + 1.0
    monkeypatch.setattr(desk_module, "monotonic", lambda: later)
    assert world.desk.next_wait() == 0
    world.desk.run_once()
    assert world.rows.read == ["news", "cancel"]


def test_what_was_told_while_the_database_is_away_is_read_when_it_is_back(world: World) -> None:
    world.rows.waiting = {"cancel"}
    world.rows.down = True
    world.desk.look("cancel")
    with pytest.raises(StoreDown):
        world.desk.run_once()
    world.rows.down = False
    world.rows.read.clear()
    world.desk.run_once()
    assert "cancel" in world.rows.read


def test_a_process_that_drives_no_provider_rests_between_its_rounds() -> None:
    idle = World()
    idle.desk.run_once()
    assert idle.desk.next_wait() == idle.desk.interval
