"""Keeping no more of a log than its head and its tail: a window over what comes last, of
which the oldest chunks are deleted while the log grows.

The tail of a running attempt stays in the table (`archive_log` takes its head only), so
that nothing stored elsewhere has to be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic

from django.db.models import F

from jobs.log.left_out import LeftOut
from jobs.log.store import NOTE_CHARACTERS, Append
from jobs.models import Attempt, LogChunk
from projects.models import InstanceSettings

HEED_SECONDS = 2.0
SLACK = 16
"""A log is cut back when this part of the limit is there too much."""


def head_bytes(limit: int) -> int:
    """How much of a log's beginning is kept; the rest of the limit is for its end."""
    return limit // 2


def log_limit() -> int:
    """How much is kept of one attempt's output, by this instance's settings."""
    return InstanceSettings.objects.values_list("log_limit_bytes", flat=True).get(pk=1)


class HeededLimit:
    """The limit for whoever writes logs all the time: read anew every few seconds, so that a
    change of the settings is heeded also by what runs, at no cost."""

    def __init__(self) -> None:
        self._limit, self._read_at = 0, -inf

    def now(self) -> int:
        """The limit as it was at most HEED_SECONDS ago."""
        if monotonic() >= self._read_at + HEED_SECONDS:
            self._limit, self._read_at = log_limit(), monotonic()
        return self._limit


def trim_all(appends: Sequence[Append], limit: int) -> None:
    """Cut back the logs that these have made too long, inside the caller's transaction."""
    for append in appends:
        if append.after.stdout_bytes + append.after.stderr_bytes > limit + limit // SLACK:
            trim(append.attempt, limit)


def trim(attempt_id: int, limit: int) -> LeftOut | None:
    """Leave out the middle of a log, if it is too long; what is left out now.

    Belongs into a transaction that holds the attempt's row.
    """
    attempt = Attempt.objects.only(
        "log_archived_seq", "log_left_out", "log_stdout_bytes", "log_stderr_bytes"
    ).get(pk=attempt_id)
    before = LeftOut.stored(attempt.log_left_out)
    total = attempt.log_stdout_bytes + attempt.log_stderr_bytes
    if total - (before.size if before else 0) <= limit + limit // SLACK:
        return before
    done = max(attempt.log_archived_seq, before.last_seq if before else 0)
    chunks = (
        LogChunk.objects.filter(attempt_id=attempt_id, seq__gt=done)
        .annotate(offset=F("stdout_offset") + F("stderr_offset"))
        .values_list("seq", "first_line", "offset", named=True)
    )
    # What is left out stays one stretch, also when the limit was raised since: it goes on
    # where it ended, however much of a head would be kept now.
    rest = chunks if before else chunks.filter(offset__gte=head_bytes(limit))
    first = rest.order_by("seq").first()
    tail = total - (limit - head_bytes(limit))
    kept = chunks.filter(offset__lte=tail).order_by("-seq").first()
    if first is None or kept is None or kept.seq <= first.seq:
        return before
    left_out = LeftOut(
        first_seq=before.first_seq if before else first.seq,
        last_seq=kept.seq - 1,
        first_line=before.first_line if before else first.first_line,
        next_line=kept.first_line,
        offset=before.offset if before else first.offset,
        next_offset=kept.offset,
    )
    LogChunk.objects.filter(
        attempt_id=attempt_id, seq__gte=first.seq, seq__lte=left_out.last_seq
    ).delete()
    Attempt.objects.filter(pk=attempt_id).update(
        log_left_out=left_out.entry(),
        log_complete=False,
        log_note=left_out.words[:NOTE_CHARACTERS],
    )
    return left_out
