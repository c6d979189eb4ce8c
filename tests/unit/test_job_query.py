"""The words that narrow a list of jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.number_lists import numbers_text, read_numbers
from jobs.query import FREE, KEYS, Term, moment_of, problem_of, read_terms


def test_words_with_a_key_stand_beside_free_ones() -> None:
    terms, problems = read_terms("state:failed  project:etl -label:debug since:24h nightly")
    assert terms == [
        Term("state", "failed"),
        Term("project", "etl"),
        Term("label", "debug", negated=True),
        Term("since", "24h"),
        Term(FREE, "nightly"),
    ]
    assert problems == []


def test_several_values_of_one_key_are_a_list() -> None:
    assert read_terms("state:failed,running")[0] == [
        Term("state", "failed"),
        Term("state", "running"),
    ]
    assert read_terms("name:a,b")[0] == [Term("name", "a,b")]


def test_quotation_marks_keep_blanks_and_take_a_colon_for_itself() -> None:
    text = 'name:"load orders" "state:odd" label:team="data \\"core\\"" -"-x"'
    assert read_terms(text)[0] == [
        Term("name", "load orders"),
        Term(FREE, "state:odd"),
        Term("label", 'team=data "core"'),
        Term(FREE, "-x", negated=True),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("status:failed", "“status:failed”: there is no “status” to filter by"),
        ("ok state:done", "“state:done”: there is no state “done”; use one of: pending"),
        ("since:yesterday", "“since:yesterday” is no time; write 30m, 24h"),
        ("since:999999w", "“since:999999w” is no time; write 30m, 24h"),
        ("-since:24h", "“-since:24h”: a time cannot be excluded; write until:24h."),
        ("project:", "“project:” says nothing"),
        ("label:=x", "“label:=x” names no label"),
        ("id:3-1", "“id:3-1” names no jobs; write numbers, and runs of them"),
        ("id:0,4", "“id:0,4” names no jobs"),
        ("id:" + "7," * 970 + "7", "is too long: at most 1,900"),
        ("name:=", "“name:=” names nothing; write name:=orders"),
        ('name:"a b', "A quotation mark is not closed: "),
        ("x" * 300, "is too long: at most 255"),
        ("x " * 2000, "Shorten it"),
    ],
)
def test_a_word_that_cannot_be_read_is_named_with_what_to_write(text: str, told: str) -> None:
    assert told in " ".join(read_terms(text)[1])


values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.sampled_from([FREE, *KEYS]), values, st.booleans())
def test_a_term_is_read_again_from_its_word(key: str, value: str, negated: bool) -> None:
    term = Term(key, value[:200], negated)
    if not problem_of(key, term.value, negated=negated):
        assert read_terms(str(term)) == ([term], [])


@given(st.sets(st.integers(1, 2**63 - 1) | st.integers(1, 40)))
def test_a_list_of_numbers_is_read_again_from_its_words(numbers: set[int]) -> None:
    text = numbers_text(numbers)
    runs = read_numbers(text) or []
    assert {number for low, high in runs for number in range(low, high + 1)} == numbers
    assert len(runs) == len([number for number in numbers if number - 1 not in numbers])


def test_a_time_is_a_moment_a_day_or_how_long_ago() -> None:
    assert moment_of("90m") == timedelta(minutes=90)
    assert moment_of("5000w") == timedelta(weeks=5000)
    assert moment_of("999999h") is None
    assert moment_of("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert moment_of("2026-01-31T12:00:00+02:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert moment_of("2026-01-31T12:00:00") is None
