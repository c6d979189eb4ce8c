"""The rows of names and values in the job form: variables, and secrets.

Plain inputs of the same name, so that a form without JavaScript can hold any number of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from django.http import QueryDict

SPARE_ROWS = 1


@dataclass(slots=True)
class EnvRow:
    """One row as it was typed, with what is wrong with it."""

    name: str = ""
    value: str = ""
    problem: str = ""
    focus: bool = False
    """The page opens here."""

    @property
    def blank(self) -> bool:
        """True when nothing was typed."""
        return not self.name.strip() and not self.value


def read_rows(data: QueryDict, prefix: str) -> list[EnvRow]:
    """The typed rows of `<prefix>_name` and `<prefix>_value`, blank ones left out."""
    names = data.getlist(f"{prefix}_name")
    values = data.getlist(f"{prefix}_value")
    rows = [
        EnvRow(name.strip(), value.replace("\r\n", "\n"))
        for name, value in zip_longest(names, values, fillvalue="")
    ]
    return [row for row in rows if not row.blank]


def check_rows(rows: Sequence[EnvRow], most: int, many: str) -> None:
    """Set the problem of each row that has one: those of `as_mapping`, and, on the first of
    those that are too many, that a job has at most `most` of them (`many`: what they are)."""
    as_mapping(rows, most)
    right = [row for row in rows if not row.problem]
    if over := len(right[most:]):
        these = f"This and the {over - 1} after it are" if over > 1 else "This is"
        right[most].problem = f"{these} too many: a job has at most {most} {many}."


def as_mapping(rows: Sequence[EnvRow], most: int) -> dict[str, str]:
    """Name → value of the first `most` rows without a problem; a row without a name and a name
    given twice get theirs set."""
    mapping: dict[str, str] = {}
    for row in rows:
        if row.problem:
            continue
        if len(mapping) == most:
            break
        if not row.name:
            row.problem = "Give it a name, or empty its value."
        elif row.name in mapping:
            row.problem = "Named twice; keep one."
        else:
            mapping[row.name] = row.value
    return mapping


def with_spare(rows: Iterable[EnvRow], more: int = SPARE_ROWS) -> list[EnvRow]:
    """The rows to show: those typed and some to type in."""
    return [*rows, *(EnvRow() for _ in range(more))]
