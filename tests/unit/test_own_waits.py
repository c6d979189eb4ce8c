"""When a job stood in line, was held or backed off, as its events tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.own_waits import InLine, stretches

DAY = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Waited:
    queue_class_id: int | None = 7
    held: bool = False
    not_before: datetime | None = None


@dataclass(frozen=True)
class Told:
    hour: int
    type: str
    source: str = "pending"
    target: str = "pending"
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        return DAY + timedelta(hours=self.hour)


def hours(job: Waited, *events: Told) -> list[tuple[object, float, float | None]]:
    """The class that it stood in line as, or why it did not; from and to which hour."""
    return [
        (
            one.waiting if isinstance(one, InLine) else one.reason,
            (one.since - DAY) / HOUR,
            None if one.until is None else (one.until - DAY) / HOUR,
        )
        for one in stretches(job, events)
    ]


SUBMITTED = Told(0, "job.submitted", source="")
BACKED_OFF = Told(1, "job.retried", source="running", reason="backoff", detail={"delay": "7200 s"})


@pytest.mark.parametrize(
    ("job", "events", "expected"),
    [
        (Waited(), [SUBMITTED], [(7, 0, None)]),
        (Waited(), [SUBMITTED, Told(3, "job.placed", target="scheduled")], [(7, 0, 3)]),
        (Waited(), [Told(3, "job.placed", target="scheduled")], []),
        (Waited(held=True), [SUBMITTED], [("held", 0, None)]),
        (
            Waited(held=True),
            [SUBMITTED, Told(2, "job.cancelled", target="cancelled")],
            [("held", 0, 2)],
        ),
        (
            Waited(held=True),
            [SUBMITTED, Told(2, "job.held", reason="held"), Told(3, "job.held", reason="held")],
            [(7, 0, 2), ("held", 2, 3), ("held", 3, None)],
        ),
        # moved while it was held: in line as another one since its release
        (
            Waited(),
            [
                SUBMITTED,
                Told(1, "job.held", reason="held"),
                Told(2, "job.moved", detail={"left_class": 5}),
                Told(3, "job.released"),
            ],
            [(5, 0, 1), ("held", 1, 3), (7, 3, None)],
        ),
        # of a class that was not written down nothing is known
        (Waited(), [SUBMITTED, Told(2, "job.moved")], [(7, 2, None)]),
        (Waited(), [BACKED_OFF], [("backoff", 1, 3), (7, 3, None)]),
        (Waited(not_before=DAY), [BACKED_OFF], [("backoff", 1, None)]),
        (
            Waited(held=True),
            [BACKED_OFF, Told(2, "job.held", reason="held")],
            [("backoff", 1, 2), ("held", 2, None)],
        ),
        (
            Waited(),
            [BACKED_OFF, Told(2, "job.moved", detail={"left_class": 5})],
            [("backoff", 1, 3), (7, 3, None)],
        ),
        (
            Waited(),
            [BACKED_OFF, Told(4, "job.moved", detail={"left_class": 5})],
            [("backoff", 1, 3), (5, 3, 4), (7, 4, None)],
        ),
        (
            Waited(),
            [BACKED_OFF, Told(4, "job.placed", target="scheduled")],
            [("backoff", 1, 3), (7, 3, 4)],
        ),
    ],
)
def test_each_stretch_is_told_with_its_class(
    job: Waited, events: list[Told], expected: list[Any]
) -> None:
    assert hours(job, *events) == expected
