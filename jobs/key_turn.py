"""What one more job means to those with its concurrency key, and they to it: told by the rules
by which the planner lets jobs give way (orchestrator/scheduling/overflow.py; a test compares the
two). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OfKey:
    """The jobs of a key: those that are placed or run, those of them that were told to stop,
    those that wait in line; the smallest limit that any of the waiting sets (None: none waits),
    and whether any of them is for the newest."""

    live: Sequence[int] = ()
    stopping: Collection[int] = ()
    waiting: Sequence[int] = ()
    limit: int | None = None
    newest_win: bool = False


@dataclass(frozen=True, slots=True)
class KeyTurn:
    """What comes of a job that is submitted now: it is cancelled at once, giving way to the job
    `gives_way_to`; or it is placed once `stops`, which are told to stop for its sake, have
    ended."""

    gives_way_to: int | None = None
    stops: tuple[int, ...] = ()


def key_turn(key: Mapping[str, Any], others: OfKey) -> KeyTurn:
    """What comes of one more job with this key, the newest of all. `key` is as a demand has it
    (jobs/asks.py)."""
    limit = min(key["limit"], others.limit or key["limit"])
    wins = key["on_overflow"] == "cancel_running"
    if key["on_overflow"] == "cancel_newest" and not others.newest_win:
        ahead = sorted([*others.live, *others.waiting])
        return KeyTurn(gives_way_to=ahead[limit - 1] if len(ahead) >= limit else None)
    if not wins:
        return KeyTurn()
    running = [job for job in others.live if job not in others.stopping]
    older = sorted([*running, *others.waiting])
    gone = older[: max(0, len(older) + 1 - limit)]
    return KeyTurn(stops=tuple(job for job in gone if job in running))
