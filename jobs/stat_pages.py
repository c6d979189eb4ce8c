"""What an attempt used, in compact form: readings of CPU and memory, in pages of ten minutes.

Pure. A reading stands for the stretch since the one before it: the mean of its CPU and the
most of its memory, so that no peak is lost where readings are drawn together.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

PAGE_SECONDS = 600
MOST_BYTES = 12 * 1200
"""A page takes no more, whatever the clocks say."""
_RECORD = struct.Struct(">III")
RECORD_BYTES = _RECORD.size
_MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU in thousandths of a core and memory in bytes, up to a moment of the engine's clock."""

    at: datetime
    cpu_millis: int
    memory_bytes: int


def page_of(at: datetime) -> int:
    """The number of the page on which a reading stands."""
    return int(at.timestamp() // PAGE_SECONDS)


def pack(reading: Reading) -> bytes:
    """A reading as its page holds it: ms since the page began, thousandths of a core, KiB."""
    since = reading.at.timestamp() - page_of(reading.at) * PAGE_SECONDS
    kib = -(-reading.memory_bytes // 1024)
    return _RECORD.pack(round(since * 1000), min(_MOST, reading.cpu_millis), min(_MOST, kib))


def unpack(page: int, body: bytes) -> list[Reading]:
    """The readings of a page, as they were written; half of one at its end is left out."""
    whole = len(body) // _RECORD.size * _RECORD.size
    begin = page * PAGE_SECONDS
    return [
        Reading(datetime.fromtimestamp(begin + ms / 1000, UTC), cpu, kib * 1024)
        for ms, cpu, kib in _RECORD.iter_unpack(body[:whole])
    ]


def drawn_together(readings: Sequence[Reading], most: int) -> list[Reading]:
    """At most so many readings for all of these, each of neighbours in equal number."""
    if len(readings) <= most:
        return list(readings)
    size = -(-len(readings) // most)
    return [_one(readings[first : first + size]) for first in range(0, len(readings), size)]


def _one(readings: Sequence[Reading]) -> Reading:
    return Reading(
        readings[-1].at,
        round(sum(r.cpu_millis for r in readings) / len(readings)),
        max(r.memory_bytes for r in readings),
    )
