"""What was asked of Gantry, and what must come of it whatever breaks on the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jobs.states import JobState, Outcome


class Kind(StrEnum):
    """How a job of a campaign is meant to end."""

    WHOLE = "whole"
    """By itself, well."""
    FAILING = "failing"
    """With exit code 3, and once more at its second try."""
    CANCELLED = "cancelled"
    """By a cancel, wherever that meets it."""
    LATE = "late"
    """At its time limit."""


@dataclass(frozen=True, slots=True)
class End:
    """The end that a kind must come to. `outcomes` are those of its attempts that were not
    fenced, in order; `charged` is what it may have used up of its own retries."""

    state: JobState
    reason: str
    outcomes: tuple[tuple[Outcome, ...], ...]
    charged: int = 0
    whole_log: bool = True
    """Its program prints to the end, and says what it has printed."""


ENDS: dict[Kind, End] = {
    Kind.WHOLE: End(JobState.COMPLETED, "succeeded", ((Outcome.COMPLETED,),)),
    Kind.FAILING: End(JobState.FAILED, "exit_code", ((Outcome.FAILED, Outcome.FAILED),), 2),
    Kind.CANCELLED: End(
        JobState.CANCELLED, "cancelled", ((), (Outcome.CANCELLED,)), whole_log=False
    ),
    Kind.LATE: End(JobState.FAILED, "timeout", ((Outcome.FAILED,),), 1, whole_log=False),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A job that was accepted."""

    job: int
    kind: Kind
