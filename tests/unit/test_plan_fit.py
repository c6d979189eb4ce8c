"""The planner and the pages agree on which provider fits: arrays against providers/fit.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.held import Held
from orchestrator.scheduling.commit_check import view_of
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.rooms import Rooms
from orchestrator.scheduling.sieve import sieve
from orchestrator.scheduling.snapshot import Demand
from providers.fit import Answer, Need, fit, rank
from providers.models import Mode, Provider, Strategy
from providers.selectors import ProviderUse
from tests.support.snapshots import IMAGES, LABELS, VALUES, chances
from tests.support.snapshots import demand as demand_of

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def columns_of(chance: Random) -> dict[str, Any]:
    """A provider's row."""
    return {
        "name": chance.choice(["p1", "p2"]),
        "mode": chance.choice([Mode.ACTIVE, Mode.ACTIVE, Mode.ACTIVE, Mode.DRAINING]),
        "health": chance.choice(["healthy", "healthy", "degraded", "unreachable"]),
        "probed_at": NOW - timedelta(minutes=chance.choice([0, 0, 0, 5])),
        "found_cpu_millis": chance.choice([1000, 8000, 8000]),
        "found_memory_mb": chance.choice([512, 16_384, 16_384]),
        "found_gpus": chance.choice([0, 0, 1, 2]),
        "slots": chance.choice([None, None, 0, 2]),
        "disk_free_bytes": chance.choice([None, None, 2**30, 2**40]),
        "labels": {label: chance.choice(VALUES) for label in LABELS if chance.random() < 0.6},
        "cost_per_hour": chance.choice([0, 1, 2]),
    }


def held_by(chance: Random) -> Held:
    """What live attempts hold of it."""
    return Held(
        cpu_millis=chance.choice([0, 500, 1000, 5000]),
        memory_mb=chance.choice([0, 400, 512, 9000]),
        gpus=chance.choice([0, 0, 1]),
        attempts=chance.randrange(4),
    )


def need_of(demand: Demand) -> Need:
    """What pages hold against a provider."""
    return Need(demand.cpu_millis, demand.memory_mb, demand.gpus, demand.provider, demand.requires)


def used_by(held: Held) -> ProviderUse:
    """The same as pages have it."""
    return ProviderUse(
        running=held.attempts, cpu_millis=held.cpu_millis, memory_mb=held.memory_mb, gpus=held.gpus
    )


@settings(max_examples=300)
@given(chances)
def test_each_answer_of_a_provider_is_what_the_planner_finds_there(chance: Random) -> None:
    demand, held = demand_of(chance), held_by(chance)
    provider = Provider(pk=1, **columns_of(chance))
    said = fit(need_of(demand), provider, used_by(held), NOW).answer
    rooms = Rooms(Fleet([view_of(provider, held, NOW)]))
    (found,) = sieve([demand], rooms)
    assert (said is Answer.UNSUITED) == (not found.selected)
    assert (said is Answer.SMALL) == bool(found.selected and not found.large)
    assert (said is Answer.DOWN) == bool(found.large and not found.up)
    assert (said is Answer.FULL) == bool(found.up and not found.fits)
    assert (said is Answer.FITS) == found.fits
    assert (rooms.choose(demand, 1) is not None) == found.fits
    assert (rooms.choose(demand, 1, found.among) is not None) == found.fits


@settings(max_examples=200)
@given(chances, st.integers(0, 8))
def test_the_provider_that_is_chosen_is_the_one_that_pages_rank_first(
    chance: Random, providers: int
) -> None:
    views, ranks, demand = [], [], demand_of(chance)
    for at in range(1, providers + 1):
        provider, held = Provider(pk=at, **columns_of(chance)), held_by(chance)
        if chance.random() < 0.5:
            provider.strategy = Strategy.PACK
        images = frozenset(image for image in IMAGES if chance.random() < 0.5)
        views.append(view_of(provider, held, NOW, images=images))
        use = used_by(held)
        if fit(need_of(demand), provider, use, NOW).answer is Answer.FITS:
            has_image = demand.image in images
            ranks.append(rank(need_of(demand), provider, use, has_image=has_image))
    chosen = Rooms(Fleet(views)).choose(demand, 1)
    assert (None if chosen is None else views[chosen].id) == (min(ranks)[2] if ranks else None)


@settings(max_examples=100)
@given(chances, st.integers(0, 12))
def test_the_sieve_says_of_many_at_once_what_it_says_of_each(
    chance: Random, providers: int
) -> None:
    views = [
        view_of(Provider(pk=at, **columns_of(chance)), held_by(chance), NOW)
        for at in range(1, providers + 1)
    ]
    asked = [demand_of(chance) for _ in range(6)]
    rooms = Rooms(Fleet(views))
    for demand, found in zip(asked, sieve(asked, rooms), strict=True):
        each = [sieve([demand], Rooms(Fleet([view])))[0] for view in views]
        assert found.selected == sum(one.selected for one in each)
        assert found.large == sum(one.large for one in each)
        assert found.up == sum(one.up for one in each)
        with_room = [at for at, one in enumerate(each) if one.fits]
        assert found.fits == bool(with_room)
        assert found.among is None or list(found.among) == with_room
        best = [at for at, one in enumerate(each) if one.up] or [
            at for at, one in enumerate(each) if one.large
        ]
        assert not best or found.first == best[0]
