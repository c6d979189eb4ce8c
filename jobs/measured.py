"""What the programs on providers use now, by the last reading of each attempt there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.sql import fetch
from jobs.stat_pages import RECORD_BYTES, Reading, page_of, unpack
from jobs.use import OLD
from providers.readings import Measured


@dataclass(frozen=True, slots=True)
class LastReading:
    """The newest reading of an attempt, and the provider on which it runs."""

    provider: int
    attempt: int
    reading: Reading


def last_readings(provider_ids: Sequence[int], now: datetime) -> list[LastReading]:
    """One for each attempt that runs on these providers and was measured lately; one query."""
    asked = {"providers": list(provider_ids), "page": page_of(now - OLD), "size": RECORD_BYTES}
    found = []
    for provider, attempt, page, record in fetch("last_readings", asked):
        for reading in unpack(page, bytes(record)):
            if now - reading.at <= OLD:
                found.append(LastReading(provider, attempt, reading))
    return found


def measured_on(readings: Sequence[LastReading]) -> Mapping[int, Measured]:
    """The same by provider, added up; a provider on which nothing was measured is left out."""
    sums: dict[int, Measured] = {}
    for one in readings:
        before = sums.get(one.provider, Measured())
        sums[one.provider] = Measured(
            before.cpu_millis + one.reading.cpu_millis,
            before.memory_mb + one.reading.memory_bytes / 2**20,
            before.attempts + 1,
        )
    return sums
