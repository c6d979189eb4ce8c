"""Deleting what has been kept long enough: logs first, later the jobs themselves.

Stored blocks go before the rows that point to them, so that whoever dies in between
leaves something to do again, and never an object that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from django.core.files.storage import Storage, default_storage
from django.db import transaction
from django.db.models import Exists, F, OuterRef

from jobs.log.archive import log_folder
from jobs.models import Attempt, Job, LogChunk, StatPage
from jobs.queue_models import QueueClass, WaitSpan
from jobs.sql import fetch
from jobs.stat_pages import page_of
from jobs.states import ACTIVE, JobState
from projects.actor import SYSTEM
from projects.events import Happening, record
from projects.prepared import PreparedQuery

_ARCHIVED = PreparedQuery(
    lambda jobs: Attempt.objects.only("job_id", "number").filter(
        job__any=jobs, log_archived_seq__gt=0
    )
)


def delete_logs(
    before: datetime, note: str, *, limit: int, storage: Storage = default_storage
) -> int:
    """Deletes up to `limit` logs of attempts that ended before then; says how many.

    The attempts stay, with `log_complete` false and `note` as the reason.
    """
    ended = Attempt.objects.filter(ended_at__lt=before)
    archived = ended.exclude(log_archive=[])
    standing = ended.filter(to_archive=True)
    count = 0
    for old in (archived, standing):
        for attempt in old.order_by("ended_at").only("job_id", "number")[: limit - count]:
            _delete_blocks(attempt.job_id, attempt.number, storage)
            with transaction.atomic():
                LogChunk.objects.filter(attempt_id=attempt.pk).delete()
                Attempt.objects.filter(pk=attempt.pk).update(
                    log_archive=[],
                    log_archived_seq=F("log_seq"),
                    log_complete=False,
                    log_note=note,
                )
            count += 1
    return count


def delete_stats(before: datetime, *, limit: int) -> int:
    """Deletes up to `limit` pages of what attempts used that ended before then; says how many.
    Their peaks stay."""
    old = StatPage.objects.filter(page__lt=page_of(before), attempt__ended_at__lt=before)
    pages = list(old.order_by("page").values_list("pk", flat=True)[:limit])
    StatPage.objects.filter(pk__in=pages).delete()
    return len(pages)


class Deleted(NamedTuple):
    """How many jobs, and when the last of them had finished."""

    jobs: int
    until: datetime | None


def delete_jobs(
    before: datetime,
    *,
    limit: int,
    since: datetime | None = None,
    storage: Storage = default_storage,
) -> Deleted:
    """Deletes up to `limit` jobs that finished before then, the first first, with all that is
    theirs. One event per call records it.

    `since`: none that finished earlier is left. Without it the deleted ones are passed over
    again, which stay in the index until the table is vacuumed.
    """
    old = Job.objects.filter(finished_at__lt=before).order_by("finished_at")
    if since is not None:
        old = old.filter(finished_at__gte=since)
    found = list(old.values_list("pk", "finished_at")[:limit])
    if not found:
        return Deleted(0, since)
    jobs = [pk for pk, _ in found]
    _delete_all_blocks(jobs, storage)
    with transaction.atomic():
        fetch("delete_jobs", {"jobs": jobs})
        detail = {"jobs": len(jobs), "finished_before": before.isoformat()}
        record([Happening("instance", 1, "retention.deleted", detail=detail)], SYSTEM)
    return Deleted(len(jobs), found[-1][1])


def delete_classes(before: datetime, *, limit: int) -> int:
    """Deletes up to `limit` classes of the queue that were told their last reason before then
    and of which no job waits or runs, with their history; says how many.

    A job that runs may wait again. Classes are locked before it is asked for the last time
    whether anything needs them: who submits keeps theirs from being locked
    (jobs/sql/queue_classes.sql), so no job ever waits in one that is gone.
    """
    needing = Job.objects.filter(queue_class=OuterRef("pk"), state__in=[JobState.PENDING, *ACTIVE])
    idle = QueueClass.objects.filter(~Exists(needing))
    with transaction.atomic():
        old = idle.filter(since__lt=before).order_by("since").select_for_update(skip_locked=True)
        locked = list(old.values_list("pk", flat=True)[:limit])
        gone = list(idle.filter(pk__in=locked).values_list("pk", flat=True))
        QueueClass.objects.filter(pk__in=gone).delete()
    return len(gone)


def delete_spans(before: datetime, *, limit: int) -> int:
    """Deletes up to `limit` reasons to wait that were over before then; says how many."""
    old = WaitSpan.objects.filter(until__lt=before).order_by("until")
    spans = list(old.values_list("pk", flat=True)[:limit])
    WaitSpan.objects.filter(pk__in=spans).delete()
    return len(spans)


def _delete_all_blocks(jobs: Sequence[int], storage: Storage) -> None:
    for attempt in _ARCHIVED.fetch(jobs):
        _delete_blocks(attempt.job_id, attempt.number, storage)


def _delete_blocks(job: int, number: int, storage: Storage) -> None:
    """Deletes everything in the attempt's folder, orphans of interrupted tries included."""
    folder = log_folder(job, number)
    try:
        _, names = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        storage.delete(f"{folder}/{name}")
    # On a disk the empty folders go too; the job's stays while other attempts are in it.
    with suppress(OSError):
        storage.delete(folder)
        storage.delete(folder.rpartition("/")[0])
