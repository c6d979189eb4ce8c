"""Which provider a job gets: the rules of placement."""

from __future__ import annotations

import pytest

from orchestrator.scheduling.snapshot import ProviderView, Requirement
from providers.fit import matches
from tests.support.planning import detail_of, order_of, place, planned, reason_of, waiting, where


def packing(name: str, number: int, **facts: int) -> ProviderView:
    return place(name, number, pack=True, **facts)


def with_gpus(name: str, number: int, gpus: int, free: int) -> ProviderView:
    return place(name, number, total_gpus=gpus, free_gpus=free)


# --- GPUs are kept for GPU jobs ----------------------------------------------------


def test_a_job_without_gpus_goes_where_there_are_none() -> None:
    fuller = place("plain", 2, free_cpu_millis=1000)
    assert where(planned([waiting(1)], with_gpus("gpu", 1, 2, 2), fuller)) == ["plain"]


def test_but_to_one_with_gpus_where_no_other_has_room() -> None:
    full = place("plain", 2, free_cpu_millis=500)
    assert where(planned([waiting(1)], with_gpus("gpu", 1, 2, 2), full)) == ["gpu"]


def test_a_gpu_job_goes_where_gpus_are_free() -> None:
    taken, free = with_gpus("a", 1, 2, 0), with_gpus("b", 2, 2, 1)
    made = planned([waiting(1, 2, gpus=1)], taken, free, place("c", 3))
    assert where(made) == ["b"]
    assert reason_of(made, 1) == "no_capacity"


# --- emptiest or fullest first -----------------------------------------------------


def test_the_emptiest_provider_is_taken_first() -> None:
    made = planned([waiting(1, 2, 3)], place("a", 1, free_cpu_millis=2000), place("b", 2))
    assert where(made) == ["b", "b", "a"]


def test_how_empty_is_told_by_what_there_is_least_of() -> None:
    little_memory = place("a", 1, free_memory_mb=1000)
    assert where(planned([waiting(1)], little_memory, place("b", 2, free_cpu_millis=2000))) == ["b"]


def test_in_a_group_that_packs_the_fullest_is_taken_first() -> None:
    made = planned([waiting(1, 2, 3)], packing("a", 1), packing("b", 2, free_cpu_millis=2000))
    assert where(made) == ["b", "b", "a"]


def test_loads_within_a_twentieth_are_equal() -> None:
    """Else a job of some MiB would decide over cost and number."""
    a_little_fuller = place("a", 1, free_cpu_millis=3950)
    assert where(planned([waiting(1, cpu=1100)], a_little_fuller, place("b", 2))) == ["a"]


# --- image locality ----------------------------------------------------------------


def test_a_provider_with_the_image_may_be_a_quarter_fuller() -> None:
    one = waiting(1, image="tool")
    has = place("a", 1, free_cpu_millis=3000, images=frozenset({"tool"}))
    assert where(planned([one], has, place("b", 2))) == ["a"]
    fuller = place("a", 1, free_cpu_millis=2700, images=frozenset({"tool"}))
    assert where(planned([one], fuller, place("b", 2))) == ["b"]


def test_an_image_that_none_has_decides_nothing() -> None:
    one = waiting(1, image="tool")
    assert where(planned([one], place("a", 1, free_cpu_millis=3000), place("b", 2))) == ["b"]


# --- the cheaper one ---------------------------------------------------------------


def test_of_equals_the_cheaper_one_is_taken_and_then_the_one_with_the_lower_id() -> None:
    dear, cheap = place("a", 1, cost_per_hour=2.0), place("b", 2, cost_per_hour=0.5)
    assert where(planned([waiting(1)], dear, cheap)) == ["b"]
    assert where(planned([waiting(1)], place("b", 2), place("a", 1))) == ["a"]


# --- what a provider must be -------------------------------------------------------


def test_slots_limit_the_number_of_attempts() -> None:
    made = planned([waiting(1, 2, 3, cpu=10)], place(free_slots=2))
    assert order_of(made) == [1, 2]


def test_a_pinned_job_goes_there_or_waits() -> None:
    roomy, full = place("a", 1), place("b", 2, free_cpu_millis=0)
    assert where(planned([waiting(1, provider="a")], roomy, full)) == ["a"]
    made = planned([waiting(1, provider="b")], roomy, full)
    assert reason_of(made, 1) == "no_capacity"
    assert detail_of(made, 1)["best"] == "b"


def test_requirements_are_met() -> None:
    fast = place("fast", 2, labels={"disk": "ssd", "gbit": "25"})
    slow = place("slow", 1, labels={"disk": "hdd", "gbit": "1"})
    asked = (Requirement("disk", "in", ("ssd", "nvme")), Requirement("gbit", "gt", ("10",)))
    assert where(planned([waiting(1, requires=asked)], slow, fast)) == ["fast"]


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
        ("gt", ("8",), {"k": "16"}, True),
        ("gt", ("16",), {"k": "16"}, False),
        ("gt", ("8",), {"k": "many"}, False),
        ("gt", ("8",), {}, False),
        ("lt", ("8.5",), {"k": "8"}, True),
        ("lt", ("8",), {}, False),
    ],
)
def test_a_condition_on_labels(
    op: str, values: tuple[str, ...], labels: dict[str, str], met: bool
) -> None:
    assert matches(Requirement("k", op, values), labels) is met


# --- anti-affinity -----------------------------------------------------------------

DB = (("app", "db"),)


def test_jobs_that_keep_apart_go_to_different_providers() -> None:
    made = planned([waiting(1, 2, 3, apart=DB)], place("a", 1), place("b", 2))
    assert where(made) == ["a", "b"]
    assert reason_of(made, 1) == "apart"
    assert detail_of(made, 1) == {"labels": "app = db"}


def test_from_what_runs_there_already_too() -> None:
    beside = place("a", 1, apart=frozenset({(1, "app", "db")}))
    busy = place("b", 2, free_cpu_millis=1000)
    assert where(planned([waiting(1, apart=DB)], beside, busy)) == ["b"]


def test_only_from_jobs_of_their_own_project_and_with_the_same_value() -> None:
    theirs = place("a", 1, apart=frozenset({(2, "app", "db"), (1, "app", "web")}))
    assert where(planned([waiting(1, apart=DB)], theirs)) == ["a"]


def test_a_job_that_asks_for_nothing_goes_beside_them() -> None:
    beside = place("a", 1, apart=frozenset({(1, "app", "db")}))
    assert where(planned([waiting(1)], beside)) == ["a"]
