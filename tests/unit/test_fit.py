"""Whether a provider suits a job and has room: what the waiting panel says of each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.orders import Requirement
from providers.fit import Answer, Fit, Need, fit
from providers.models import Provider
from providers.selectors import ProviderUse

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
GIB = 1024


def provider(**columns: Any) -> Provider:
    """A healthy one of 8 cores and 16 GiB, looked at just now."""
    known = {"health": "healthy", "probed_at": NOW, "found_cpu_millis": 8000}
    return Provider(name="node-1", **known | {"found_memory_mb": 16 * GIB} | columns)


def said(need: Need, place: Provider, **given: int) -> Fit:
    return fit(need, place, ProviderUse(**given), NOW)


def test_there_is_room_to_the_last_mebibyte_and_not_beyond() -> None:
    need = Need(2000, 4 * GIB)
    assert said(need, provider(), memory_mb=12 * GIB).answer is Answer.FITS
    full = said(need, provider(), cpu_millis=7000, memory_mb=12 * GIB + 1)
    assert (full.answer, full.lacks_cpu_millis, full.lacks_memory_mb) == (Answer.FULL, 1000, 1)


def test_all_slots_taken_is_too_full() -> None:
    found = said(Need(1000, GIB), provider(slots=2), running=2)
    assert (found.answer, found.lacks_slots, found.lacks_memory_mb) == (Answer.FULL, 1, 0)


@pytest.mark.parametrize(
    ("columns", "answer", "why"),
    [
        ({"mode": "inactive"}, Answer.OFF, ""),
        ({"mode": "draining"}, Answer.DOWN, "it is draining"),
        ({"health": "unreachable"}, Answer.DOWN, "it is unreachable"),
        ({"probed_at": None}, Answer.DOWN, "no engine process looks at it"),
        (
            {"disk_free_bytes": 2**30, "disk_total_bytes": 2**40},
            Answer.DOWN,
            "only 1.0 GiB of its disk is free",
        ),
        ({"found_memory_mb": 2 * GIB}, Answer.SMALL, ""),
        ({"health": "unknown", "found_memory_mb": None, "found_cpu_millis": None}, Answer.DOWN,
         "it has not been looked at yet"),
    ],
)  # fmt: skip
def test_what_keeps_a_provider_from_it_is_told(
    columns: dict[str, Any], answer: Answer, why: str
) -> None:
    found = said(Need(1000, 4 * GIB), provider(**columns))
    assert (found.answer, found.why) == (answer, why)


@pytest.mark.parametrize(
    ("need", "why"),
    [
        (Need(1, 1, provider="other"), "the job asks for other"),
        (
            Need(1, 1, requires=(Requirement("zone", "eq", ("b",)),)),
            "the job asks for zone = b; here it is a",
        ),
        (
            Need(1, 1, requires=(Requirement("gpu", "exists", ()),)),
            "the job asks for a label gpu; here it is not set",
        ),
        (
            Need(1, 1, requires=(Requirement("zone", "not_in", ("a", "c")),)),
            "the job asks for zone other than a or c; here it is a",
        ),
        (
            Need(1, 1, requires=(Requirement("cores", "gt", ("64",)),)),
            "the job asks for cores > 64; here it is not set",
        ),
        (
            Need(1, 1, requires=(Requirement("zone", "lt", ("2",)),)),
            "the job asks for zone < 2; here it is a",
        ),
    ],
)
def test_what_it_asks_for_and_does_not_get_is_named(need: Need, why: str) -> None:
    found = said(need, provider(labels={"zone": "a"}))
    assert (found.answer, found.why) == (Answer.UNSUITED, why)
