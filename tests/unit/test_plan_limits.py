"""What keeps a job from starting although there is room: pause, limits, keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.scheduling.snapshot import (
    Key,
    KeyView,
    Overflow,
    ProjectView,
    ProviderView,
    WaitingClass,
)
from tests.support.planning import (
    PATIENCE,
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
    made = planned([waiting(11, 12, 13, 14, key=NEWEST)], place(),
                   keys={(1, "deploy"): KeyView((9,))})  # fmt: skip
    assert [(g.job, g.key, g.to) for g in made.give_way] == [
        (12, "deploy", 11),
        (13, "deploy", 11),
        (14, "deploy", 11),
    ]
    assert order_of(made) == [11]
    assert made.more, "what is behind those that went is looked at at once"


def test_cancel_newest_cancels_nobody_while_the_key_has_places() -> None:
    made = planned([waiting(1, 2, key=NEWEST)], place(free_slots=0))
    assert made.give_way == ()


def test_cancel_newest_cancels_only_jobs_that_ask_for_it() -> None:
    patient = waiting(12, 13, key=Key("deploy", 2), waited=1)
    hasty = waiting(14, key=NEWEST)
    made = planned([patient, hasty], place(), keys={(1, "deploy"): KeyView((9,))})
    assert [g.job for g in made.give_way] == [14]


def test_the_newest_is_told_by_when_it_was_submitted_not_by_its_priority() -> None:
    early, late = waiting(1, key=NEWEST, waited=9), waiting(2, 3, key=NEWEST, priority=90)
    made = planned([early, late], place())
    assert [g.job for g in made.give_way] == [3]


def test_an_older_jobs_retry_is_not_the_newest() -> None:
    """It came into line last, but what came while it ran is newer."""
    once = replace(NEWEST, limit=1)
    made = planned([waiting(1, key=once)], place(), keys={(1, "deploy"): KeyView((2,))})
    assert (made.give_way, reason_of(made, 1)) == ((), "key_limit")
    retry, later = waiting(1, key=once), waiting(2, key=once, waited=60)
    assert [(g.job, g.to) for g in planned([retry, later], place()).give_way] == [(2, 1)]


# --- concurrency keys: cancel what runs --------------------------------------------

RUNNING = Key("deploy", 1, Overflow.CANCEL_RUNNING)


def test_cancel_running_tells_the_oldest_running_to_stop_for_the_newest() -> None:
    live = {(1, "deploy"): KeyView((8, 9))}
    made = planned([waiting(11, key=replace(RUNNING, limit=2))], place(), keys=live)
    assert [(g.job, g.to) for g in made.give_way] == [(8, 11)]
    assert reason_of(made, 11) == "key_limit"


def test_cancel_running_cancels_older_waiting_ones() -> None:
    made = planned([waiting(1, 2, 3, key=RUNNING)], place())
    assert {(g.job, g.to) for g in made.give_way} == {(1, 3), (2, 3)}
    assert order_of(made) == [3]


def test_cancel_running_does_not_tell_one_to_stop_twice() -> None:
    live = {(1, "deploy"): KeyView((9,), frozenset({9}))}
    made = planned([waiting(11, key=RUNNING)], place(), keys=live)
    assert (made.give_way, order_of(made)) == ((), [])


def test_one_that_stops_already_makes_place_like_any_other() -> None:
    live = {(1, "deploy"): KeyView((8, 9), frozenset({9}))}
    made = planned([waiting(11, key=replace(RUNNING, limit=2))], place(), keys=live)
    assert made.give_way == ()


def test_a_retry_gives_way_to_the_newer_job_that_runs() -> None:
    live = {(1, "deploy"): KeyView((2,))}
    made = planned([waiting(1, key=RUNNING)], place(), keys=live)
    assert [(g.job, g.to) for g in made.give_way] == [(1, 2)]


def test_a_retry_waits_where_the_newer_one_stops() -> None:
    live = {(1, "deploy"): KeyView((2,), frozenset({2}))}
    made = planned([waiting(1, key=RUNNING)], place(), keys=live)
    assert (made.give_way, reason_of(made, 1)) == ((), "key_limit")


def test_of_a_key_with_two_places_a_retry_takes_the_one_that_is_left() -> None:
    live = {(1, "deploy"): KeyView((2,))}
    made = planned([waiting(1, key=replace(RUNNING, limit=2))], place(), keys=live)
    assert (made.give_way, order_of(made)) == ((), [1])


def test_nobody_stops_for_a_job_that_is_content_to_queue() -> None:
    live = {(1, "deploy"): KeyView((1,))}
    older, newest = waiting(2, key=RUNNING, waited=5), waiting(3, key=Key("deploy", 1))
    assert planned([older, newest], place(), keys=live).give_way == ()


@pytest.mark.parametrize(
    ("newest", "of", "provider"),
    [
        (waiting(11, key=RUNNING), project(paused="by ada"), place()),
        (waiting(11, key=RUNNING, cpu=3000), project(cpu_millis=2000), place()),
        (waiting(11, key=RUNNING, cpu=5000), project(), place(cpu=4000)),
        (waiting(11, key=RUNNING, provider="nobody"), project(), place()),
        (waiting(11, key=RUNNING), project(), place(down_reason="provider_down", down="away")),
    ],
)
def test_nobody_stops_for_a_job_that_could_not_start_in_its_place(
    newest: WaitingClass, of: ProjectView, provider: ProviderView
) -> None:
    live = {(1, "deploy"): KeyView((9,))}
    assert planned([newest], provider, projects=[of], keys=live).give_way == ()


def test_what_could_not_start_keeps_no_older_one_from_its_turn() -> None:
    hopeless, older = waiting(12, key=RUNNING, cpu=5000), waiting(11, key=RUNNING)
    made = planned([hopeless, older], place(), keys={(1, "deploy"): KeyView((9,))})
    assert [(g.job, g.to) for g in made.give_way] == [(9, 11)]


def test_nobody_stops_before_all_that_wait_are_known() -> None:
    live = {(1, "deploy"): KeyView((9,))}
    made = planned([waiting(11, 12, key=RUNNING, more=True)], place(), keys=live)
    assert [(g.job, g.to) for g in made.give_way] == [(11, 12)]


# --- what is kept for an overdue job -----------------------------------------------

OVERDUE = PATIENCE


def test_an_overdue_job_keeps_what_its_projects_limits_leave() -> None:
    of = replace(project(cpu_millis=10_000), cpu_millis=9000)
    long, short = waiting(1, cpu=8000, waited=OVERDUE), waiting(2, cpu=500)
    other = waiting(3, project=2)
    made = planned([long, short, other], place(cpu=20_000), projects=[of, project(2)])
    assert order_of(made) == [3]
    assert (reason_of(made, 1), reason_of(made, 2)) == ("project_limit", "kept_limit")
    assert detail_of(made, 2) == {"job": 1, "what": "what team-1 may use at once (10 CPU)"}


def test_beside_what_is_kept_others_go_on() -> None:
    """It waits for GPUs: what its project leaves of CPU but for its own is no use to it."""
    of = replace(project(cpu_millis=4000, gpus=2), gpus=2)
    first = waiting(1, gpus=1, waited=OVERDUE)
    made = planned(
        [first, waiting(2, gpus=1), waiting(3, 4, 5, 6)],
        place(cpu=20_000, total_gpus=4, free_gpus=4),
        projects=[of],
    )
    assert order_of(made) == [3, 4, 5]
    assert reason_of(made, 3) == "kept_limit"


def test_an_overdue_job_keeps_its_key() -> None:
    first = waiting(1, key=Key("load", 1), waited=OVERDUE)
    others = waiting(2, 3, key=Key("load", 5))
    made = planned([first, others], place(), keys={(1, "load"): KeyView((9,))})
    assert (reason_of(made, 1), reason_of(made, 2)) == ("key_limit", "kept_limit")
    assert detail_of(made, 2) == {"job": 1, "what": "the key load"}
    assert order_of(made) == []


def test_what_waits_for_its_key_keeps_nothing_of_its_projects_limits_yet() -> None:
    """That may last as long as the job that has the key."""
    of = replace(project(cpu_millis=10_000), cpu_millis=8000)
    first = waiting(1, cpu=8000, key=Key("load", 1), waited=OVERDUE)
    made = planned([first, waiting(2)], place(cpu=20_000), projects=[of],
                   keys={(1, "load"): KeyView((9,))})  # fmt: skip
    assert order_of(made) == [2]


@pytest.mark.parametrize(
    ("of", "provider"),
    [
        (project(cpu_millis=3000), place(cpu=20_000)),
        (project(running=1), place(cpu=3000)),
        (project(running=1), place(cpu=20_000, down_reason="provider_down", down="away")),
    ],
)
def test_nothing_is_kept_for_what_could_not_start_anyway(
    of: ProjectView, provider: ProviderView
) -> None:
    first = waiting(1, cpu=4000, key=Key("load", 1), waited=OVERDUE)
    second = waiting(2, key=Key("load", 1))
    small = place("small", 9, cpu=2000)
    assert order_of(planned([first, second], provider, small, projects=[of])) == [2]


def test_while_a_stream_of_small_jobs_goes_on_a_large_one_comes_to_its_turn() -> None:
    """Look by look: of nine that run one ends, and two new ones come."""
    running, number, looks = 9, 10, 0
    while True:
        looks += 1
        of = replace(project(cpu_millis=10_000), running=running, cpu_millis=1000 * running)
        small = waiting(*range(number, number + 2 * looks))
        made = planned([waiting(1, cpu=8000, waited=OVERDUE), small], place(cpu=99_000),
                       projects=[of])  # fmt: skip
        if 1 in order_of(made):
            break
        running += len(made.placements) - 1
        assert looks < 20
    assert looks == 8, "as soon as seven have ended"


def test_while_a_key_is_asked_for_with_a_higher_limit_too_the_lower_one_comes_to_its_turn() -> None:
    live: tuple[int, ...] = (2, 3, 4, 5)
    first = waiting(6, key=Key("load", 1), waited=OVERDUE)
    others = waiting(*range(10, 30), key=Key("load", 5))
    started = []
    for _ in range(5):
        made = planned([first, others], place(cpu=99_000), keys={(1, "load"): KeyView(live)})
        started.append(order_of(made)[:1])
        live = (*live[1:], *order_of(made))
    assert started == [[], [], [], [], [6]], "as soon as the four have ended"
