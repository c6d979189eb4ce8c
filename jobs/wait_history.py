"""Why a job has waited, over time: held, backing off, or in line for the reasons of its class."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from jobs.models import Job
from jobs.own_waits import InLine, stretches
from jobs.reasons import reason_text
from jobs.sql import fetch
from jobs.states import JobState
from projects.models import Event

MOST_SHOWN = 50
MOST_EVENTS = 400
"""Of a job with more that took it into the queue, about in it or out, the latest are read."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A stretch of waiting; `until` is None while it lasts."""

    reason: str
    text: str
    since: datetime
    until: datetime | None


def wait_history(job: Job) -> list[Wait]:
    """All its waits, those before earlier attempts too, oldest first; at most the last 50.

    When it stood in line, was held or backed off its own events tell; why it waited in line, its
    class of that time. Two queries.
    """
    pending = Q(source=JobState.PENDING) | Q(target=JobState.PENDING)
    found = Event.objects.filter(pending, subject_kind="job", subject_id=job.pk).order_by("-pk")
    events = list(found[:MOST_EVENTS])[::-1]
    in_line: list[InLine] = []
    waits: list[Wait] = []
    for one in stretches(job, events):
        if isinstance(one, InLine):
            in_line.append(one)
        else:
            waits.append(_wait(one.reason, one.detail, one.since, one.until))
    waits += _in_line(in_line)
    return sorted(waits, key=lambda wait: wait.since)[-MOST_SHOWN:]


def _in_line(stretches: Sequence[InLine]) -> Iterator[Wait]:
    rows = [
        {
            "waiting": one.waiting,
            "since": one.since.isoformat(),
            "until": one.until and one.until.isoformat(),
        }
        for one in stretches
    ]
    if rows:
        values = {"stretches": json.dumps(rows), "most": MOST_SHOWN}
        for reason, detail, since, until in fetch("wait_spans", values):
            yield _wait(reason, json.loads(detail), since, until)


def _wait(reason: str, detail: Mapping[str, Any], since: datetime, until: datetime | None) -> Wait:
    return Wait(reason, reason_text(reason, detail), since, until)
