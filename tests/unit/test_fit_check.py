"""Where a job that is written would go: the planner's own choice, and the words for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jobs.fit_check import Bar, Comes, FitCheck, Standing, fit_check
from jobs.held import Held
from jobs.kept_free import Overdue, kept_free
from jobs.orders import Requirement
from orchestrator.scheduling.commit_check import view_of
from orchestrator.scheduling.policy import plan
from orchestrator.scheduling.snapshot import Demand, Snapshot, WaitingClass
from orchestrator.scheduling.snapshot import Requirement as Asked
from providers.fit import Need
from providers.models import Provider
from providers.selectors import ProviderUse

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
GIB = 1024
PATIENCE = 3600.0


def provider(number: int = 1, **columns: Any) -> Provider:
    """A healthy one of 8 cores and 16 GiB, looked at just now."""
    known = {"health": "healthy", "probed_at": NOW, "found_cpu_millis": 8000}
    known |= {"name": f"node-{number}", "found_memory_mb": 16 * GIB}
    return Provider(pk=number, **known | columns)


def said(need: Need, *places: Provider, held: bool = False, **uses: ProviderUse) -> FitCheck:
    used = {place.pk: uses.get(place.name.replace("-", "_"), ProviderUse()) for place in places}
    return fit_check(need, Standing(places, used, NOW), held=held)


AMOUNTS = st.sampled_from([0, 1, 500, 1000, 3000, 4000, 8000])
PLACES = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {
                "mode": st.sampled_from(["active", "active", "active", "draining", "inactive"]),
                "health": st.sampled_from(["healthy", "healthy", "degraded", "unreachable"]),
                "found_cpu_millis": AMOUNTS,
                "found_memory_mb": AMOUNTS,
                "found_gpus": st.integers(0, 2),
                "slots": st.sampled_from([None, None, 0, 1, 2]),
                "labels": st.sampled_from([{}, {"zone": "a"}, {"zone": "b"}]),
                "disk_free_bytes": st.sampled_from([None, 2**30, 2**40]),
                "cost_per_hour": st.sampled_from([None, 1, 2]),
                "strategy": st.sampled_from(["spread", "pack"]),
            }
        ),
        st.builds(ProviderUse, st.integers(0, 2), AMOUNTS, AMOUNTS, st.integers(0, 1)),
    ),
    max_size=5,
)
NEEDS = st.builds(
    Need,
    st.sampled_from([10, 500, 1000, 4000, 9000]),
    st.sampled_from([6, 500, 1000, 4000, 9000]),
    st.integers(0, 1),
    st.sampled_from(["", "", "node-1"]),
    st.sampled_from([(), (), (Requirement("zone", "eq", ("a",)),)]),
)


@given(NEEDS, PLACES)
def test_it_names_the_provider_that_the_planner_takes(
    need: Need, found: list[tuple[dict[str, Any], ProviderUse]]
) -> None:
    places = [provider(number, **columns) for number, (columns, _) in enumerate(found, 1)]
    used = {place.pk: use for place, (_, use) in zip(places, found, strict=True)}
    held = {
        pk: Held(one.cpu_millis, one.memory_mb, one.gpus, one.running) for pk, one in used.items()
    }
    with_image = frozenset(p.pk for p in places if p.pk % 2)
    views = [
        view_of(p, held[p.pk], NOW, images=["a"] if p.pk in with_image else [])
        for p in places
        if p.mode != "inactive"
    ]
    asked = tuple(Asked(r.key, r.op, tuple(r.values)) for r in need.requires)
    demand = Demand(need.cpu_millis, need.memory_mb, need.gpus, need.provider, asked, image="a")
    made = plan(Snapshot((WaitingClass(1, 1, 50, demand, (1,), (0.0,)),), tuple(views)))
    planned = [placed.provider_name for placed in made.placements]
    told = fit_check(need, Standing(places, used, NOW, with_image))
    assert ([told.goes_to.name] if told.goes_to else []) == planned
    if planned:
        assert told.headline == f"Starts at once on {planned[0]}"


@given(NEEDS, PLACES, st.lists(NEEDS, min_size=1, max_size=3))
def test_what_is_kept_free_for_overdue_jobs_is_no_room(
    need: Need, found: list[tuple[dict[str, Any], ProviderUse]], overdue: list[Need]
) -> None:
    places = [provider(number, **columns) for number, (columns, _) in enumerate(found, 1)]
    used = {place.pk: use for place, (_, use) in zip(places, found, strict=True)}
    kept = kept_free(
        [Overdue(number, number, 1, one) for number, one in enumerate(overdue, 1)],
        places, used, NOW, {},
    )  # fmt: skip
    classes = [waiting_class(number, one, float(number)) for number, one in enumerate(overdue, 1)]
    classes.append(waiting_class(9, need, PATIENCE * 2))
    views = [
        view_of(p, Held(u.cpu_millis, u.memory_mb, u.gpus, u.running), NOW)
        for p, (_, u) in zip(places, found, strict=True)
        if p.mode != "inactive"
    ]
    made = plan(Snapshot(tuple(classes), tuple(views), now=PATIENCE * 2, patience=PATIENCE))
    assume({placed.job for placed in made.placements} <= {9})
    told = fit_check(need, Standing(places, used, NOW, kept=kept))
    goes_to = [] if told.goes_to is None else [told.goes_to.pk]
    assert goes_to == [placed.provider for placed in made.placements]
    by_class = {wait.waiting: wait for wait in made.waits}
    if 9 in by_class and by_class[9].reason == "kept_free":
        assert "kept free for a job that has waited longest" in told.headline


def waiting_class(number: int, need: Need, since: float) -> WaitingClass:
    asked = tuple(Asked(r.key, r.op, tuple(r.values)) for r in need.requires)
    demand = Demand(need.cpu_millis, need.memory_mb, need.gpus, need.provider, asked)
    return WaitingClass(number, 1, 50, demand, (number,), (since,))


WORDS = {
    Comes.REFUSED: "Would be refused now: etl is full.",
    Comes.CANCELLED: "Would be cancelled at once: etl is full.",
    Comes.WAITS: "Waits: etl is full.",
}


@pytest.mark.parametrize("comes", Comes)
def test_what_bars_it_is_told_before_room_and_after_that_it_never_fits(comes: Comes) -> None:
    bar = Bar(comes, "Etl is full.")

    def barred(need: Need, *, held: bool = False) -> FitCheck:
        place = provider()
        return fit_check(need, Standing([place], {1: ProviderUse()}, NOW, bar=bar), held=held)

    assert barred(Need(1000, GIB)).headline == WORDS[comes]
    never = barred(Need(9000, GIB))
    if comes is Comes.WAITS:
        assert (never.headline, never.besides) == (
            "No provider has 9 CPU: the largest has 8 CPU",
            "Etl is full.",
        )
    else:
        assert never.headline == WORDS[comes]
    held = barred(Need(1000, GIB), held=True)
    assert held.headline.startswith("Held until") is (comes is not Comes.REFUSED)


def test_a_held_job_starts_when_it_is_released() -> None:
    found = said(Need(1000, GIB), provider(), held=True)
    assert found.headline == "Held until it is released; then starts at once on node-1"
    assert found.shape == "held"


@pytest.mark.parametrize(
    ("need", "columns", "headline"),
    [
        (Need(1000, 64 * GIB), {}, "No provider has 64 GiB: the largest has 16 GiB"),
        (Need(16_000, GIB), {}, "No provider has 16 CPU: the largest has 8 CPU"),
        (Need(1000, GIB, 1), {}, "No provider has 1 GPU: the largest has none"),
        (Need(1, 16 * GIB + 1), {}, "No provider has 16385 MiB: the largest has 16384 MiB"),
        (Need(1000, GIB), {"mode": "inactive"}, "Every provider is switched off"),
        (Need(1000, GIB, 0, "other"), {}, "No provider yet: it would wait until there is one"),
        (
            Need(1000, GIB),
            {"health": "unreachable"},
            "Waits: node-1 would suit it, but it is unreachable",
        ),
    ],
)
def test_what_stands_in_the_way_is_the_sentence(
    need: Need, columns: dict[str, Any], headline: str
) -> None:
    assert said(need, provider(**columns)).headline == headline


def test_two_that_each_lack_another_thing_are_told_so() -> None:
    many = provider(1, found_cpu_millis=32_000, found_memory_mb=4 * GIB)
    large = provider(2, found_cpu_millis=2000, found_memory_mb=64 * GIB)
    assert said(Need(16_000, 32 * GIB), many, large).headline == (
        "No provider has 16 CPU and 32 GiB together"
    )


def test_a_full_one_says_how_much_is_short_and_of_slots_that_they_are_taken() -> None:
    need = Need(2000, 4 * GIB)
    full = said(need, provider(), node_1=ProviderUse(3, 7000, 14 * GIB))
    assert full.headline == "Waits until others end: node-1 is 1 CPU and 2 GiB short"
    assert (full.tone, full.shape) == ("warn", "pending")
    slots = said(need, provider(slots=2), node_1=ProviderUse(2, 0, 0))
    assert slots.headline == "Waits until others end: no slot of node-1 free"
    assert slots.rows[0].words == "Room when others end: all 2 slots are taken"


def test_how_long_one_has_been_out_of_reach_is_told() -> None:
    away = provider(health="unreachable", unreachable_since=NOW - timedelta(minutes=3))
    assert said(Need(1, 6), away).rows[0].words == "Unreachable for 3 min"


def test_only_the_nearest_are_listed_and_the_others_counted() -> None:
    places = [provider(number) for number in range(1, 51)]
    found = said(Need(1000, GIB), *places)
    assert len(found.rows) == 6
    assert found.more == "44 more providers are further from it."
    assert found.summary == "Fits on 50 of 50 providers"
