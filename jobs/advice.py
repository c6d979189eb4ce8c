"""What to do about an end: a sentence, and the buttons that do it. Pure.

Most suggestions are a rerun with something changed; some lead to where the cause is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from jobs.models import Job
from jobs.states import JobState
from projects.quantities import duration_text, memory_text


class Told(Enum):
    """What the end of its log has to say."""

    ERROR = auto()
    LINES = auto()
    """Lines, none of which reads as an error."""
    NOTHING = auto()
    """It printed nothing."""
    UNKNOWN = auto()
    """What it printed was lost, or is not kept any more."""


@dataclass(frozen=True, slots=True)
class Action:
    """One button. `kind`: `rerun` at once (with `changes`), `edit` the spec first (the form
    opens with them), or go to its `provider`, its `events`, its log's `error`."""

    kind: str
    label: str
    icon: str
    changes: Mapping[str, int] = field(default_factory=dict)

    @property
    def query(self) -> str:
        """The changes as the job form's query string."""
        return urlencode(self.changes)


@dataclass(frozen=True, slots=True)
class Advice:
    """The sentence, and the actions, the likeliest first."""

    text: str
    actions: tuple[Action, ...]


RERUN = Action("rerun", "Rerun as it was", "retry")
EDIT = Action("edit", "Edit the spec", "edit")
EVENTS = Action("events", "See the events", "activity")
ERROR = Action("error", "Jump to the error", "end")
_LAST = Action("error", "See the end of its log", "end")
_COMMAND = Action("edit", "Edit the command", "edit")
_IMAGE = Action("edit", "Change the image", "edit")
_PLACE = Action("provider", "Look at the provider", "server")
_LOGINS = Action("provider", "Registry logins", "key")

_ADVICE: Mapping[str, Advice] = {
    "image_not_found": Advice(
        "Check the image's name and tag, and that the registry has it.", (_IMAGE, RERUN)
    ),
    "image_denied": Advice(
        "Give the provider a login to that registry, or check its rights.", (_LOGINS, RERUN, _IMAGE)
    ),
    "registry_unreachable": Advice(
        "Check the provider's way to the registry, then run it again.", (RERUN, _PLACE)
    ),
    "could_not_start": Advice(
        "Check that the command exists in the image and may be executed.", (_COMMAND, _IMAGE)
    ),
    "rejected": Advice("Change what the provider refused.", (EDIT, _PLACE)),
    "removed_outside": Advice(
        "Somebody removed the container on the provider. Run it again.", (RERUN, EVENTS)
    ),
    "provider_lost": Advice(
        "The program may still run there. Look at the provider before a rerun.", (_PLACE, RERUN)
    ),
    "engine_stopped": Advice(
        "The engine was restarted under the job. Run it again.", (RERUN, EVENTS)
    ),
    "restarted_outside": Advice(
        "Somebody restarted the container on the provider. Run it again.", (RERUN, EVENTS)
    ),
    "queue_timeout": Advice("Ask for less, or let it wait longer.", (EDIT, RERUN)),
    "spec_unreadable": Advice(
        "Submit it anew. Its stored spec was changed, or is of another version.", (EDIT,)
    ),
    "secrets_unreadable": Advice("Give the secrets anew: run it again with edits.", (EDIT,)),
    "engine_failed": Advice(
        "Look at the working directory and mounts, and at the engine's own log.", (EDIT, _PLACE)
    ),
    "gantry_failed": Advice(
        "Tell your administrator: the log of the engine process says more.", (RERUN, EVENTS)
    ),
}

# The shells' words for a command that is not there, and one that may not be executed.
_SHELLS = {
    127: "A shell ends so when it does not find a command: check the name, and the image's PATH.",
    126: "A shell ends so when a file may not be executed: check its mode, and its first line.",
}
_SIGNALS = {
    9: "Nothing of Gantry's sent it. The host may have: look whether it was short of memory.",
    15: "Nothing of Gantry's sent it: somebody on the host did, or the program itself.",
}
_CRASH = (
    "A crash of the program: often in a native library, or an image for another kind of processor."
)


_ITSELF = "The program itself said that it failed"
_LAST_LINES: Mapping[Told, str] = {
    Told.ERROR: f"{_ITSELF}; its last lines tell why.",
    Told.LINES: f"{_ITSELF}; its last lines may tell why.",
    Told.NOTHING: f"{_ITSELF}, and it printed nothing. Let it print more, or check its command.",
    Told.UNKNOWN: f"{_ITSELF}.",
}


def advice_for(job: Job, told: Told = Told.UNKNOWN) -> Advice | None:
    """A suggestion for a job that has ended other than well; None for one that has not. It leads
    to the log only where there is one."""
    advice = _advice_for(job, told)
    if advice is None or told is Told.ERROR:
        return advice
    last = (_LAST,) if told is Told.LINES else ()
    actions = [last if action is ERROR else (action,) for action in advice.actions]
    return replace(advice, actions=tuple(chain.from_iterable(actions)))


def _advice_for(job: Job, told: Told) -> Advice | None:
    if job.state == JobState.CANCELLED:
        return Advice("It can be run again at any time.", (RERUN, EDIT))
    if job.state == JobState.COMPLETED and "part_killed_mb" in job.reason_detail:
        words = memory_text(_more_memory(job))
        text = f"With {words} nothing of it would have been killed at this limit."
        return Advice(text, (_with_memory(job), EDIT))
    if job.state != JobState.FAILED:
        return None
    match job.reason:
        case "oom_killed":
            words = memory_text(_more_memory(job))
            text = f"Give it {words}: another try with the same limit would end the same way."
            return Advice(text, (_with_memory(job), RERUN, _edited(_with_memory(job))))
        case "timeout":
            return _for_timeout(job, told)
        case "signalled":
            number = _number(job.reason_detail)
            actions = (RERUN, EVENTS) if number in _SIGNALS else (ERROR, RERUN, EDIT)
            return Advice(_SIGNALS.get(number, _CRASH), actions)
        case "exit_code" if job.exit_code in _SHELLS:
            return Advice(_SHELLS[job.exit_code], (_COMMAND, ERROR, RERUN))
        case "exit_code":
            return Advice(_LAST_LINES[told], (ERROR, RERUN, EDIT))
    return _ADVICE.get(job.reason)


def _for_timeout(job: Job, told: Told) -> Advice:
    limit = int(job.spec["resources"]["timeout_seconds"])
    words = duration_text(limit * 2)
    longer = Action("rerun", f"Rerun with {words}", "retry", {"timeout_seconds": limit * 2})
    more = {
        Told.NOTHING: ", or let it print what it does: it printed nothing",
        Told.UNKNOWN: "",
    }.get(told, ", or look for what it waited for at the end of its log")
    return Advice(f"Give it more time{more}.", (longer, ERROR, _edited(longer)))


def _more_memory(job: Job) -> int:
    return max(job.memory_mb * 2, 16)


def _with_memory(job: Job) -> Action:
    more = _more_memory(job)
    return Action("rerun", f"Rerun with {memory_text(more)}", "retry", {"memory_mb": more})


def _edited(action: Action) -> Action:
    """The same changes, to look at first."""
    return replace(EDIT, changes=action.changes)


def _number(detail: Mapping[str, Any]) -> int:
    """The signal's number, from its words: "9 (SIGKILL)"."""
    first = str(detail.get("signal", "")).partition(" ")[0]
    return int(first) if first.isdecimal() else 0
