"""What keeps a job from starting although there is room: pause, limits, keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.scheduling.snapshot import Key, KeyView, Overflow, ProjectView
from tests.support.planning import (
    detail_of,
    order_of,
    place,
    planned,
    project,
    reason_of,
    waiting,
)

# --- pause -------------------------------------------------------------------------


def test_nothing_of_a_paused_project_starts_and_others_are_not_kept() -> None:
    paused = project(1, paused="ada wrote “migration”")
    made = planned([waiting(1, priority=90), waiting(2, project=2)], place(),
                   projects=[paused, project(2)])  # fmt: skip
    assert order_of(made) == [2]
    assert detail_of(made, 1) == {"project": "team-1", "why": "ada wrote “migration”"}


# --- limits ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "started", "limit"),
    [
        (project(running=2), [1, 2], "2 running jobs"),
        (replace(project(running=2), running=1), [1], "2 running jobs"),
        (project(running=1), [1], "1 running job"),
        (project(cpu_millis=2500), [1, 2], "2.5 CPU"),
        (project(memory_mb=600), [1], "600 MiB of memory"),
        (replace(project(gpus=2), gpus=1), [1], "2 GPU"),
        # above its limit already, because that was lowered: nothing more starts, nothing ends
        (replace(project(cpu_millis=2000), cpu_millis=3000), [], "2 CPU"),
    ],
)
def test_a_project_stays_within_each_of_its_limits(
    of: ProjectView, started: list[int], limit: str
) -> None:
    made = planned([waiting(1, 2, 3, gpus=1)], place(total_gpus=4, free_gpus=4), projects=[of])
    assert order_of(made) == started
    assert reason_of(made, 1) == "project_limit"
    assert detail_of(made, 1)["limit"] == limit


def test_what_is_larger_than_the_limit_is_told_so() -> None:
    made = planned([waiting(1, memory=2048)], place(), projects=[project(memory_mb=1024)])
    assert reason_of(made, 1) == "above_project_limit"
    assert detail_of(made, 1) == {
        "project": "team-1",
        "limit": "1 GiB of memory",
        "need": "2 GiB of memory",
    }


def test_a_limit_on_gpus_keeps_no_job_without_them() -> None:
    assert order_of(planned([waiting(1)], place(), projects=[project(gpus=0)])) == [1]


def test_a_smaller_job_goes_within_what_a_limit_leaves() -> None:
    made = planned([waiting(1, cpu=3000), waiting(2)], place(), projects=[project(cpu_millis=2000)])
    assert order_of(made) == [2]


# --- concurrency keys: queue -------------------------------------------------------

QUEUE = Key("deploy", 2)


def test_no_more_of_a_key_run_than_its_limit() -> None:
    made = planned([waiting(1, 2, 3, key=QUEUE), waiting(4)], place(cpu=9000),
                   keys={(1, "deploy"): KeyView((90,))})  # fmt: skip
    assert sorted(order_of(made)) == [1, 4]
    assert detail_of(made, 1) == {"key": "deploy", "limit": 2}
    assert made.give_way == ()


def test_classes_with_the_same_key_share_its_limit() -> None:
    made = planned([waiting(1, 2, key=QUEUE), waiting(3, cpu=500, key=QUEUE)], place())
    assert order_of(made) == [1, 2]


def test_a_key_of_the_same_name_in_another_project_is_another_key() -> None:
    full = {(2, "deploy"): KeyView((90, 91))}
    assert order_of(planned([waiting(1, key=QUEUE)], place(), keys=full)) == [1]


# --- concurrency keys: cancel the newest -------------------------------------------

NEWEST = Key("deploy", 2, Overflow.CANCEL_NEWEST)


def test_cancel_newest_cancels_those_that_came_when_the_key_was_full() -> None:
    made = planned([waiting(1, 2, 3, 4, key=NEWEST)], place(),
                   keys={(1, "deploy"): KeyView((90,))})  # fmt: skip
    assert [(g.job, g.key, g.to) for g in made.give_way] == [
        (2, "deploy", 1),
        (3, "deploy", 1),
        (4, "deploy", 1),
    ]
    assert order_of(made) == [1]
    assert made.more, "what is behind those that went is looked at at once"


def test_cancel_newest_cancels_nobody_while_the_key_has_places() -> None:
    made = planned([waiting(1, 2, key=NEWEST)], place(free_slots=0))
    assert made.give_way == ()


def test_cancel_newest_cancels_only_jobs_that_ask_for_it() -> None:
    patient = waiting(2, 3, key=Key("deploy", 2), waited=1)
    hasty = waiting(4, key=NEWEST)
    made = planned([patient, hasty], place(), keys={(1, "deploy"): KeyView((90,))})
    assert [g.job for g in made.give_way] == [4]


def test_the_newest_is_told_by_when_it_came_not_by_its_priority() -> None:
    early, late = waiting(1, key=NEWEST, waited=9), waiting(2, 3, key=NEWEST, priority=90)
    made = planned([early, late], place())
    assert [g.job for g in made.give_way] == [3]


# --- concurrency keys: cancel what runs --------------------------------------------

RUNNING = Key("deploy", 1, Overflow.CANCEL_RUNNING)


def test_cancel_running_tells_the_oldest_running_to_stop_for_the_newest() -> None:
    live = {(1, "deploy"): KeyView((90, 91))}
    made = planned([waiting(1, key=replace(RUNNING, limit=2))], place(), keys=live)
    assert [(g.job, g.to) for g in made.give_way] == [(90, 1)]
    assert reason_of(made, 1) == "key_limit"


def test_cancel_running_cancels_older_waiting_ones() -> None:
    made = planned([waiting(1, 2, 3, key=RUNNING)], place())
    assert {(g.job, g.to) for g in made.give_way} == {(1, 3), (2, 3)}
    assert order_of(made) == [3]


def test_cancel_running_does_not_tell_one_to_stop_twice() -> None:
    live = {(1, "deploy"): KeyView((90,), frozenset({90}))}
    made = planned([waiting(1, key=RUNNING)], place(), keys=live)
    assert (made.give_way, order_of(made)) == ((), [])


def test_nobody_stops_for_a_job_that_is_content_to_queue() -> None:
    live = {(1, "deploy"): KeyView((90,))}
    older, newest = waiting(1, key=RUNNING, waited=5), waiting(2, key=Key("deploy", 1))
    assert planned([older, newest], place(), keys=live).give_way == ()


def test_nobody_stops_for_a_job_of_a_paused_project() -> None:
    """It could not start in its place."""
    live = {(1, "deploy"): KeyView((90,))}
    made = planned([waiting(1, key=RUNNING)], place(), keys=live,
                   projects=[project(paused="by ada")])  # fmt: skip
    assert made.give_way == ()
