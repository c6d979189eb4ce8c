"""Conditions on labels as text: what people write, and that nothing is lost on the way back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.conditions import Unreadable, read_conditions, show_conditions
from jobs.spec import Requirement


@pytest.mark.parametrize(
    ("text", "key", "op", "values"),
    [
        ("zone = a", "zone", "eq", ["a"]),
        ("zone=a", "zone", "eq", ["a"]),
        ("zone = a, b", "zone", "in", ["a", "b"]),
        ("zone in a,b", "zone", "in", ["a", "b"]),
        ("zone in a,", "zone", "in", ["a"]),
        ("  zone != a ", "zone", "neq", ["a"]),
        ("zone != a, b", "zone", "not_in", ["a", "b"]),
        ("zone not in a, b", "zone", "not_in", ["a", "b"]),
        ("cpu/model = Xeon E5 v4", "cpu/model", "eq", ["Xeon E5 v4"]),
        ('zone = "a, b"', "zone", "eq", ["a, b"]),
        ("index = a=b", "index", "eq", ["a=b"]),
        ("gpu_memory > 40", "gpu_memory", "gt", ["40"]),
        ("cores<64", "cores", "lt", ["64"]),
        ("zone = a>b", "zone", "eq", ["a>b"]),
        ("gpu", "gpu", "exists", []),
        ("inside", "inside", "exists", []),
        ("!gpu", "gpu", "not_exists", []),
    ],
)
def test_a_line_is_one_condition(text: str, key: str, op: str, values: list[str]) -> None:
    assert read_conditions(f"\n{text}\n") == [{"key": key, "op": op, "values": values}]


@pytest.mark.parametrize("text", ["zone =", "zone in , b", "a b c", '= "a', 'z = "a', "cores >= 4"])
def test_a_line_that_cannot_be_read_is_quoted(text: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(text)):
        read_conditions(text)


KEYS = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9_./-]{0,8}[A-Za-z0-9])?\Z")
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    values = {
        "eq": st.lists(VALUES, min_size=1, max_size=1),
        "neq": st.lists(VALUES, min_size=1, max_size=1),
        "in": st.lists(VALUES, min_size=1, max_size=3),
        "not_in": st.lists(VALUES, min_size=1, max_size=3),
        "gt": st.integers().map(lambda number: [str(number)]),
        "lt": st.floats(allow_nan=False, allow_infinity=False).map(lambda number: [str(number)]),
        "exists": st.just([]),
        "not_exists": st.just([]),
    }
    return st.sampled_from(sorted(values)).flatmap(
        lambda op: st.fixed_dictionaries({"key": KEYS, "op": st.just(op), "values": values[op]})
    )


@given(st.lists(conditions(), max_size=4))
def test_every_condition_of_a_spec_survives_as_text(found: list[dict[str, Any]]) -> None:
    for one in found:
        Requirement.model_validate(one)
    assert read_conditions(show_conditions(found)) == found
