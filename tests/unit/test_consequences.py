"""What a change of a provider does to the jobs that wait, decided as the planner decides."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from jobs.consequences import Consequences, Fate, consequences
from jobs.orders import Requirement
from jobs.waiting_classes import WaitingClass
from providers.fit import Need
from providers.models import Provider
from providers.selectors import ProviderUse

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
GIB = 1024
SMALL, LARGE = Need(1000, GIB), Need(1000, 12 * GIB)
PINNED = Need(1000, GIB, provider="node-1")
ZONED = Need(1000, GIB, requires=(Requirement("zone", "eq", ("a",)),))
CLASSES = [
    WaitingClass(SMALL, 40),
    WaitingClass(LARGE, 7),
    WaitingClass(PINNED, 5),
]


def provider(pk: int, name: str, **columns: Any) -> Provider:
    """A healthy one of 8 cores and 16 GiB, looked at just now."""
    known = {"health": "healthy", "probed_at": NOW, "found_cpu_millis": 8000}
    return Provider(pk=pk, name=name, **known | {"found_memory_mb": 16 * GIB} | columns)


def changed(before: Provider, **columns: Any) -> Provider:
    after = copy.copy(before)
    for name, value in columns.items():
        setattr(after, name, value)
    return after


def told(
    before: Provider,
    after: Provider,
    *others: Provider,
    classes: list[WaitingClass] = CLASSES,
    **given: int,
) -> Consequences:
    everything = [before, *others]
    used = {one.pk: ProviderUse(**given) for one in everything}
    return consequences(before, after, everything, used, classes, NOW)


def counts(found: Consequences) -> dict[str, int]:
    return {fate.value: found.count(fate) for fate in Fate if found.count(fate)}


def test_draining_strands_those_that_fit_only_here_and_sends_the_others_elsewhere() -> None:
    one, two = provider(1, "node-1"), provider(2, "node-2", found_memory_mb=8 * GIB)
    found = told(one, changed(one, mode="draining"), two)
    assert counts(found) == {"stuck": 12, "elsewhere": 40}
    assert found.waiting == 52


def test_those_that_are_stranded_say_what_their_own_pages_will_say() -> None:
    one, two = provider(1, "node-1"), provider(2, "node-2", found_memory_mb=8 * GIB)
    found = told(one, changed(one, mode="draining"), two)
    assert {hit.why for hit in found.hits[Fate.STUCK]} == {
        "node-1 would suit it, and takes nothing: it is draining"
    }
    found = told(one, changed(one, mode="inactive"), two)
    assert {hit.jobs.need: hit.why for hit in found.hits[Fate.STUCK]} == {
        LARGE: "It is larger than any provider that suits it",
        PINNED: "No provider is what it asks for",
    }


def test_a_full_provider_is_a_place_too_here_and_elsewhere() -> None:
    one, two = provider(1, "node-1"), provider(2, "node-2")
    found = told(one, changed(one, mode="draining"), two, cpu_millis=8000, memory_mb=16 * GIB)
    assert counts(found) == {"stuck": 5, "elsewhere": 47}


def test_another_that_takes_nothing_is_no_place() -> None:
    one = provider(1, "node-1")
    others = [
        provider(2, "away", health="unreachable"),
        provider(3, "off", mode="inactive"),
        provider(4, "leaving", mode="draining"),
    ]
    assert counts(told(one, changed(one, mode="draining"), *others)) == {"stuck": 52}


def test_who_could_not_run_here_is_not_touched() -> None:
    one = provider(1, "node-1", health="unreachable")
    assert counts(told(one, changed(one, mode="draining"))) == {}


def test_activating_gives_a_place_to_those_that_had_none_and_one_more_to_others() -> None:
    off, two = provider(1, "node-1", mode="inactive"), provider(2, "n", found_memory_mb=8 * GIB)
    assert counts(told(off, changed(off, mode="active"), two)) == {"freed": 12, "joined": 40}


def test_lower_limits_and_other_labels_strand_whom_they_exclude() -> None:
    one = provider(1, "node-1", labels={"zone": "a"})
    classes = [*CLASSES, WaitingClass(ZONED, 3)]
    lower = changed(one, memory_mb=8 * GIB, labels={"zone": "b"})
    assert counts(told(one, lower, classes=classes)) == {"stuck": 10}
    assert counts(told(one, changed(one, slots=1), classes=classes)) == {}
