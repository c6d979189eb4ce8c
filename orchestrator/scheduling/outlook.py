"""What of some line could start at once, and what keeps the rest: the planner's answer to "what
if", of which nothing is committed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from jobs.allowance import Refusal
from orchestrator.scheduling.policy import plan
from orchestrator.scheduling.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of `waiting` jobs so many could start, or at least so many (`more`: the line was not read
    to where it ends); of the others `kept` says how many a reason keeps, the most first."""

    waiting: int
    starts: int
    more: bool = False
    kept: tuple[tuple[Refusal, int], ...] = ()


def outlook(snapshot: Snapshot, waiting: Mapping[int, int]) -> Outlook:
    """The outlook of the classes of a snapshot, if nothing else came before them. `waiting` is
    how many jobs are in each, read or not."""
    untold = tuple(replace(one, told=("", {})) for one in snapshot.classes)
    made = plan(replace(snapshot, classes=untold))
    class_of = {job: one.id for one in untold for job in one.jobs}
    over = Counter(class_of[placed.job] for placed in made.placements)
    over.update(class_of[one.job] for one in made.give_way if one.job in class_of)
    kept: dict[tuple[str, str], tuple[Refusal, int]] = {}
    for wait in made.waits:
        left = waiting.get(wait.waiting, 0) - over[wait.waiting]
        if left > 0 and wait.reason != "queued":
            refusal = Refusal(wait.reason, wait.detail)
            key = (wait.reason, repr(sorted(wait.detail.items())))
            kept[key] = (refusal, kept[key][1] + left if key in kept else left)
    return Outlook(
        waiting=sum(waiting.values()),
        starts=len(made.placements),
        more=made.more and not made.give_way,
        kept=tuple(sorted(kept.values(), key=lambda one: -one[1])),
    )
