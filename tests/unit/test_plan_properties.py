"""What holds of every plan. `make plan-cases CASES=10000` tries so many snapshots for each."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.reasons import WAITS, reason_text
from orchestrator.scheduling import fleet
from orchestrator.scheduling.fleet import Fleet
from orchestrator.scheduling.order import OVERDUE, level
from orchestrator.scheduling.policy import Placed, Plan, plan
from orchestrator.scheduling.snapshot import (
    Demand,
    ProjectView,
    ProviderView,
    Requirement,
    Snapshot,
    WaitingClass,
)
from providers.fit import matches
from tests.support.plain_planner import PlainPlanner
from tests.support.snapshots import snapshots

cases = settings(max_examples=int(os.environ.get("PLAN_CASES", "300")))


@cases
@given(snapshots())
def test_what_holds_of_every_plan(snapshot: Snapshot) -> None:
    """One snapshot for all: most of the time goes into making them up."""
    made = plan(snapshot)
    every_class_is_placed_or_gives_way_or_is_told_why_it_waits(snapshot, made)
    no_provider_is_filled_beyond_what_is_free(snapshot, made)
    nothing_is_placed_where_it_may_not_go(snapshot, made)
    no_limit_is_exceeded(snapshot, made)
    no_job_waits_that_could_have_had_the_room_of_one_behind_it(snapshot, made)
    the_plan_is_that_of_the_plain_planner(snapshot, made)


def every_class_is_placed_or_gives_way_or_is_told_why_it_waits(
    snapshot: Snapshot, made: Plan
) -> None:
    placed = {p.job for p in made.placements}
    gone = {one.job for one in made.give_way}
    told = {w.waiting for w in made.waits}
    for waiting in snapshot.classes:
        left = set(waiting.jobs) - placed - gone
        assert not left or waiting.id in told or made.more
    assert len(placed) == len(made.placements), "nothing is placed twice"
    assert not placed & gone
    assert {w.reason for w in made.waits} <= {reason.code for reason in WAITS}
    assert all("–" not in reason_text(w.reason, w.detail) for w in made.waits)


def no_provider_is_filled_beyond_what_is_free(snapshot: Snapshot, made: Plan) -> None:
    for view in snapshot.providers:
        here = [p.demand for p in made.placements if p.provider == view.id]
        if here:
            assert sum(d.cpu_millis for d in here) <= view.free_cpu_millis
            assert sum(d.memory_mb for d in here) <= view.free_memory_mb
            assert sum(d.gpus for d in here) <= max(0, view.free_gpus)
            assert view.free_slots is None or len(here) <= view.free_slots


def nothing_is_placed_where_it_may_not_go(snapshot: Snapshot, made: Plan) -> None:
    views = {view.id: view for view in snapshot.providers}
    beside = {view.id: set(view.apart) for view in snapshot.providers}
    for placed in made.placements:
        view, demand = views[placed.provider], placed.demand
        assert view.down == ""
        assert placed.provider_name == view.name
        assert demand.provider in ("", view.name)
        assert all(matches(one, view.labels) for one in demand.requires)
        mine = {(placed.project, *pair) for pair in demand.apart}
        assert not mine & beside[view.id]
        beside[view.id] |= mine


def no_limit_is_exceeded(snapshot: Snapshot, made: Plan) -> None:
    for project in snapshot.projects.values():
        of_it = [p.demand for p in made.placements if p.project == project.id]
        assert not (of_it and project.paused)
        limits = project.limits
        for used, more, bound in (
            (project.running, len(of_it), limits.running),
            (project.cpu_millis, sum(d.cpu_millis for d in of_it), limits.cpu_millis),
            (project.memory_mb, sum(d.memory_mb for d in of_it), limits.memory_mb),
            (project.gpus, sum(d.gpus for d in of_it), limits.gpus),
        ):
            assert bound is None or not more or used + more <= bound
    live = {key: len(view.jobs) for key, view in snapshot.keys.items()}
    for placed in made.placements:
        if placed.key is not None:
            live[placed.project, placed.key.name] += 1
            assert live[placed.project, placed.key.name] <= placed.key.limit


def no_job_waits_that_could_have_had_the_room_of_one_behind_it(
    snapshot: Snapshot, made: Plan
) -> None:
    """No unexplained priority inversion: whoever was placed behind a waiting job is where that
    one could not have gone, or a limit held that one, or is kept for one that stands before it."""
    placed = {p.job: p for p in made.placements}
    gone = {one.job for one in made.give_way}
    told = {w.waiting: w for w in made.waits}
    plain = PlainPlanner(snapshot)
    plain.plan()
    for waiting in snapshot.classes:
        if waiting.id not in told:
            continue
        first = next(at for at, job in enumerate(waiting.jobs) if job not in placed.keys() | gone)
        if told[waiting.id].reason == "kept_limit":
            ahead = int(told[waiting.id].detail["job"])
            assert ahead not in placed
            assert waiting.jobs[first] in _behind(snapshot, *_where(snapshot, ahead))
        kept = with_what_is_kept(snapshot, plain, waiting)
        for behind in _behind(snapshot, waiting, first):
            if behind in placed:
                assert not _could_replace(kept, made, waiting, placed[behind])


def with_what_is_kept(snapshot: Snapshot, plain: PlainPlanner, waiting: WaitingClass) -> Snapshot:
    """The snapshot as if the overdue jobs ran for which the limits of a class's project, and its
    key, are kept."""
    projects, keys, of = dict(snapshot.projects), dict(snapshot.keys), waiting.project
    first = plain.kept.get(of, waiting)
    if first is not waiting:
        projects[of] = _using(projects[of], first.demand)
    name = (of, waiting.key.name if waiting.key else "")
    first = plain.kept_keys.get(name, waiting)
    if first is not waiting and first.key and waiting.key:
        # those with the higher limit go without what the lower one does not let run
        more = max(0, waiting.key.limit - first.key.limit)
        keys[name] = replace(keys[name], jobs=(*keys[name].jobs, *range(-more, 1)))
    return replace(snapshot, projects=projects, keys=keys)


@cases
@given(snapshots(), st.randoms(use_true_random=False))
def test_the_same_snapshot_makes_the_same_plan_in_whatever_order_its_rows_come(
    snapshot: Snapshot, chance: random.Random
) -> None:
    made = plan(snapshot)
    assert plan(snapshot) == made
    classes, providers = list(snapshot.classes), list(snapshot.providers)
    chance.shuffle(classes)
    chance.shuffle(providers)
    other = plan(replace(snapshot, classes=tuple(classes), providers=tuple(providers)))
    assert other.placements == made.placements
    assert {one.job for one in other.give_way} == {one.job for one in made.give_way}
    assert {w.waiting: w for w in other.waits} == {w.waiting: w for w in made.waits}


@cases
@given(snapshots(), snapshots(), st.randoms(use_true_random=False))
def test_a_fleet_that_is_kept_from_look_to_look_changes_no_plan(
    before: Snapshot, snapshot: Snapshot, chance: random.Random
) -> None:
    """Before: other providers, or the same with other labels, or with other room."""
    providers = before.providers
    if chance.random() < 0.7:
        providers = tuple(
            replace(view, down="it is draining", down_reason="provider_down", free_cpu_millis=0)
            if chance.random() < 0.3
            else replace(view, labels={"zone": "other"})
            if chance.random() < 0.1
            else view
            for view in snapshot.providers
        )
    kept = Fleet(providers)
    plan(replace(snapshot, providers=providers), kept)
    assert plan(snapshot, kept.renewed(snapshot.providers)) == plan(snapshot)


def test_what_a_kept_fleet_knows_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Selections are what submitters write: each may be another one."""
    monkeypatch.setattr(fleet, "MOST_KNOWN", 5)
    views = [ProviderView(1, "here", {"zone": "a"})]
    kept = Fleet(views)
    for number in range(50):
        kept = kept.renewed(views)
        requires = (Requirement("zone", "neq", (str(number),)),)
        assert kept.selected(Demand(1, 1, requires=requires)).all()
        assert len(kept._selections) <= 6


def the_plan_is_that_of_the_plain_planner(snapshot: Snapshot, made: Plan) -> None:
    plain = PlainPlanner(snapshot).plan()
    assert [(p.job, p.provider) for p in made.placements] == plain.placements
    assert {one.job for one in made.give_way} == plain.give_way
    assert {w.waiting: w.reason for w in made.waits} == plain.reasons
    assert made.more == plain.more


@cases
@given(snapshots(calm=True))
def test_a_second_look_with_nothing_changed_has_nothing_to_say(snapshot: Snapshot) -> None:
    made = plan(snapshot)
    assert plan(committed(snapshot, made)).empty


def committed(snapshot: Snapshot, made: Plan) -> Snapshot:
    """The snapshot after this plan came to pass; who was told to stop is stopping."""
    placed = {p.job: p for p in made.placements}
    gone = placed.keys() | {one.job for one in made.give_way}
    told = {w.waiting: (w.reason, w.detail) for w in made.waits}
    classes = []
    for waiting in snapshot.classes:
        kept = [p for p in zip(waiting.jobs, waiting.since, strict=True) if p[0] not in gone]
        classes.append(
            replace(
                waiting,
                jobs=tuple(job for job, _ in kept),
                since=tuple(since for _, since in kept),
                told=told.get(waiting.id, waiting.told),
            )
        )
    held: dict[int, list[Placed]] = defaultdict(list)
    of_key: dict[tuple[int, str], list[int]] = defaultdict(list)
    projects = dict(snapshot.projects)
    for one in made.placements:
        held[one.provider].append(one)
        projects[one.project] = _using(projects[one.project], one.demand)
        if one.key is not None:
            of_key[one.project, one.key.name].append(one.job)
    keys = {
        name: replace(
            view,
            jobs=view.jobs + tuple(of_key[name]),
            stopping=view.stopping | (gone & set(view.jobs)),
        )
        for name, view in snapshot.keys.items()
    }
    views = tuple(_holding(view, held[view.id]) for view in snapshot.providers)
    return replace(snapshot, classes=tuple(classes), providers=views, projects=projects, keys=keys)


def _using(project: ProjectView, demand: Demand) -> ProjectView:
    return replace(
        project,
        running=project.running + 1,
        cpu_millis=project.cpu_millis + demand.cpu_millis,
        memory_mb=project.memory_mb + demand.memory_mb,
        gpus=project.gpus + demand.gpus,
    )


def _holding(view: ProviderView, here: list[Placed]) -> ProviderView:
    return replace(
        view,
        free_cpu_millis=view.free_cpu_millis - sum(p.demand.cpu_millis for p in here),
        free_memory_mb=view.free_memory_mb - sum(p.demand.memory_mb for p in here),
        free_gpus=view.free_gpus - sum(p.demand.gpus for p in here),
        free_slots=None if view.free_slots is None else view.free_slots - len(here),
        apart=view.apart | {(p.project, *pair) for p in here for pair in p.demand.apart},
    )


def _where(snapshot: Snapshot, job: int) -> tuple[WaitingClass, int]:
    """The class of an overdue job, and its place there."""
    waiting = next(one for one in snapshot.classes if job in one.jobs)
    at = waiting.jobs.index(job)
    assert _level(snapshot, waiting, at) == OVERDUE
    return waiting, at


def _behind(snapshot: Snapshot, waiting: WaitingClass, at: int) -> set[int]:
    """Jobs that come after this one whatever the fair turn: of a lower level, or later and of
    the same level in its own project, or overdue as it is."""
    mine = _level(snapshot, waiting, at)
    found = set()
    for other in snapshot.classes:
        for place, job in enumerate(other.jobs):
            theirs = _level(snapshot, other, place)
            later = (other.since[place], job) > (waiting.since[at], waiting.jobs[at])
            no_turns = mine == OVERDUE or other.project == waiting.project
            if theirs < mine or (theirs == mine and no_turns and later):
                found.add(job)
    return found


def _level(snapshot: Snapshot, waiting: WaitingClass, at: int) -> int:
    return level(waiting.priority, snapshot.now - waiting.since[at], snapshot.patience)


def _could_replace(snapshot: Snapshot, made: Plan, waiting: WaitingClass, behind: Placed) -> bool:
    """Whether a job of the class would be placed where `behind` went, if that were not there."""
    view = next(v for v in snapshot.providers if v.id == behind.provider)
    rest = tuple(p for p in made.placements if p is not behind)
    after = committed(snapshot, replace(made, placements=rest, waits=()))
    alone = replace(waiting, jobs=(10**6,), since=(snapshot.now,), more=False)
    only = tuple(v for v in after.providers if v.id == view.id)
    return bool(plan(replace(after, classes=(alone,), providers=only)).placements)
