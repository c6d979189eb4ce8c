"""The last runs of a name as they are drawn, and what is left of one that runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.last_runs import BARS, LastRuns, Run
from jobs.models import Attempt, Job
from jobs.records import Usual
from jobs.running_now import against, going
from jobs.states import JobState

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def run(number: int, seconds: float, state: str = "completed") -> Run:
    begun = NOW - timedelta(hours=1)
    live = state == "running"
    return Run(number, JobState(state), begun, None if live else seconds)


def test_the_history_shows_the_newest_from_old_to_new_as_high_as_they_took_long() -> None:
    found = LastRuns((run(9, 60), run(8, 30, "failed"), run(7, 1, "cancelled")))
    bars = found.bars(NOW)
    assert [(bar.kind, bar.height) for bar in bars] == [
        ("can", "3.0"),
        ("bad", "9.0"),
        ("ok", "18.0"),
    ]
    assert bars[-1].x == (BARS - 1) * 6
    assert found.words == "Last 3 runs: 1 completed, 1 failed, 1 cancelled"


def test_a_run_under_way_is_as_high_as_it_is_long_by_now() -> None:
    bars = LastRuns((run(9, 0, "running"), run(8, 1800))).bars(NOW)
    assert [(bar.kind, bar.height) for bar in bars] == [("ok", "9.0"), ("run", "18.0")]


@pytest.mark.parametrize(
    ("seconds", "words", "share", "over"),
    [
        (0, "about 10 min left", "0.0%", False),
        (480, "about 2 min left", "53.3%", False),
        (660, "at most about 4 min left", "73.3%", False),
        (1800, "15 min over its usual", "100.0%", True),
    ],
)
def test_the_time_left_is_an_estimate_and_ends_in_how_far_it_is_over(
    seconds: float, words: str, share: str, over: bool
) -> None:
    found = against(Usual(12, 600, 900), seconds)
    assert (found.words, found.share, found.over) == (words, share, over)
    title = "An estimate: nearly all of the last 12 took at most 15 min, half of them 10 min"
    assert found.title == title


def attempt(**columns: Any) -> Attempt:
    return Attempt(**{"number": 2, "placed_at": NOW - timedelta(seconds=30)} | columns)


def test_a_job_in_its_second_try_is_told_from_that_try_on() -> None:
    began = NOW - timedelta(hours=5)
    job = Job(name="load", state="scheduled", started_at=began, queued_at=began, attempt=2)
    found = going(job, attempt(phase="pulling", progress={"text": "1 of 3 GB"}), None, NOW)
    assert (found.words, NOW - found.since) == ("pulling, 1 of 3 GB", timedelta(seconds=30))
    assert found.against is None


def test_a_run_that_nobody_can_see_is_not_estimated() -> None:
    job = Job(name="load", state="running", started_at=NOW - timedelta(hours=5))
    found = going(job, attempt(phase="running", not_seen_since=NOW), Usual(9, 60, 90), NOW)
    assert (found.unseen_since, found.against, found.shape) == (NOW, None, "warn")
