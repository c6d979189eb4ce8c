"""The last day in bars: nothing is lost in the drawing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jobs.day import HEIGHT, HOURS, drawn
from jobs.query import Term
from jobs.states import JobState

NOW = datetime(2026, 1, 31, 12, 20, tzinfo=UTC)
HOUR = datetime(2026, 1, 31, 9, tzinfo=UTC)


def test_each_hour_has_its_place_its_words_and_its_list() -> None:
    counts = {(HOUR, JobState.COMPLETED): 30, (HOUR, JobState.FAILED): 2}
    day = drawn(counts, (), NOW)
    assert len(day.hours) == HOURS
    hour = day.hours[-4]
    assert hour.words == "09:00 to 10:00: 30 completed, 2 failed"
    assert hour.failed
    assert str(hour.query) == "since:2026-01-31T09:00:00Z until:2026-01-31T10:00:00Z"
    assert [one.words for one in day.hours if one.words] == [hour.words]
    assert day.ticks == ("12:20", "18:00", "00:00", "06:00", "now")


def test_the_first_hour_begins_where_the_day_does() -> None:
    day = drawn({}, (), NOW)
    assert day.hours[0].start == NOW - timedelta(days=1)


def test_the_numbers_lead_to_the_lists_that_they_count() -> None:
    counts = {(HOUR, JobState.COMPLETED): 1204, (HOUR, JobState.RUNNING): 2}
    counts |= {(HOUR + timedelta(hours=3), JobState.PENDING): 3}
    day = drawn(counts, [Term("by", "ada")], NOW)
    assert [(one.word, one.text, str(one.query)) for one in day.numbers] == [
        ("completed", "1,204", "state:completed by:ada since:24h"),
        ("failed", "0", "state:failed by:ada since:24h"),
        ("cancelled", "0", "state:cancelled by:ada since:24h"),
        ("under way", "5", "state:pending state:scheduled state:running by:ada since:24h"),
    ]


def test_a_single_failure_among_ten_thousand_is_seen_and_no_bar_is_too_high() -> None:
    counts = {(HOUR, JobState.COMPLETED): 10_000, (HOUR, JobState.FAILED): 1}
    blocks = drawn(counts, (), NOW).hours[-4].blocks
    assert [one.kind for one in blocks] == ["ok", "bad"]
    assert all(float(one.height) >= 1 for one in blocks)
    assert sum(float(one.height) for one in blocks) <= HEIGHT
    assert min(float(one.y) for one in blocks) >= 0
