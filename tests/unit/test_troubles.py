"""What wants attention: nothing that is not wrong, nothing twice, and nothing that was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.models import Job
from jobs.records import NO_RECORD, Record, Usual
from jobs.seen import Marks
from jobs.troubles import (
    Entry,
    Row,
    failures,
    in_order,
    overlong,
    overlong_after,
    told,
    waits,
)
from providers.models import Provider
from providers.readings import ProviderReading, Strip
from providers.selectors import ProviderUse
from providers.troubles import provider_troubles

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NIGHTLY = (1, "nightly")
NEVER = Marks(NOW - timedelta(days=1))


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def job(number: int = 1, *, name: str = "nightly", **columns: Any) -> Job:
    found: dict[str, Any] = {"state": "failed", "reason": "exit_code", "exit_code": 3}
    spec = {"resources": {"timeout_seconds": 1800}}
    given = {"project_id": 1, "memory_mb": 2048, "spec": spec, "queued_at": ago(hours=2)}
    return Job(pk=number, name=name, **given | found | columns)


TEN_MINUTES = Record(Usual(6, 600, 600))


# failures


def test_failures_of_one_name_are_one_entry_told_by_the_latest() -> None:
    rows = [Row(n, NIGHTLY, ago(minutes=10 - n)) for n in range(3)]
    other = Row(9, (2, "nightly"), ago(minutes=1))
    found = failures([*rows, other], (), NEVER, {})
    assert [(one.id, one.count) for one in found] == [(2, 3), (9, 1)]


def test_a_failure_that_was_run_again_is_told_by_its_rerun_alone() -> None:
    rows = [Row(1, NIGHTLY, ago(hours=2)), Row(2, NIGHTLY, ago(hours=1))]
    (found,) = failures(rows, {1}, NEVER, {})
    assert (found.id, found.count) == (2, 1)
    assert failures(rows, {1, 2}, NEVER, {}) == []


def test_what_was_seen_is_not_told_again_and_what_came_after_it_is() -> None:
    rows = [Row(1, NIGHTLY, ago(hours=2)), Row(2, (1, "hourly"), ago(hours=2))]
    marks = Marks(ago(days=1), of_things={("failed", NIGHTLY): ago(hours=2)})
    assert [one.id for one in failures(rows, (), marks, {})] == [2]
    later = Row(3, NIGHTLY, ago(hours=1))
    assert [one.id for one in failures([later], (), marks, {})] == [3]
    assert failures([*rows, later], (), Marks(ago(days=1), ago(hours=1)), {}) == []


def test_a_mark_of_one_name_never_shows_what_the_mark_of_all_hides() -> None:
    marks = Marks(ago(days=1), ago(hours=1), {("failed", NIGHTLY): ago(hours=3)})
    assert marks.hide("failed", NIGHTLY, ago(hours=2))


def test_a_mark_hides_what_it_is_of_and_nothing_else_of_that_name() -> None:
    marks = Marks(ago(days=1), of_things={("failed", NIGHTLY): NOW})
    assert marks.hide("failed", NIGHTLY, ago(hours=2))
    assert not marks.hide("waits", NIGHTLY, ago(hours=2))
    assert not marks.hide("failed", (2, "nightly"), ago(hours=2))


def test_a_failure_after_which_a_run_completed_can_wait() -> None:
    row = Row(50, NIGHTLY, ago(hours=2))
    (mended,) = failures([row], (), NEVER, {NIGHTLY: Record(completed=60)})
    (open_one,) = failures([row], (), NEVER, {NIGHTLY: Record(completed=40)})
    assert (mended.late, open_one.late) == (True, False)


@pytest.mark.parametrize(
    ("columns", "words", "label"),
    [
        ({}, "failed with exit code 3", "Rerun as it was"),
        ({"reason": "oom_killed"}, "ran out of memory", "Rerun with 4 GiB"),
        (
            {"reason": "timeout", "reason_detail": {"limit": "1800 s"}},
            "hit its time limit of 1800 s",
            "Rerun with 1 h",
        ),
        ({"reason": "image_not_found"}, "asks for an image that was not found", "Change the image"),
        ({"reason": "provider_lost"}, "was given up with its provider", "Look at the provider"),
        (
            {"reason": "gantry_failed", "reason_detail": {"message": "no room"}},
            "failed: Gantry itself could not go on with it: no room",
            "Rerun as it was",
        ),
    ],
)
def test_a_failure_says_what_happened_and_its_button_mends_it(
    columns: dict[str, Any], words: str, label: str
) -> None:
    found = told(Entry("failed", 1, NIGHTLY, ago(hours=1)), job(**columns), NO_RECORD)
    assert found.words == words
    assert found.action is not None
    assert found.action.label == label


# runs that take too long


@pytest.mark.parametrize(
    ("usual", "seconds"),
    [(None, None), (Usual(5, 10, 12), 132), (Usual(20, 600, 900), 1350)],
)
def test_far_too_long_is_half_as_long_again_and_two_minutes_at_least(
    usual: Usual | None, seconds: float | None
) -> None:
    assert overlong_after(usual) == seconds


def test_a_run_is_told_once_it_is_far_over_its_like_and_not_before() -> None:
    runs = {NIGHTLY: TEN_MINUTES}
    on_time, late = Row(1, NIGHTLY, ago(seconds=899)), Row(2, NIGHTLY, ago(seconds=901))
    unknown = Row(3, (1, "new"), ago(days=1))
    (found,) = overlong([on_time, late, unknown], runs, NEVER, NOW)
    assert (found.id, found.at) == (2, ago(seconds=1))
    words = told(found, job(2, state="running"), runs[NIGHTLY])
    assert words.words == "usually 10 min"
    assert words.detail == "Nearly all of the last 6 took at most 10 min."


def test_several_runs_of_one_name_that_take_too_long_are_one_entry_of_the_longest() -> None:
    running = [Row(n, NIGHTLY, ago(hours=n)) for n in (1, 3, 2)]
    (found,) = overlong(running, {NIGHTLY: TEN_MINUTES}, NEVER, NOW)
    assert (found.id, found.count) == (3, 3)


def test_a_long_run_that_was_seen_is_not_told_again() -> None:
    running = [Row(1, NIGHTLY, ago(hours=1))]
    assert overlong(running, {NIGHTLY: TEN_MINUTES}, Marks(ago(days=1), ago(minutes=1)), NOW) == []


# waits


def test_only_a_wait_that_no_time_ends_is_told() -> None:
    reasons = ("no_capacity", "queued", "backoff", "provider_down", "disk_low", "held", "too_large")
    rows = [Row(n, NIGHTLY, ago(hours=1), reason) for n, reason in enumerate(reasons)]
    (found,) = waits(rows, NEVER, NOW)
    assert found.id == reasons.index("too_large")
    words = told(found, job(state="pending", reason="too_large"), NO_RECORD)
    assert words.words == "is larger than any provider"
    assert words.action is not None
    assert words.action.kind == "edit"


def test_a_wait_is_told_after_a_minute_and_a_mark_hides_what_was_hopeless_by_then() -> None:
    young, old = (Row(n, (1, f"job-{n}"), ago(seconds=60 - n), "too_large") for n in (1, 0))
    (found,) = waits([young, old], NEVER, NOW)
    assert (found.id, found.at) == (0, NOW)
    assert waits([old], Marks(ago(days=1), NOW), NOW) == []
    assert waits([old], Marks(ago(days=1), ago(seconds=1)), NOW) == [found]


def test_jobs_that_no_provider_takes_are_one_entry_whatever_their_names() -> None:
    rows = [Row(n, (1, f"job-{n}"), ago(hours=1), "no_provider") for n in range(40)]
    (found,) = waits(rows, NEVER, NOW)
    assert (found.count, found.id) == (40, 0)
    assert told(found, job(state="pending", reason="no_provider"), NO_RECORD).action is None


# their order


def test_what_failed_comes_first_the_newest_at_its_head_and_what_can_wait_last() -> None:
    found = [
        Entry("overlong", 1, NIGHTLY, ago(minutes=1)),
        Entry("failed", 2, NIGHTLY, ago(hours=2)),
        Entry("failed", 3, NIGHTLY, ago(minutes=1), late=True),
        Entry("failed", 4, NIGHTLY, ago(hours=1)),
    ]
    assert [one.id for one in in_order(found)] == [4, 2, 1, 3]


# providers


def reading(name: str = "node-1", **columns: Any) -> ProviderReading:
    known: dict[str, Any] = {
        "health": "healthy",
        "probed_at": ago(seconds=5),
        "created_at": ago(days=1),
    }
    provider = Provider(name=name, kind="fake", **known | columns)
    return ProviderReading(provider, ProviderUse(), Strip((), None), NOW)


@pytest.mark.parametrize(
    ("columns", "kinds"),
    [
        ({}, []),
        ({"health": "unreachable"}, ["silent"]),
        ({"health": "unreachable", "mode": "inactive"}, []),
        ({"health": "unreachable", "mode": "draining"}, ["silent"]),
        ({"health": "unreachable", "probed_at": ago(hours=1)}, ["unwatched"]),
        ({"probed_at": ago(hours=1)}, ["unwatched"]),
        ({"health": "unknown", "probed_at": None, "created_at": ago(seconds=20)}, []),
        ({"health": "unknown", "probed_at": None}, ["unwatched"]),
        ({"disk_free_bytes": 2**30, "disk_total_bytes": 2**40}, ["disk"]),
    ],
)
def test_a_provider_is_told_when_it_is_meant_to_work_and_does_not(
    columns: dict[str, Any], kinds: list[str]
) -> None:
    assert [one.kind for one in provider_troubles([reading(**columns)])] == kinds


def test_fifty_providers_with_one_trouble_are_one_entry() -> None:
    silent = [reading(f"node-{n}", health="unreachable") for n in range(50)]
    (found,) = provider_troubles(silent)
    assert (found.kind, len(found.readings), found.only) == ("silent", 50, None)
