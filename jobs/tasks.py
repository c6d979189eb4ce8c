"""Housekeeping of jobs, run by django-q2: may run late, twice, or be cut short.

Each works in batches until it is done or its time is up, says one line when it did
something, and returns that line as its result.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Length
from django.utils import timezone

from jobs.log.archive import Moved, archive_log
from jobs.measured import last_readings, measured_on
from jobs.models import Attempt, LogChunk
from jobs.queue_classes import forget_lost_classes
from jobs.retention import delete_classes, delete_jobs, delete_logs, delete_spans, delete_stats
from jobs.states import STARTED_PHASES
from projects.selectors import instance_settings
from providers.history import Usage, record_samples

log = logging.getLogger("gantry.housekeeping")

SECONDS = 120
"""How long one run may go on; well below the cluster's timeout."""
BATCH = 200
JOBS_BATCH = 2000
"""Jobs deleted in one transaction: about a tenth of a second."""
IDLE_CLASS = timedelta(days=7)
"""So long a class of the queue that no job needs is kept after its last reason began."""
STANDING_BYTES = 16 * 2**20
"""A running attempt's log is archived when more than this stands in the table …"""
STANDING_CHUNKS = 4096
"""… or more than so many chunks, which a slow trickle fills without many bytes."""
_CHUNKS_OF_STANDING_BYTES = STANDING_BYTES // (64 * 1024)


def archive_logs() -> str:
    """Archives the logs of ended attempts, and of running ones that have written much."""
    deadline = time.monotonic() + SECONDS
    moved, attempts, failures = Moved(), 0, []
    for attempt_id in (*_long_logs(), *_ended()):
        if time.monotonic() > deadline:
            break
        try:
            step = archive_log(attempt_id)
        except Attempt.DoesNotExist:
            continue
        except Exception as error:  # one log that cannot be moved must not hold up the rest
            failures.append(f"attempt {attempt_id}: {error}")
            continue
        attempts += bool(step.blocks)
        moved += step
    if failures:
        log.warning("%d logs could not be archived; first: %s", len(failures), failures[0])
    if not attempts:
        return ""
    return _say(f"archived {attempts} logs: {moved.blocks} blocks, {moved.size / 2**20:.1f} MiB")


def keep_retention() -> str:
    """Deletes logs, with what attempts used, and jobs that are older than the instance keeps,
    with the reasons for which jobs waited in that time; and the queue's classes once idle."""
    kept, now = instance_settings(), timezone.now()
    logs_before = now - timedelta(days=kept.log_retention_days)
    jobs_before = now - timedelta(days=kept.job_retention_days)
    note = f"Deleted after {kept.log_retention_days} days."
    deadline = time.monotonic() + SECONDS
    logs = jobs = 0
    since = None
    while time.monotonic() < deadline:
        # Jobs first: their logs and readings go with them, and need not go one by one.
        gone_jobs, since = delete_jobs(jobs_before, limit=JOBS_BATCH, since=since)
        jobs += gone_jobs
        if gone_jobs == JOBS_BATCH:
            continue
        gone_logs = delete_logs(logs_before, note, limit=BATCH)
        gone_stats = delete_stats(logs_before, limit=BATCH)
        logs += gone_logs
        gone_spans = delete_spans(jobs_before, limit=BATCH)
        gone_classes = delete_classes(now - IDLE_CLASS, limit=BATCH)
        if max(gone_logs, gone_stats, gone_spans, gone_classes) < BATCH:
            break
    forget_lost_classes()
    return _say(f"deleted {logs} old logs and {jobs} old jobs") if logs or jobs else ""


def sample_providers() -> str:
    """Writes each provider's health and load of this minute into its history."""
    used = Attempt.objects.filter(ended_at=None).values("provider_id")
    loads = used.annotate(cpu=Sum("cpu_millis"), memory=Sum("memory_mb"), running=Count("id"))
    rows = list(loads.order_by())
    now = timezone.now()
    measured = measured_on(last_readings([row["provider_id"] for row in rows], now))
    usage = {}
    for row in rows:
        taken = measured.get(row["provider_id"])
        usage[row["provider_id"]] = Usage(
            row["cpu"],
            row["memory"],
            row["running"],
            taken.cpu_millis if taken else None,
            round(taken.memory_mb) if taken else None,
        )
    record_samples(usage)
    return ""


def _ended() -> Iterator[int]:
    """The ended attempts with something to archive, the longest waiting first."""
    rest = done = Attempt.objects.filter(to_archive=True)
    while page := list(rest.order_by("ended_at", "pk").values_list("ended_at", "pk")[:BATCH]):
        yield from (pk for _, pk in page)
        ended_at, pk = page[-1]
        rest = done.filter(Q(ended_at__gt=ended_at) | Q(ended_at=ended_at, pk__gt=pk))


def _long_logs() -> list[int]:
    """The running attempts of which too much stands in the table."""
    # A chunk is at most 64 KiB, so this many chunks are the least that can be too much.
    candidates = Attempt.objects.filter(
        ended_at=None,  # by the index of live attempts
        phase__in=STARTED_PHASES,
        log_seq__gt=F("log_archived_seq") + _CHUNKS_OF_STANDING_BYTES,
    ).values_list("pk", flat=True)
    sizes = (
        LogChunk.objects.filter(attempt_id__in=list(candidates))
        .values_list("attempt_id")
        .annotate(chunks=Count("id"), size=Sum(Length("body")))
        .order_by()
    )
    return [
        attempt_id
        for attempt_id, chunks, size in sizes
        if size > STANDING_BYTES or chunks > STANDING_CHUNKS
    ]


def _say(line: str) -> str:
    log.info(line)
    return line
