"""Which provider comes nearest to conditions that none meets, and what it lacks, in words. Pure:
the planner stores them as a reason, and the job form warns with the same.

The words name labels and no amounts, so that they change only where labels do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import takewhile

from providers.fit import Condition, matches

MISSING = 2.0
"""How far away a provider is that has not even the label; one that has it is nearer."""
MOST_NAMED = 3


def distance(condition: Condition, value: str | None) -> float:
    """How far a label's value is from what is asked: 0 meets it, below 1 is of the same kind."""
    if matches(condition, {} if value is None else {condition.key: value}):
        return 0.0
    if value is None:
        return MISSING
    if condition.op in ("gt", "lt"):
        return _shortfall(value, condition.values[0])
    if condition.op in ("eq", "in"):
        return min((1 - _alike(value, asked) for asked in condition.values), default=1.0)
    return 1.0


def nearest_of(
    requires: Sequence[Condition], places: Iterable[tuple[str, Mapping[str, str]]]
) -> str:
    """What to say of places, by name and labels, of which none meets all conditions."""
    known = list(places)
    ranked = [
        (sum(d > 0 for d in far), sum(far), at)
        for at, (_, labels) in enumerate(known)
        for far in [[distance(one, labels.get(one.key)) for one in requires]]
    ]
    if not ranked:
        return no_match(requires, requires, "", {}, frozenset())
    nobody = [c for c in requires if not any(matches(c, labels) for _, labels in known)]
    name, labels = known[min(ranked)[2]]
    keys = frozenset(key for _, labels in known for key in labels)
    return no_match(requires, nobody, name, labels, keys)


def no_match(
    requires: Sequence[Condition],
    nobody: Sequence[Condition],
    name: str,
    labels: Mapping[str, str],
    keys: frozenset[str],
) -> str:
    """The words: which conditions nobody meets, or that they are not met together, and what the
    nearest provider has instead. `keys` are all labels that there are."""
    asked = _listed([_has(one) for one in nobody or requires], "and")
    words = f"no provider {asked}" + ("" if nobody or len(requires) == 1 else " together")
    if unknown := next((c.key for c in nobody if c.op != "not_exists" and c.key not in keys), ""):
        like = _like(unknown, keys)
        return f"{words}; none has a label {unknown}" + (f" (there is {like})" if like else "")
    return f"{words}; nearest: {name} {_instead(requires, labels)}" if name else words


def unlike(requires: Sequence[Condition], name: str, labels: Mapping[str, str]) -> str:
    """The words of a job that may go to this provider only, which does not meet all of it."""
    asked = _listed([_has(c) for c in requires if not matches(c, labels)], "and")
    instead = _instead(requires, labels)
    return f"it may go to {name} only, which {instead}, and asks for one that {asked}"


def _instead(requires: Sequence[Condition], labels: Mapping[str, str]) -> str:
    lacking = [one for one in requires if not matches(one, labels)]
    return _listed(list(dict.fromkeys(_here(one, labels) for one in lacking)), "and")


@lru_cache(maxsize=1024)
def _like(key: str, keys: frozenset[str]) -> str:
    """The label that was perhaps meant; "" where none is like it."""
    return next(iter(get_close_matches(key, sorted(keys), n=1)), "")


def _shortfall(value: str, asked: str) -> float:
    """Of numbers by how much of the larger one they differ, below 1; of no number 1."""
    try:
        here, bound = float(value), float(asked)
    except ValueError:
        return 1.0
    if not math.isfinite(here):
        return 1.0
    return max(1e-9, abs(here - bound) / (1 + abs(here) + abs(bound)))


def _alike(one: str, other: str) -> float:
    """How much of the longer text the two begin with together, from 0 to 1."""
    pairs = zip(one.lower(), other.lower(), strict=False)
    together = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return together / max(len(one), len(other), 1) * 0.99


def _has(one: Condition) -> str:
    values = _listed(list(one.values), "or")
    match one.op:
        case "eq" | "in":
            return f"has {one.key} = {values}"
        case "neq" | "not_in":
            return f"has another {one.key} than {values}"
        case "gt" | "lt":
            return f"has {one.key} {'>' if one.op == 'gt' else '<'} {values}"
        case "exists":
            return f"has a label {one.key}"
    return f"is without {one.key}"


def _here(one: Condition, labels: Mapping[str, str]) -> str:
    return f"has {one.key} = {labels[one.key]}" if one.key in labels else f"has no {one.key}"


def _listed(words: Sequence[str], last: str) -> str:
    """The first few of them with commas between, and how many more there are."""
    if len(words) > MOST_NAMED:
        words = [*words[:MOST_NAMED], f"{len(words) - MOST_NAMED} more"]
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
