"""Every wait, every end and every decision of recovery has a reason: a stable code and
plain words.

Codes are stored; the words are made here from the code and its numbers, so that page, API
and log say the same. `{name}` in a text is filled from the stored detail.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from projects.quantities import memory_text


class Blame(StrEnum):
    """Whose doing an end was; it decides which retries it may use up."""

    NOBODY = "nobody"
    USER = "user"
    """The program or its spec: charged to the job's own retries."""
    INFRASTRUCTURE = "infrastructure"
    """The engine or we: tried again free of charge."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A code with its words. `retryable`: may be named in `retry.on`."""

    code: str
    text: str
    blame: Blame = Blame.NOBODY
    retryable: bool = False


_U, _I = Blame.USER, Blame.INFRASTRUCTURE

WAITS: tuple[Reason, ...] = (
    Reason("queued", "Waiting for the scheduler's next look."),
    Reason("held", "Held. Release it to let it run."),
    Reason("backoff", "Waiting {delay} before attempt {next}, {cost}. The last one: {last}"),
    Reason("no_provider", "No active provider. Add or activate one."),
    Reason("no_match", "No active provider fits: {why}."),
    Reason(
        "too_large", "Larger than any active provider: needs {need}, the largest has {largest}."
    ),
    Reason("no_capacity", "Waiting for room: needs {need}; the capacity of {best} is in use."),
    Reason(
        "kept_free",
        "Waiting for room: {provider} is kept free for a job that has waited longest.",
    ),
    Reason("apart", "Waiting for a provider without another job of its project with {labels}."),
    Reason("paused", "The queue of {project} is paused: {why}."),
    Reason("project_limit", "Waiting for {project}, which is at its limit of {limit}."),
    Reason(
        "above_project_limit",
        "Larger than all that {project} may use at once: needs {need}, the limit is {limit}.",
    ),
    Reason(
        "key_limit",
        "Waiting for its key {key}, of which no more than {limit} may run at once.",
    ),
    Reason(
        "kept_limit",
        "Waiting for job {job}, which has waited longest: {what} is kept for it.",
    ),
    Reason("provider_down", "Waiting for {provider}: {why}."),
    Reason("disk_low", "Waiting for {provider}: {why}."),
    Reason("placed", "Placed on {provider}."),
    Reason("requeued", "Back in the queue, {cost}: {why}"),
)

ENDS: tuple[Reason, ...] = (
    Reason("succeeded", "Finished with exit code 0."),
    Reason("exit_code", "The program exited with code {exit_code}.", _U, True),
    Reason(
        "signalled",
        "The program ended with code {exit_code}, which means signal {signal}; Gantry sent none.",
        _U,
        True,
    ),
    Reason(
        "oom_killed",
        "Out of memory: the program was killed at its limit of {memory_mb:memory}. "
        "Raise the memory.",
        _U,
        True,
    ),
    Reason("timeout", "Stopped after its time limit of {limit}.", _U, True),
    Reason("queue_timeout", "Not placed within its queue limit of {limit}. Last wait: {last}", _U),
    Reason("cancelled", "Cancelled by {by}."),
    Reason("image_not_found", "The image {image} was not found: {message}", _U, True),
    Reason("image_denied", "Access to the image {image} was denied: {message}", _U, True),
    Reason(
        "registry_unreachable",
        "The image {image} could not be fetched from its registry: {message}",
        _I,
        True,
    ),
    Reason(
        "could_not_start",
        "The command could not be started: {message}",
        _U,
        True,
    ),
    Reason("rejected", "The provider refused the job: {message}", _U, True),
    Reason("spec_unreadable", "Its stored spec cannot be read: {message}", _I),
    Reason("secrets_unreadable", "Its secrets cannot be opened: {message}", _I),
    Reason("engine_failed", "The provider's engine could not make its container: {message}", _I),
    Reason("gantry_failed", "Gantry itself could not go on with it: {message}", _I),
    Reason("removed_outside", "Its container was removed by someone outside Gantry.", _I, True),
    Reason("provider_lost", "Its provider {provider} was given up for lost: {message}", _I, True),
    Reason(
        "restarted_outside",
        "Its container was restarted by someone outside Gantry, so the program ran once more.",
        _I,
        True,
    ),
    Reason("engine_stopped", "The engine stopped while the program ran, and ended it.", _I, True),
    Reason("fenced", "Taken back before it started: {message}", _I),
    Reason("no_capacity_left", "The provider had no room after all: {message}", _I),
    Reason("preempted", "Stopped to make room for a job of higher priority.", _I, True),
)

NOTES: tuple[Reason, ...] = (
    Reason("adopted", "Taken up by the engine process {holder} (term {term}): {found}."),
    Reason("late_start", "Its start had got through after all: it is followed, not taken back."),
    Reason("former_stop", "An earlier engine process had told it to stop: {cause}"),
    Reason("not_seen", "Its provider does not answer, so it may still run there: {message}"),
    Reason("seen_again", "Its provider answers again; it was out of sight for {time}."),
    Reason("log_gap", "Its log is not complete: {why}"),
)
"""What recovery decides of an attempt beyond its phases: event types `attempt.<code>`."""

REASONS: dict[str, Reason] = {reason.code: reason for reason in (*WAITS, *ENDS, *NOTES)}
RETRYABLE: frozenset[str] = frozenset(reason.code for reason in ENDS if reason.retryable)

ALSO: Mapping[str, str] = {
    "note": "{by} wrote “{note}”.",
    "part_killed_mb": "A part of it was killed at its limit of {part_killed_mb:memory} of memory.",
}
"""What is true besides, by the number in the detail that tells it."""


class _Detail(string.Formatter):
    """Fills a text; a number that was not told shows as a dash instead of failing. Of MiB,
    `{…:memory}` makes the words that are used everywhere."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        value = kwargs.get(str(key))
        return "–" if value is None or value == "" else value

    def format_field(self, value: Any, format_spec: str) -> Any:
        if format_spec != "memory":
            return super().format_field(value, format_spec)
        return memory_text(value) if isinstance(value, int | float) else str(value)


def reason_text(code: str, detail: Mapping[str, Any] | None = None) -> str:
    """The plain words of a stored reason. Unknown and empty codes say themselves."""
    reason = REASONS.get(code)
    if reason is None:
        return code.replace("_", " ").capitalize()
    told = detail or {}
    texts = [reason.text, *(text for number, text in ALSO.items() if number in told)]
    return " ".join(_Detail().vformat(text, (), told) for text in texts)


def blame(code: str) -> Blame:
    """Whose doing an end with this code was."""
    reason = REASONS.get(code)
    return reason.blame if reason else Blame.NOBODY
