"""What is said of one action on many jobs, and of what came of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What can be done to many jobs."""

    CANCEL = "cancel"
    RERUN = "rerun"
    HOLD = "hold"
    RELEASE = "release"
    REPRIORITISE = "reprioritise"
    MOVE = "move"

    @property
    def batch(self) -> int:
        """How many jobs one request may take; a rerun reads and writes a whole spec, and a move
        looks at one."""
        return {Action.RERUN: 25, Action.MOVE: 100}.get(self, 200)


class Fate(StrEnum):
    """What came of a job, or would come of it."""

    CANCELLED = "cancelled"
    STOPPING = "stopping"
    RERUN = "rerun"
    HELD = "held"
    RELEASED = "released"
    REPRIORITISED = "reprioritised"
    MOVED = "moved"
    SAME = "same"
    FINISHED = "finished"
    STOPPING_BEFORE = "stopping_before"
    UNFINISHED = "unfinished"
    STARTED = "started"
    FREE = "free"
    UNFIT = "unfit"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    LIMITED = "limited"
    GONE = "gone"


_ONE_AND_MORE = {
    Fate.CANCELLED: ("cancelled", "cancelled"),
    Fate.STOPPING: ("is being stopped", "are being stopped"),
    Fate.RERUN: ("submitted again", "submitted again"),
    Fate.HELD: ("held", "held"),
    Fate.RELEASED: ("released", "released"),
    Fate.REPRIORITISED: ("has the new priority", "have the new priority"),
    Fate.MOVED: ("moved", "moved"),
    Fate.SAME: ("was so already", "were so already"),
    Fate.FINISHED: ("had already finished", "had already finished"),
    Fate.STOPPING_BEFORE: ("was being stopped already", "were being stopped already"),
    Fate.UNFINISHED: ("has not finished", "have not finished"),
    Fate.STARTED: ("waits no more", "wait no more"),
    Fate.FREE: ("was not held", "were not held"),
    Fate.UNFIT: ("can never run there", "can never run there"),
    Fate.FORBIDDEN: ("is not yours to change", "are not yours to change"),
    Fate.REFUSED: ("could not be submitted again", "could not be submitted again"),
    Fate.LIMITED: (
        "was not submitted again: its project is at a limit",
        "were not submitted again: their project is at a limit",
    ),
    Fate.GONE: ("is no longer there", "are no longer there"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages of an action say; `counted` fills in the number."""

    title: str
    asks: str
    doing: str
    impossible: str
    button: str
    icon: str
    means: str = ""


WORDS: Mapping[Action, Words] = {
    Action.CANCEL: Words(
        "Cancel jobs", "Cancel {jobs}?", "Cancelling", "cancelled", "Cancel {jobs}", "stop"
    ),
    Action.RERUN: Words(
        "Rerun jobs", "Run again {jobs}?", "Submitting again", "run again", "Run {} again", "retry",
        "Each is submitted as a new job with the same spec and secrets.",
    ),
    Action.HOLD: Words(
        "Hold jobs", "Hold {jobs}?", "Holding", "held", "Hold {jobs}", "clock",
        "None of them starts until somebody releases it.",
    ),
    Action.RELEASE: Words(
        "Release jobs", "Release {jobs}?", "Releasing", "released", "Release {jobs}", "play",
        "They stand in line again, and their wait begins now.",
    ),
    Action.REPRIORITISE: Words(
        "Priority of jobs", "Another priority for {jobs}?", "Setting the priority",
        "given another priority", "Set it for {jobs}", "updown",
        "Their specs keep the priority that they were submitted with.",
    ),
    Action.MOVE: Words(
        "Move jobs", "Move {jobs}?", "Moving", "moved", "Move {jobs}", "server",
        "They run where you say and nowhere else. Those that can never run there stay as they are.",
    ),
}  # fmt: skip


def counted(template: str, number: int) -> str:
    """Words of an action with the number of its jobs: `{}` alone, `{jobs}` with the noun."""
    return template.format(number, jobs=f"{number} job{'' if number == 1 else 's'}")


def sentence(fates: Mapping[Fate, int]) -> str:
    """What came of all jobs: "12 cancelled, 3 had already finished."."""
    told = [f"{fates[fate]:,} {words_of(fate, fates[fate])}" for fate in Fate if fates.get(fate)]
    return ", ".join(told) + "." if told else "Nothing was changed."


def words_of(fate: Fate, number: int) -> str:
    """A fate's words after a number."""
    return _ONE_AND_MORE[fate][number != 1]
