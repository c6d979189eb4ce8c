"""What the jobs that wait are waiting for: groups with words that follow a number. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.fit import Fit


@dataclass(frozen=True, slots=True)
class Group:
    """One thing to wait for. `key` stands in addresses; `one` and `more` follow a number."""

    key: str
    title: str
    shape: str
    one: str
    more: str = ""
    moves: bool = False
    """True where its jobs start by themselves once others have ended."""

    def words(self, number: int) -> str:
        """As in "30 for memory"."""
        return self.one if number == 1 else self.more or self.one


BACKOFF, HELD, ROOM, NEXT = "backoff", "held", "room", "next"
NO_CAPACITY = "no_capacity"

GROUPS: dict[str, Group] = {
    group.key: group
    for group in (
        Group(NEXT, "Next look", "pending", "for the next look", moves=True),
        Group("memory", "For memory", "pending", "for memory", moves=True),
        Group("cpu", "For CPU", "pending", "for CPU", moves=True),
        Group("gpu", "For a GPU", "pending", "for a GPU", moves=True),
        Group("slot", "For a slot", "pending", "for a slot", moves=True),
        Group(ROOM, "For room", "pending", "for room", moves=True),
        Group("kept_free", "Kept free", "pending", "for room that is kept free", moves=True),
        Group("apart", "Kept apart", "pending", "for a provider without its like", moves=True),
        Group("key_limit", "Key's limit", "pending", "for its key", "for their keys", moves=True),
        Group("project_limit", "Project's limit", "pending", "for its project", "for their project",
              moves=True),
        Group("kept_limit", "Limit kept", "pending", "for a limit that is kept", moves=True),
        Group("paused", "Paused", "held", "in a paused queue", "in paused queues"),
        Group("provider_down", "Provider away", "warn", "for a provider that takes nothing now"),
        Group("disk_low", "Disk full", "warn", "for a provider whose disk is full"),
        Group("no_provider", "No provider", "failed", "without any provider"),
        Group("no_match", "No provider fits", "failed", "fits no provider", "fit no provider"),
        Group("too_large", "Too large", "failed", "too large for any provider"),
        Group("above_project_limit", "Above a limit", "failed", "above its project's limit",
              "above their project's limit"),
        Group(BACKOFF, "Backing off", "warn", "backs off", "back off"),
        Group(HELD, "Held", "held", "held"),
    )
}  # fmt: skip
"""By key, in the order in which pages tell them."""
BY_SCARCE = ("memory", "cpu", "gpu", "slot", ROOM)
"""The groups into which jobs without room are told apart."""


def scarce(full: Sequence[Fit]) -> str:
    """What is missing on all providers that are too full for a job: one of BY_SCARCE."""
    if not full:
        return ROOM
    if all(one.lacks_memory_mb for one in full):
        return "memory"
    if all(one.lacks_cpu_millis for one in full):
        return "cpu"
    if all(one.lacks_gpus for one in full):
        return "gpu"
    return "slot" if all(one.lacks_slots for one in full) else ROOM


def group_of(code: str) -> str:
    """The group of a stored reason, or of `held` and `backoff`, which come before it."""
    return code if code in GROUPS else ROOM if code == NO_CAPACITY else NEXT


def codes_of(key: str) -> tuple[str, ...] | None:
    """The stored reasons of a group; None for NEXT, which has whatever no other group has."""
    if key == NEXT:
        return None
    return (NO_CAPACITY,) if key in BY_SCARCE else (key,)


def named_codes() -> tuple[str, ...]:
    """The stored reasons that a group other than NEXT has."""
    return (NO_CAPACITY, *(key for key in GROUPS if key != NEXT and key not in BY_SCARCE))
