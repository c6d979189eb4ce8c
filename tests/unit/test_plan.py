"""Where each waiting job goes, or why it waits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.reasons import WAITS, reason_text
from orchestrator.scheduling.policy import Plan, plan
from orchestrator.scheduling.snapshot import (
    Demand,
    PendingJob,
    ProviderView,
    Requirement,
    Snapshot,
)
from providers.fit import matches


def place(name: str = "one", number: int = 1, cpu: int = 4000, **facts: object) -> ProviderView:
    """An idle provider of 4 cores and 8 GiB."""
    view = ProviderView(
        number, name, {}, cpu, 8192, 0, cpu, 8192, 0, None,
    )  # fmt: skip
    return replace(view, **facts)  # type: ignore[arg-type]


def job(number: int, cpu: int = 1000, memory: int = 512, **facts: object) -> PendingJob:
    return PendingJob(number, Demand(cpu, memory, **facts))  # type: ignore[arg-type]


def planned(queue: list[PendingJob], *providers: ProviderView) -> Plan:
    return plan(Snapshot(tuple(queue), providers))


def reason_of(made: Plan, number: int) -> str:
    return next(w.reason for w in made.waits if w.job == number)


# --- examples ----------------------------------------------------------------------


def test_jobs_are_placed_in_the_order_of_the_queue_until_it_is_full() -> None:
    made = planned([job(9), job(2), job(5), job(1), job(7)], place(cpu=3000))
    assert [p.job for p in made.placements] == [9, 2, 5]
    assert [w.job for w in made.waits] == [1, 7]
    assert {w.reason for w in made.waits} == {"no_capacity"}


def test_a_small_job_is_placed_behind_a_large_one_that_waits() -> None:
    made = planned([job(1, cpu=4000), job(2, cpu=500)], place(free_cpu_millis=1000))
    assert [p.job for p in made.placements] == [2]
    assert reason_of(made, 1) == "no_capacity"


def test_the_emptiest_provider_is_taken_first() -> None:
    made = planned([job(1), job(2), job(3)], place("a", 1, free_cpu_millis=2000), place("b", 2))
    assert [p.provider_name for p in made.placements] == ["b", "b", "a"]


def test_slots_limit_the_number_of_attempts() -> None:
    made = planned([job(1, cpu=10), job(2, cpu=10), job(3, cpu=10)], place(free_slots=2))
    assert [p.job for p in made.placements] == [1, 2]


@pytest.mark.parametrize(
    ("queue", "providers", "reason"),
    [
        ([job(1)], [], "no_provider"),
        ([job(1, provider="other")], [place()], "no_match"),
        ([job(1, requires=(Requirement("disk", "eq", ("ssd",)),))], [place()], "no_match"),
        ([job(1, cpu=64_000)], [place()], "too_large"),
        ([job(1, memory=100_000)], [place()], "too_large"),
        ([job(1, gpus=1)], [place()], "too_large"),
        (
            [job(1)],
            [place(total_cpu_millis=0, total_memory_mb=0, down_reason="provider_down", down="x")],
            "provider_down",
        ),
        ([job(1)], [place(free_memory_mb=100)], "no_capacity"),
        ([job(1)], [place(free_slots=0)], "no_capacity"),
        ([job(1)], [place(down_reason="provider_down", down="it is draining")], "provider_down"),
        ([job(1)], [place(down_reason="disk_low", down="only 1.0 GiB is free")], "disk_low"),
    ],
)
def test_a_job_that_is_passed_over_is_told_why(
    queue: list[PendingJob], providers: list[ProviderView], reason: str
) -> None:
    made = planned(queue, *providers)
    assert [w.reason for w in made.waits] == [reason]
    assert not made.placements
    # every number that the words ask for is told
    assert "–" not in reason_text(made.waits[0].reason, made.waits[0].detail)


def test_a_job_past_its_queue_limit_ends_and_takes_no_room() -> None:
    made = planned([replace(job(1), expired=True), job(2)], place(cpu=1000))
    assert made.expired == (1,)
    assert [p.job for p in made.placements] == [2]


@pytest.mark.parametrize(
    ("op", "values", "labels", "met"),
    [
        ("eq", ("a",), {"k": "a"}, True),
        ("eq", ("a",), {}, False),
        ("neq", ("a",), {"k": "b"}, True),
        ("neq", ("a",), {}, True),
        ("neq", ("a",), {"k": "a"}, False),
        ("in", ("a", "b"), {"k": "b"}, True),
        ("in", ("a", "b"), {}, False),
        ("not_in", ("a",), {"k": "a"}, False),
        ("not_in", ("a",), {}, True),
        ("exists", (), {"k": ""}, True),
        ("exists", (), {}, False),
        ("not_exists", (), {}, True),
        ("not_exists", (), {"k": "a"}, False),
    ],
)
def test_a_condition_on_labels(
    op: str, values: tuple[str, ...], labels: dict[str, str], met: bool
) -> None:
    assert matches(Requirement("k", op, values), labels) is met


# --- properties --------------------------------------------------------------------

requirements = st.builds(
    Requirement,
    st.sampled_from(["disk", "zone"]),
    st.sampled_from(["eq", "neq", "in", "not_in"]),
    st.tuples(st.sampled_from(["a", "b"])),
)
demands = st.builds(
    Demand,
    st.sampled_from([100, 500, 1000, 3000, 20_000]),
    st.sampled_from([64, 512, 4096, 100_000]),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from(["", "", "", "p1", "p2", "nobody"]),
    st.lists(requirements, max_size=1).map(tuple),
)
queues = st.lists(
    st.builds(PendingJob, st.integers(1, 10_000), demands, st.booleans().map(lambda b: b and b)),
    max_size=40,
    unique_by=lambda j: j.id,
)


@st.composite
def views(draw: st.DrawFn, number: int) -> ProviderView:
    cpu, memory = draw(st.sampled_from([0, 1000, 8000])), draw(st.sampled_from([0, 512, 16_384]))
    gpus = draw(st.integers(0, 2))
    down = draw(st.sampled_from(["", "", "it is draining"]))
    label = st.sampled_from(["a", "b", "c"])
    return ProviderView(
        id=number,
        name=f"p{number}",
        labels=draw(st.dictionaries(st.sampled_from(["disk", "zone"]), label)),
        total_cpu_millis=cpu,
        total_memory_mb=memory,
        total_gpus=gpus,
        # may be negative: an operator made a busy provider smaller
        free_cpu_millis=draw(st.integers(-500, cpu)),
        free_memory_mb=draw(st.integers(-500, memory)),
        free_gpus=draw(st.integers(-1, gpus)),
        free_slots=draw(st.none() | st.integers(0, 5)),
        down_reason="provider_down" if down else "",
        down=down,
    )


snapshots = st.builds(
    Snapshot,
    queues.map(tuple),
    st.integers(0, 4).flatmap(lambda n: st.tuples(*(views(i + 1) for i in range(n)))),
)


@given(snapshots)
def test_every_job_is_placed_or_ended_or_told_why_it_waits(snapshot: Snapshot) -> None:
    made = plan(snapshot)
    answers = [p.job for p in made.placements] + [w.job for w in made.waits] + list(made.expired)
    assert sorted(answers) == sorted(j.id for j in snapshot.queue)
    assert {w.reason for w in made.waits} <= {reason.code for reason in WAITS}
    assert set(made.expired) == {j.id for j in snapshot.queue if j.expired}


@given(snapshots)
def test_no_provider_is_ever_filled_beyond_what_is_free(snapshot: Snapshot) -> None:
    demand_of = {j.id: j.demand for j in snapshot.queue}
    made = plan(snapshot)
    for view in snapshot.providers:
        given_out = [demand_of[p.job] for p in made.placements if p.provider == view.id]
        if not given_out:
            continue
        assert sum(d.cpu_millis for d in given_out) <= view.free_cpu_millis
        assert sum(d.memory_mb for d in given_out) <= view.free_memory_mb
        assert sum(d.gpus for d in given_out) <= max(0, view.free_gpus)
        assert view.free_slots is None or len(given_out) <= view.free_slots


@given(snapshots)
def test_nothing_is_placed_where_it_may_not_go(snapshot: Snapshot) -> None:
    demand_of = {j.id: j.demand for j in snapshot.queue}
    view_of = {v.id: v for v in snapshot.providers}
    for placed in plan(snapshot).placements:
        view, demand = view_of[placed.provider], demand_of[placed.job]
        assert view.down == ""
        assert placed.provider_name == view.name
        assert demand.provider in ("", view.name)
        assert all(matches(r, view.labels) for r in demand.requires)


@given(snapshots)
def test_a_job_never_waits_while_an_equal_one_behind_it_is_placed(snapshot: Snapshot) -> None:
    placed = {p.job for p in plan(snapshot).placements}
    refused: set[Demand] = set()
    for waiting in snapshot.queue:
        if waiting.expired:
            continue
        if waiting.id in placed:
            assert waiting.demand not in refused
        else:
            refused.add(waiting.demand)


@given(snapshots)
def test_a_job_that_waits_for_room_would_fit_nowhere_in_what_the_plan_left(
    snapshot: Snapshot,
) -> None:
    """Nothing is passed over for want of trying: what is free after the plan, less what
    went to jobs behind it, is what it met; so at the end too it fits nowhere."""
    made = plan(snapshot)
    demand_of = {j.id: j.demand for j in snapshot.queue}
    for view in snapshot.providers:
        if view.down:
            continue
        given_out = [demand_of[p.job] for p in made.placements if p.provider == view.id]
        for wait in made.waits:
            demand = demand_of[wait.job]
            if demand.provider not in ("", view.name):
                continue
            if not all(matches(r, view.labels) for r in demand.requires):
                continue
            fits = (
                demand.cpu_millis <= view.free_cpu_millis - sum(d.cpu_millis for d in given_out)
                and demand.memory_mb <= view.free_memory_mb - sum(d.memory_mb for d in given_out)
                and demand.gpus <= view.free_gpus - sum(d.gpus for d in given_out)
                and (view.free_slots is None or len(given_out) < view.free_slots)
            )
            assert not fits, (wait, view)


@given(snapshots)
@settings(max_examples=50)
def test_the_same_snapshot_makes_the_same_plan(snapshot: Snapshot) -> None:
    assert plan(snapshot) == plan(snapshot)
