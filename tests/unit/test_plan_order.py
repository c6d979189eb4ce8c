"""The true order: priority with age, overdue and kept free, fair turn by weight, first come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.scheduling.order import OVERDUE, level
from orchestrator.scheduling.snapshot import ProjectView, ProviderView, WaitingClass
from tests.support.planning import (
    PATIENCE,
    detail_of,
    order_of,
    place,
    planned,
    project,
    reason_of,
    waiting,
    where,
)

# --- priority with age -------------------------------------------------------------


@pytest.mark.parametrize(
    ("priority", "waited", "reached"),
    [
        (0, 0, 0),
        (50, 0, 50),
        (100, 0, 100),
        (0, 1800, 50),
        (50, 1800, 75),
        (99, 3599, 99),
        (0, 3599, 99),
        (100, 3599, 100),
        (0, 3600, OVERDUE),
        (50, -5, 50),  # clocks of several machines
    ],
)
def test_a_jobs_level_rises_evenly_from_its_priority_to_100(
    priority: int, waited: float, reached: int
) -> None:
    assert level(priority, waited, PATIENCE) == reached


def test_a_level_never_falls_and_a_higher_priority_is_never_behind_at_the_same_age() -> None:
    for waited in range(0, 3700, 37):
        levels = [level(priority, waited, PATIENCE) for priority in range(101)]
        assert levels == sorted(levels)
        assert all(
            level(priority, waited + 37, PATIENCE) >= level(priority, waited, PATIENCE)
            for priority in range(101)
        )


def test_higher_priority_goes_first() -> None:
    made = planned([waiting(1, priority=20), waiting(2, priority=80), waiting(3)], place())
    assert order_of(made) == [2, 3, 1]


def test_one_that_has_waited_long_goes_before_a_higher_priority_that_has_just_come() -> None:
    old, new = waiting(1, priority=20, waited=2400), waiting(2, priority=70)  # 20 + 80 × 2/3 = 73
    assert order_of(planned([new, old], place())) == [1, 2]
    younger = waiting(1, priority=20, waited=2000)  # 64
    assert order_of(planned([new, younger], place())) == [2, 1]


def test_the_jobs_of_a_class_have_the_levels_of_their_own_ages() -> None:
    mixed = waiting(1, 2, priority=20, waited=[2400, 0])
    assert order_of(planned([mixed, waiting(3)], place())) == [1, 3, 2]


# --- overdue and kept free ---------------------------------------------------------


def test_an_overdue_job_goes_before_every_priority() -> None:
    made = planned([waiting(1, priority=100, waited=3599), waiting(2, priority=0, waited=3600)],
                   place())  # fmt: skip
    assert order_of(made) == [2, 1]


def test_of_overdue_jobs_the_one_that_has_waited_longest_goes_first_whoevers_turn_it_is() -> None:
    longest, idle = waiting(1, waited=5000), waiting(2, project=2, waited=4000)
    busy = replace(project(1), cpu_millis=3000)
    made = planned([longest, idle], place(), projects=[busy, project(2)])
    assert order_of(made) == [1, 2]


def test_a_provider_is_kept_free_for_an_overdue_job_that_has_no_room() -> None:
    large, small = waiting(1, cpu=4000, waited=4000), waiting(2, cpu=500)
    made = planned([large, small], place(free_cpu_millis=1000))
    assert order_of(made) == []
    assert (reason_of(made, 1), reason_of(made, 2)) == ("no_capacity", "kept_free")
    assert detail_of(made, 2) == {"provider": "one", "job": 1}


def test_it_is_the_provider_that_lacks_the_smallest_part_of_what_the_job_asks_for() -> None:
    large, small = waiting(1, cpu=4000, waited=4000), waiting(2, cpu=500)
    fuller, emptier = place("a", 1, free_cpu_millis=1000), place("b", 2, free_cpu_millis=3000)
    assert where(planned([large, small], fuller, emptier)) == ["a"]


def test_it_is_one_that_is_large_enough_and_up_and_suits() -> None:
    large = waiting(1, cpu=6000, waited=4000)
    too_small, down = place("a", 1), place("b", 2, 8000, down="it is draining", down_reason="x")
    suited = place("c", 3, 8000, free_cpu_millis=1000)
    made = planned([large, waiting(2), waiting(3)], too_small, down, suited)
    assert where(made) == ["a", "a"]
    assert detail_of(planned([large, waiting(2, provider="c")], too_small, down, suited), 2) == {
        "provider": "c",
        "job": 1,
    }


def overdue(count: int) -> list[WaitingClass]:
    """Classes with one job each, which fit only on an idle provider of 4 cores."""
    return [waiting(at, cpu=4000 - at, waited=9000 - at) for at in range(1, count + 1)]


def busy(count: int) -> list[ProviderView]:
    return [place(f"p{at}", at, free_cpu_millis=2000) for at in range(1, count + 1)]


def test_of_a_few_providers_only_one_is_kept_free() -> None:
    """Else ten that are overdue would let nothing run on ten providers."""
    made = planned([*overdue(3), waiting(50)], *busy(3))
    assert where(made) == ["p2"]


def test_of_many_one_in_ten_is_kept_free_and_none_for_two() -> None:
    pinned = [waiting(100 + at, provider=f"p{at}") for at in range(1, 5)]
    made = planned([*overdue(5), *pinned], *busy(30))
    kept = {at: detail_of(made, 100 + at)["job"] for at in (1, 2, 3)}
    assert kept == {1: 1, 2: 2, 3: 3}
    assert where(made) == ["p4"]


def test_one_class_keeps_one_provider_however_many_of_its_jobs_are_overdue() -> None:
    many = waiting(1, 2, 3, cpu=4000, waited=5000)
    half = [place(name, at, free_cpu_millis=2000) for at, name in enumerate("ab", 1)]
    assert where(planned([many, waiting(4)], *half)) == ["b"]


def test_nothing_is_kept_free_for_an_overdue_job_that_a_limit_holds() -> None:
    held = waiting(1, cpu=4000, waited=5000)
    limited = project(1, cpu_millis=3000)
    made = planned([held, waiting(2, project=2)], place(free_cpu_millis=1000),
                   projects=[limited, project(2)])  # fmt: skip
    assert order_of(made) == [2]


def test_an_overdue_job_takes_the_room_that_was_kept_for_it() -> None:
    """Look after look nothing else goes there, until what runs there has ended."""
    classes = [waiting(1, cpu=4000, waited=5000), waiting(2, cpu=500)]
    assert order_of(planned(classes, place(free_cpu_millis=3000))) == []
    assert order_of(planned(classes, place(free_cpu_millis=3999))) == []
    assert order_of(planned(classes, place())) == [1]


# --- fair turn ---------------------------------------------------------------------


def turns(*classes: WaitingClass, projects: list[ProjectView]) -> list[int]:
    """In which order the projects come with an idle provider of 12 cores."""
    made = planned(classes, place(cpu=12_000), projects=projects)
    return [p.project for p in made.placements]


def test_projects_take_turns() -> None:
    of_a, of_b = waiting(1, 2, 3), waiting(4, 5, project=2)
    assert turns(of_a, of_b, projects=[project(1), project(2)]) == [1, 2, 1, 2, 1]


def test_one_with_twice_the_weight_has_two_turns_for_one() -> None:
    of_a, of_b = waiting(1, 2, 3, 4), waiting(5, 6, 7, 8, project=2)
    heavy = project(1, weight=200)
    assert turns(of_a, of_b, projects=[heavy, project(2)]) == [1, 2, 1, 1, 2, 1, 2, 2]


def test_what_runs_already_counts() -> None:
    of_a, of_b = waiting(1, 2), waiting(3, 4, project=2)
    from_a_runs = replace(project(1), cpu_millis=2000)
    assert turns(of_a, of_b, projects=[from_a_runs, project(2)]) == [2, 2, 1, 1]


def test_what_counts_is_the_largest_part_of_anything() -> None:
    """A job of little CPU and much memory uses as much as one of much CPU."""
    much_memory = waiting(1, 2, cpu=100, memory=4000)  # half of the memory
    much_cpu = waiting(3, 4, cpu=3000, memory=64, project=2)  # a quarter of the CPU
    found = turns(much_memory, much_cpu, projects=[project(1), project(2)])
    assert found == [1, 2, 2, 1]


def test_a_level_comes_before_a_turn() -> None:
    of_a, of_b = waiting(1, 2, 3, priority=60), waiting(4, project=2)
    assert turns(of_a, of_b, projects=[project(1), project(2)]) == [1, 1, 1, 2]


# --- first come --------------------------------------------------------------------


def test_of_equals_the_one_goes_first_that_has_waited_longer_and_then_the_lower_number() -> None:
    classes = [waiting(3, cpu=1001, waited=5), waiting(1, cpu=1002), waiting(2, cpu=1003)]
    assert order_of(planned(classes, place())) == [3, 1, 2]


def test_between_projects_that_use_the_same_too() -> None:
    classes = [waiting(2, waited=5), waiting(1, project=2, waited=9)]
    assert order_of(planned(classes, place())) == [1, 2]
