"""The planner and the pages agree on which provider fits: arrays against providers/fit.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.held import Held
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.room import view_of
from orchestrator.scheduling.rooms import Rooms
from orchestrator.scheduling.sieve import sieve
from orchestrator.scheduling.snapshot import Demand
from providers.fit import Answer, Need, fit, rank
from providers.models import Mode, Provider, Strategy
from providers.selectors import ProviderUse
from tests.support.snapshots import LABELS, VALUES, demands

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

rows = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["p1", "p2"]),
        "mode": st.sampled_from([Mode.ACTIVE, Mode.ACTIVE, Mode.DRAINING]),
        "health": st.sampled_from(["healthy", "healthy", "degraded", "unreachable"]),
        "probed_at": st.sampled_from([NOW, NOW, NOW - timedelta(minutes=5)]),
        "found_cpu_millis": st.sampled_from([1000, 8000]),
        "found_memory_mb": st.sampled_from([512, 16_384]),
        "found_gpus": st.integers(0, 2),
        "slots": st.none() | st.integers(0, 3),
        "disk_free_bytes": st.sampled_from([None, 2**30, 2**40]),
        "labels": st.dictionaries(st.sampled_from(LABELS), st.sampled_from(VALUES)),
    }
)
used = st.builds(
    Held,
    cpu_millis=st.sampled_from([0, 500, 1000, 5000]),
    memory_mb=st.sampled_from([0, 400, 512, 16_000]),
    gpus=st.integers(0, 2),
    attempts=st.integers(0, 3),
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
@given(rows, used, demands)
def test_each_answer_of_a_provider_is_what_the_planner_finds_there(
    columns: dict[str, Any], held: Held, demand: Demand
) -> None:
    provider = Provider(pk=1, **columns)
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
@given(st.lists(st.tuples(rows, used), max_size=8), demands, st.data())
def test_the_provider_that_is_chosen_is_the_one_that_pages_rank_first(
    providers: list[tuple[dict[str, Any], Held]], demand: Demand, data: st.DataObject
) -> None:
    views, ranks = [], []
    for at, (columns, held) in enumerate(providers, 1):
        provider = Provider(pk=at, **columns, cost_per_hour=data.draw(st.sampled_from([0, 1, 2])))
        if data.draw(st.booleans()):
            provider.strategy = Strategy.PACK
        images = data.draw(st.frozensets(st.sampled_from(["tool", "base"])))
        views.append(view_of(provider, held, NOW, images=images))
        use = used_by(held)
        if fit(need_of(demand), provider, use, NOW).answer is Answer.FITS:
            has_image = demand.image in images
            ranks.append(rank(need_of(demand), provider, use, has_image=has_image))
    chosen = Rooms(Fleet(views)).choose(demand, 1)
    assert (None if chosen is None else views[chosen].id) == (min(ranks)[2] if ranks else None)


@settings(max_examples=100)
@given(st.lists(st.tuples(rows, used), max_size=12), st.lists(demands, min_size=1, max_size=6))
def test_the_sieve_says_of_many_at_once_what_it_says_of_each(
    providers: list[tuple[dict[str, Any], Held]], asked: list[Demand]
) -> None:
    views = [
        view_of(Provider(pk=at, **columns), held, NOW)
        for at, (columns, held) in enumerate(providers, 1)
    ]
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
