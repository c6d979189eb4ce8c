"""Where each waiting job goes, or why it waits: the plan as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobs.reasons import reason_text
from orchestrator.scheduling.policy import Told, plan
from orchestrator.scheduling.snapshot import (
    Key,
    KeyView,
    Overflow,
    ProjectView,
    ProviderView,
    Requirement,
    WaitingClass,
)
from tests.support.planning import (
    look,
    order_of,
    place,
    planned,
    project,
    reason_of,
    waiting,
)


def test_jobs_are_placed_in_their_order_until_it_is_full() -> None:
    made = planned([waiting(9, 12, 15), waiting(11, waited=-5)], place(cpu=3000))
    assert order_of(made) == [9, 12, 15]
    assert reason_of(made, 11) == "no_capacity"


def test_a_small_job_is_placed_behind_a_large_one_that_waits() -> None:
    made = planned([waiting(1, cpu=4000), waiting(2, cpu=500)], place(free_cpu_millis=1000))
    assert order_of(made) == [2]
    assert reason_of(made, 1) == "no_capacity"


def test_of_a_class_those_that_find_no_room_wait_with_one_reason() -> None:
    made = planned([waiting(1, 2, 3, 4)], place(cpu=2000))
    assert order_of(made) == [1, 2]
    assert [w.waiting for w in made.waits] == [100]


# --- reasons -----------------------------------------------------------------------

DOWN = place(down_reason="provider_down", down="it is draining")


@pytest.mark.parametrize(
    ("one", "providers", "of", "reason"),
    [
        (waiting(1), [], project(), "no_provider"),
        (waiting(1, provider="other"), [place()], project(), "no_match"),
        (waiting(1, requires=(Requirement("disk", "eq", ("ssd",)),)), [place()], project(),
         "no_match"),
        (waiting(1, cpu=64_000), [place()], project(), "too_large"),
        (waiting(1, memory=100_000), [place()], project(), "too_large"),
        (waiting(1, gpus=1), [place()], project(), "too_large"),
        (waiting(1), [replace(DOWN, total_cpu_millis=0, total_memory_mb=0)], project(),
         "provider_down"),
        (waiting(1), [place(free_memory_mb=100)], project(), "no_capacity"),
        (waiting(1), [place(free_slots=0)], project(), "no_capacity"),
        (waiting(1), [DOWN], project(), "provider_down"),
        (waiting(1), [place(down_reason="disk_low", down="only 1.0 GiB is free")], project(),
         "disk_low"),
        (waiting(1, apart=(("app", "db"),)), [place(apart=frozenset({(1, "app", "db")}))],
         project(), "apart"),
        (waiting(1), [place()], project(paused="by ada"), "paused"),
        (waiting(1), [place()], replace(project(running=2), running=2), "project_limit"),
        (waiting(1), [place()], project(cpu_millis=500), "above_project_limit"),
        (waiting(1, key=Key("deploy", 0)), [place()], project(), "key_limit"),
    ],
)  # fmt: skip
def test_a_class_that_is_passed_over_is_told_why(
    one: WaitingClass, providers: list[ProviderView], of: ProjectView, reason: str
) -> None:
    made = planned([one], *providers, projects=[of])
    assert [w.reason for w in made.waits] == [reason]
    assert not made.placements
    # every number that the words ask for is told
    assert "–" not in reason_text(made.waits[0].reason, made.waits[0].detail)


def test_what_has_been_told_already_is_not_told_again() -> None:
    first = planned([waiting(1)], place(free_slots=0))
    told = (first.waits[0].reason, dict(first.waits[0].detail))
    assert planned([waiting(1, told=told)], place(free_slots=0)).empty
    other = planned([waiting(1, told=told)], DOWN)
    assert [w.reason for w in other.waits] == ["provider_down"]


def test_a_class_of_which_nobody_waits_any_more_is_no_longer_told_a_reason() -> None:
    over = Told(100, "queued", {})
    full: Any = ("no_capacity", {})
    assert planned([waiting(1, told=full)], place()).waits == (over,)
    gone = replace(waiting(1, told=full), jobs=(), since=())
    assert planned([gone], place()).waits == (over,)
    # but where others stand behind what was read, nobody knows yet
    assert planned([waiting(1, told=full, more=True)], place()).waits == ()


def test_why_a_class_waits_is_told_by_how_things_stand_at_the_end_of_the_look() -> None:
    """So that the next look, with nothing changed, has nothing to say."""
    large, small = waiting(1, cpu=4000, priority=60), waiting(2)
    busy = place(cpu=4000, free_cpu_millis=2000)
    made = planned([large, small], busy, projects=[project(running=1)])
    assert order_of(made) == [2]
    assert reason_of(made, 1) == "project_limit"


def test_what_no_provider_will_ever_take_is_told_before_any_limit() -> None:
    made = planned([waiting(1, cpu=5000)], place(cpu=4000), projects=[project(running=0)])
    assert reason_of(made, 1) == "too_large"


# --- depth -------------------------------------------------------------------------


def test_where_the_snapshot_ends_the_look_ends_and_asks_for_another() -> None:
    deep = waiting(1, 2, more=True, priority=80)
    made = planned([deep, waiting(3, priority=20)], place(cpu=9000))
    assert (order_of(made), made.more) == ([1, 2], True)
    assert not made.waits, "of what comes behind nothing is known yet"


def test_nothing_is_placed_out_of_turn_before_an_unread_job() -> None:
    """The unread job may have come right after the last that was read."""
    made = planned([waiting(1, waited=50, more=True), waiting(2, waited=40)], place())
    assert (order_of(made), made.more) == ([1], True)


def test_jobs_ahead_of_what_is_unread_are_placed() -> None:
    made = planned([waiting(1, waited=50), waiting(2, waited=40, more=True)], place())
    assert (order_of(made), made.more) == ([1, 2], True)


def test_a_long_line_that_has_no_room_needs_no_second_look() -> None:
    made = planned([waiting(1, 2, more=True), waiting(3, cpu=100)], place(free_cpu_millis=500))
    assert (order_of(made), made.more) == ([3], False)
    assert reason_of(made, 1) == "no_capacity"


def test_when_all_that_was_read_gives_way_nothing_is_placed_before_the_next_look() -> None:
    key = Key("deploy", 1, Overflow.CANCEL_NEWEST)
    full = waiting(11, 12, key=key, priority=90, more=True)
    keys = {(1, "deploy"): KeyView((9,))}
    made = planned([full, waiting(13)], place(), keys=keys)
    assert [one.job for one in made.give_way] == [11, 12]
    assert (made.placements, made.more) == ((), True)


def test_an_empty_queue_makes_an_empty_plan() -> None:
    assert plan(look([], place())).empty
