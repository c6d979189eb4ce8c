"""Jobs, their attempts and their logs: fields, constraints, indexes; no behaviour.

State columns (`Job.state`, `reason`, `Attempt.phase`, `outcome`, …) are written by
`jobs/transitions.py` alone; a test looks for other writers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.name_words import NameWords
from jobs.personal_models import SavedView as SavedView
from jobs.personal_models import Seen as Seen
from jobs.queue_models import QueueClass
from jobs.states import TERMINAL, JobState, Outcome, Phase
from projects.models import Project
from providers.models import Provider

_TERMINAL = sorted(TERMINAL)


def _whether(condition: Q) -> models.GeneratedField:
    flag = models.BooleanField()
    told = models.ExpressionWrapper(condition, output_field=flag)
    return models.GeneratedField(expression=told, output_field=flag, db_persist=True)


class Job(models.Model):
    """One submitted piece of work: an immutable spec and a stored state.

    What the planner and the lists need of the spec stands in columns of its own, written
    once at submission; `priority` may be changed while it waits. `reason` is how it ended, or
    its own part of why it waits: what the planner says of it and its like is its
    `queue_class`'s, and `told` tells the two together. A pending job is in line unless it is
    held or `not_before`, when a retry is due, is set. `queued_at` is when the present wait
    began, `queue_until` when it is too long.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="jobs", db_index=False)
    name = models.CharField(max_length=120)
    spec = models.JSONField()
    secrets = models.BinaryField(null=True, editable=False)
    labels = models.JSONField(default=dict)
    image = models.CharField(max_length=512)
    priority = models.SmallIntegerField(default=50)
    cpu_millis = models.PositiveIntegerField()
    memory_mb = models.PositiveIntegerField()
    gpus = models.PositiveIntegerField(default=0)
    queue_timeout_seconds = models.PositiveIntegerField(null=True)
    concurrency_key = models.CharField(max_length=120, db_default="", default="", blank=True)
    # Indexed by job_in_line; jobs that have ended may name a class that is gone.
    queue_class = models.ForeignKey(
        QueueClass,
        models.DO_NOTHING,
        null=True,
        related_name="jobs",
        db_index=False,
        db_constraint=False,
    )

    state = models.CharField(max_length=12, default=JobState.PENDING)
    reason = models.CharField(max_length=40, default="queued")
    reason_detail = models.JSONField(default=dict)
    held = models.BooleanField(default=False)
    exit_code = models.IntegerField(null=True)
    provider = models.ForeignKey(
        Provider, models.SET_NULL, null=True, related_name="jobs", db_index=False
    )
    attempt = models.PositiveIntegerField(default=0)
    charged = models.PositiveIntegerField(default=0)
    rev = models.BigIntegerField(default=1)

    created_at = models.DateTimeField(db_default=Now())
    queued_at = models.DateTimeField(db_default=Now())
    queue_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    run_seconds = models.FloatField(null=True)
    """How long its last run took by its engine's clock; null until it has ended, and where that is
    not known. The times around it are those at which Gantry was told."""
    cancel_requested_at = models.DateTimeField(null=True)
    cancel_requested_by = models.CharField(max_length=150, default="")

    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,  # job_by_submitter
    )
    submitted_via = models.CharField(max_length=16, default="")
    rerun_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="reruns"
    )
    idempotency_key = models.CharField(max_length=255, null=True)
    idempotency_digest = models.BinaryField(max_length=32, null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=sorted(JobState)), name="job_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=_TERMINAL, finished_at__isnull=False)
                | (~Q(state__in=_TERMINAL) & Q(finished_at__isnull=True)),
                name="job_finished_when_terminal",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["scheduled", "running"]) | Q(provider__isnull=False),
                name="job_active_has_provider",
            ),
            models.CheckConstraint(
                condition=Q(priority__gte=0, priority__lte=100), name="job_priority_0_100"
            ),
            models.UniqueConstraint(
                fields=["submitted_by", "idempotency_key"],
                name="job_idempotency_once",
                condition=Q(idempotency_key__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                F("priority").desc(), "id", name="job_queue", condition=Q(state="pending")
            ),
            # the line of each class: what the planner reads
            models.Index(
                fields=["queue_class", "queued_at", "id"],
                name="job_in_line",
                condition=Q(state="pending", held=False, not_before__isnull=True),
            ),
            models.Index(
                fields=["-priority", "id"], name="job_held", condition=Q(state="pending", held=True)
            ),
            # retries that come due, waits that become too long: looked at each second
            models.Index(
                fields=["not_before"],
                name="job_due",
                condition=Q(state="pending", not_before__isnull=False),
            ),
            models.Index(
                fields=["queue_until"],
                name="job_queue_until",
                condition=Q(state="pending", queue_until__isnull=False),
            ),
            models.Index(
                fields=["id"],
                name="job_classless",
                condition=Q(state="pending", queue_class__isnull=True),
            ),
            # a concurrency key's jobs that run or wait
            models.Index(
                fields=["project", "concurrency_key", "state"],
                name="job_by_key",
                condition=Q(state__in=["pending", "scheduled", "running"]) & ~Q(concurrency_key=""),
            ),
            models.Index(
                fields=["id"],
                name="job_cancel_wanted",
                condition=Q(cancel_requested_at__isnull=False, state__in=["scheduled", "running"]),
            ),
            models.Index(fields=["project", "-id"], name="job_by_project"),
            models.Index(fields=["state", "-id"], name="job_by_state"),
            models.Index(fields=["project", "state", "-id"], name="job_by_project_state"),
            models.Index(fields=["provider", "-id"], name="job_by_provider"),
            models.Index(fields=["submitted_by", "-id"], name="job_by_submitter"),
            # the last runs of a name in its project
            models.Index(fields=["project", "name", "-id"], name="job_by_project_name"),
            # name search by prefix
            models.Index(
                fields=["name", "-id"],
                name="job_by_name",
                opclasses=["varchar_pattern_ops", "int8_ops"],
            ),
            # name search by whole words (jobs/filters.py)
            GinIndex(NameWords(F("name")), name="job_by_word"),
            # labels by key, or by key and value
            GinIndex(fields=["labels"], name="job_by_labels"),
            # and, for counts by the hour (jobs/day.py), what they are of
            models.Index(
                fields=["-created_at"],
                include=["state", "project", "submitted_by"],
                name="job_by_time",
            ),
            models.Index(fields=["-finished_at"], name="job_failed", condition=Q(state="failed")),
            models.Index(
                fields=["finished_at"],
                name="job_finished",
                condition=Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"

    @property
    def in_line(self) -> bool:
        """Whether it may be placed now: it waits, neither held nor for a retry."""
        return self.state == JobState.PENDING and not self.held and self.not_before is None

    @property
    def told(self) -> tuple[str, Mapping[str, Any]]:
        """Why it waits, or how it ended: a code of jobs/reasons.py and its numbers."""
        kind = self.queue_class if self.in_line else None
        told = kind if kind is not None and kind.reason != "queued" else self
        return told.reason, told.reason_detail


class Attempt(models.Model):
    """One try of a job on one provider. Its program starts at most once.

    `handle` is the driver's own JSON. Times ending in `_at` are stamped by the database's
    clock except `started_at` and `finished_at`, which are the engine's. `not_seen_since`
    is set while its provider cannot be asked about it. What it made on the engine is `handle`,
    made before `starting_at`; `removed_at` is when its removal was confirmed, until then
    `removal_tries` counts and `removal_error` tells what came of the last try. The peaks are
    the highest readings of what it used (jobs/stat_pages.py); none where nothing was measured.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="attempts")
    term = models.BigIntegerField(default=0)
    cpu_millis = models.PositiveIntegerField()
    memory_mb = models.PositiveIntegerField()
    gpus = models.PositiveIntegerField(default=0)

    phase = models.CharField(max_length=12, default=Phase.PLACED)
    outcome = models.CharField(max_length=12, default="", blank=True)
    reason = models.CharField(max_length=40, default="", blank=True)
    reason_detail = models.JSONField(default=dict)
    exit_code = models.IntegerField(null=True)
    handle = models.JSONField(null=True)
    progress = models.JSONField(default=dict)

    placed_at = models.DateTimeField(db_default=Now())
    pulling_at = models.DateTimeField(null=True)
    creating_at = models.DateTimeField(null=True)
    starting_at = models.DateTimeField(null=True)
    fencing_at = models.DateTimeField(null=True)
    running_at = models.DateTimeField(null=True)
    finishing_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    not_seen_since = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)
    removal_tries = models.PositiveIntegerField(db_default=0)
    removal_error = models.CharField(max_length=255, db_default="", blank=True)

    cpu_peak_millis = models.PositiveIntegerField(null=True)
    memory_peak_bytes = models.BigIntegerField(null=True)
    memory_peak_at = models.DateTimeField(null=True)

    log_complete = models.BooleanField(null=True)
    log_note = models.CharField(max_length=255, default="", blank=True)
    log_seq = models.BigIntegerField(default=0)
    log_lines = models.BigIntegerField(default=0)
    log_stdout_bytes = models.BigIntegerField(default=0)
    log_stderr_bytes = models.BigIntegerField(default=0)
    log_cursor = models.JSONField(null=True)
    log_archived_seq = models.BigIntegerField(default=0)
    log_archive = models.JSONField(default=list)
    log_left_out = models.JSONField(null=True)

    # Of each move and each chunk of a log: whatever an index is by costs it every index again.
    to_remove = _whether(Q(phase="ended", removed_at__isnull=True, handle__isnull=False))
    to_archive = _whether(Q(phase="ended", log_seq__gt=F("log_archived_seq")))

    class Meta:
        ordering = ["job_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="attempt_number_once"),
            models.UniqueConstraint(
                fields=["job"], name="attempt_one_live_per_job", condition=Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(phase__in=sorted(Phase)), name="attempt_phase_known"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["", *sorted(Outcome)]), name="attempt_outcome_known"
            ),
            models.CheckConstraint(
                condition=(Q(phase="ended") & ~Q(outcome="") & Q(ended_at__isnull=False))
                | (~Q(phase="ended") & Q(outcome="") & Q(ended_at__isnull=True)),
                name="attempt_ended_has_outcome",
            ),
        ]
        indexes = [
            # what a provider is running now: capacity, adoption, reconcile
            models.Index("provider", name="attempt_live", condition=Q(ended_at__isnull=True)),
            models.Index("provider", name="attempt_to_remove", condition=Q(to_remove=True)),
            models.Index("ended_at", name="attempt_to_archive", condition=Q(to_archive=True)),
            # archived logs in the order in which they may be deleted
            models.Index(
                fields=["ended_at"],
                name="attempt_log_kept",
                condition=Q(ended_at__isnull=False) & ~Q(log_archive=[]),
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.job_id} attempt {self.number}"


class LogChunk(models.Model):
    """A stretch of an attempt's output: frames as jobs/log/frames.py packs them.

    `first_line` is the number of the first line that *starts* in it, counted from 1;
    offsets are bytes of that stream before this chunk. `crc32` is over the unpacked body.
    """

    # Unchecked, like that of StatPage: both are written under their attempt's lock and deleted with
    # it (jobs/sql/delete_jobs.sql), where a look for what each left behind took a quarter.
    attempt = models.ForeignKey(
        Attempt, models.CASCADE, related_name="log_chunks", db_index=False, db_constraint=False
    )
    seq = models.BigIntegerField()
    first_line = models.BigIntegerField()
    lines = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    stdout_offset = models.BigIntegerField()
    stderr_offset = models.BigIntegerField()
    crc32 = models.BigIntegerField()
    codec = models.SmallIntegerField(default=0)
    body = models.BinaryField()

    class Meta:
        ordering = ["attempt_id", "seq"]
        constraints = [
            # a second reader fails here instead of doubling the log
            models.UniqueConstraint(fields=["attempt", "seq"], name="log_chunk_once"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="log_chunk_seq_from_1"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.attempt_id} chunk {self.seq}"


class StatPage(models.Model):
    """What an attempt used over ten minutes: readings as jobs/stat_pages.py packs them."""

    attempt = models.ForeignKey(
        Attempt, models.CASCADE, related_name="stat_pages", db_index=False, db_constraint=False
    )
    page = models.BigIntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["attempt", "page"], name="stat_page_once")]
        # retention
        indexes = [models.Index(fields=["page"], name="stat_page_by_age")]

    def __str__(self) -> str:
        return f"attempt {self.attempt_id} page {self.page}"
