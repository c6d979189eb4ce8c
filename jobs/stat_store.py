"""Keeping what attempts use: written beside logs, fenced as they are, deleted with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobs.log.store import Append
from jobs.models import Attempt, StatPage
from jobs.sql import fetch
from jobs.stat_pages import MOST_BYTES, Reading, pack, page_of, unpack
from providers.leases import Fence, fenced


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading of one attempt, and the lease under which it was taken."""

    attempt: int
    fence: Fence
    reading: Reading


def keep(measured: Sequence[Measured], beside: Sequence[Append] = ()) -> set[int]:
    """Store readings and peaks inside the caller's transaction; returns the attempts that were
    written. Those whose lease is lost, or that are gone, write nothing.

    `beside`: the logs that this transaction writes next. Their rows are locked here with the
    others, because in two goes the order would be another than that of moves.
    """
    held = fenced({m.fence for m in measured} | {a.fence for a in beside})
    kept = [m for m in measured if m.fence in held]
    there = _lock({m.attempt for m in kept} | {a.attempt for a in beside}) if kept else set()
    kept = [m for m in kept if m.attempt in there]
    if not kept:
        return set()
    pages: dict[tuple[int, int], bytes] = {}
    for m in kept:
        place = (m.attempt, page_of(m.reading.at))
        pages[place] = pages.get(place, b"") + pack(m.reading)
    fetch(
        "keep_stats",
        [
            [attempt for attempt, _ in pages],
            [page for _, page in pages],
            list(pages.values()),
            MOST_BYTES,
        ],
    )
    highest = [max(same, key=lambda r: r.memory_bytes) for same in _by_attempt(kept).values()]
    fetch(
        "raise_peaks",
        [
            list(_by_attempt(kept)),
            [max(r.cpu_millis for r in same) for same in _by_attempt(kept).values()],
            [reading.memory_bytes for reading in highest],
            [reading.at for reading in highest],
        ],
    )
    return {m.attempt for m in kept}


def readings_of(attempt_id: int) -> list[Reading]:
    """All that is kept of an attempt, in the order of time."""
    pages = StatPage.objects.filter(attempt=attempt_id).order_by("page")
    found = [
        reading
        for page, body in pages.values_list("page", "body")
        for reading in unpack(page, bytes(body))
    ]
    return sorted(found, key=lambda reading: reading.at)


def _lock(attempts: Iterable[int]) -> set[int]:
    """Those of them that are there, which stay until the transaction ends."""
    rows = Attempt.objects.filter(pk__in=attempts).order_by("pk").select_for_update(no_key=True)
    return set(rows.values_list("pk", flat=True))


def _by_attempt(kept: Sequence[Measured]) -> dict[int, list[Reading]]:
    found: dict[int, list[Reading]] = {}
    for m in kept:
        found.setdefault(m.attempt, []).append(m.reading)
    return found
