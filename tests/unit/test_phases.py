"""The phase bar: what it says of how a job's time went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobs.models import Attempt, Job
from jobs.phases import Timeline, timeline
from providers.models import Provider

T0 = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def job(state: str, **columns: Any) -> Job:
    return Job(state=state, created_at=T0, **columns)


def attempt(number: int = 1, /, **stamps: float) -> Attempt:
    return Attempt(number=number, **{f"{name}_at": at(value) for name, value in stamps.items()})


def kinds(found: Timeline) -> list[str]:
    return [one.stretch.kind for one in found.drawn]


def test_a_waiting_job_shows_one_open_stretch() -> None:
    found = timeline(job("pending"), [], at(30))
    assert kinds(found) == ["queued"]
    assert found.open
    assert found.entries[0].open_since == T0


def test_the_stretches_of_a_finished_job_add_up_to_its_whole_time() -> None:
    one = attempt(
        placed=2, pulling=3, creating=10, starting=10.5, running=11, finishing=20, ended=21
    )
    one.phase, one.outcome = "ended", "completed"
    found = timeline(job("completed", finished_at=at(21)), [one], at(500))
    assert kinds(found) == ["queued", "placed", "pulling", "starting", "running", "finishing"]
    assert [entry.seconds for entry in found.entries] == [2, 1, 7, 1, 9, 1]
    assert sum(entry.seconds for entry in found.entries) == found.total_seconds == 21


def test_a_program_runs_as_long_as_its_engine_says_however_late_its_end_was_found_out() -> None:
    one = attempt(placed=1, creating=1, running=2, finishing=12, ended=13)
    one.phase, one.outcome = "ended", "completed"
    one.started_at, one.finished_at = at(-300), at(-296)  # an engine whose clock is behind
    found = timeline(job("completed", finished_at=at(13)), [one], at(99))
    lasted = {entry.kind: entry.seconds for entry in found.entries}
    assert (lasted["running"], lasted["finishing"]) == (4, 7)


def test_a_program_that_was_over_at_the_first_look_had_started_before_it() -> None:
    one = attempt(placed=1, creating=1, starting=2, running=6, finishing=6, ended=6)
    one.phase, one.outcome = "ended", "failed"
    one.started_at, one.finished_at = at(303), at(303.5)  # an engine whose clock is 300 s ahead
    one.provider = Provider(clock_offset_ms=300_000)
    found = timeline(job("failed", finished_at=at(6)), [one], at(99))
    lasted = {entry.kind: entry.seconds for entry in found.entries}
    assert (lasted["starting"], lasted["running"], lasted["finishing"]) == (2, 0.5, 2.5)


def test_a_failed_attempt_ends_in_a_red_cap_and_its_wait_is_drawn() -> None:
    first, second = (
        attempt(1, placed=1, creating=1, running=2, ended=10),
        attempt(2, placed=40, creating=40, running=41, ended=50),
    )
    first.phase = second.phase = "ended"
    first.outcome, second.outcome = "failed", "completed"
    found = timeline(job("completed", finished_at=at(50)), [first, second], at(99))
    assert "backoff" in kinds(found)
    assert [one.stretch.attempt for one in found.drawn if one.stretch.failed] == [1]
    assert [(e.word, e.seconds) for e in found.entries] == [
        ("Queued", 1), ("Attempt 1", 9), ("Back-off", 30), ("Attempt 2", 10),
    ]  # fmt: skip


def test_a_cancelled_job_that_was_never_placed_shows_its_wait() -> None:
    found = timeline(job("cancelled", finished_at=at(7)), [], at(99))
    assert [(e.word, e.seconds) for e in found.entries] == [("Queued", 7)]
    assert not found.open


def test_a_job_cancelled_between_two_tries_shows_the_wait_it_ended_in() -> None:
    one = attempt(1, placed=1, creating=1, running=2, ended=10)
    one.phase, one.outcome = "ended", "failed"
    found = timeline(job("cancelled", finished_at=at(25)), [one], at(99))
    assert (kinds(found)[-1], found.drawn[-1].stretch.seconds) == ("backoff", 15)
    assert sum(entry.seconds for entry in found.entries) == found.total_seconds == 25


def test_a_stretch_says_its_attempt_its_length_and_its_times() -> None:
    first, second = (
        attempt(1, placed=1, creating=1, running=2, ended=10),
        attempt(2, placed=40, creating=40, running=41, ended=50),
    )
    first.phase = second.phase = "ended"
    found = timeline(job("completed", finished_at=at(50)), [first, second], at(99))
    labels = [one.label for one in found.drawn]
    assert labels[0] == "Queued 1.0 s, 12:00:00 to 12:00:01"
    assert "Attempt 2, Running 9.0 s, 12:00:41 to 12:00:50" in labels


@given(st.lists(st.floats(-5, 1e6), min_size=4, max_size=4), st.floats(0, 1e6))
def test_whatever_the_clocks_say_the_bar_stays_within_its_width(
    stamps: list[float], now: float
) -> None:
    names = ("placed", "pulling", "creating", "running")
    one = attempt(**dict(zip(names, stamps, strict=True)))
    one.phase = "running"
    found = timeline(job("running"), [one], at(now))
    assert all(drawn.stretch.seconds >= 0 for drawn in found.drawn)
    last = found.drawn[-1]
    assert float(last.x[:-1]) + float(last.width[:-1]) <= 100.01
