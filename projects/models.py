"""The ground floor: tenants, who belongs to them, their tokens, and what happened."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Project(models.Model):
    """A tenant: owns jobs, members and tokens, and has its share of the instance.

    `weight` counts in the fair turn: a project of 200 gets twice what one of 100 gets. The
    limits bound what it runs at once (thousandths of a core, MiB), how many of its jobs may
    wait, and how many it may submit in a minute; none bounds nothing. While `paused_at` is
    set nothing of it is started.
    """

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now())
    weight = models.PositiveIntegerField(default=100, db_default=100)
    max_running = models.PositiveIntegerField(null=True, blank=True)
    max_cpu_millis = models.PositiveIntegerField(null=True, blank=True)
    max_memory_mb = models.PositiveIntegerField(null=True, blank=True)
    max_gpus = models.PositiveIntegerField(null=True, blank=True)
    max_queued = models.PositiveIntegerField(null=True, blank=True)
    submits_per_minute = models.PositiveIntegerField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_by = models.CharField(max_length=150, default="", db_default="", editable=False)
    pause_note = models.CharField(max_length=200, default="", db_default="", blank=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(weight__gte=1, weight__lte=10_000), name="project_weight_1_10000"
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class Role(models.TextChoices):
    """What a member may do; each role includes the ones before it."""

    VIEWER = "viewer", "Viewer: sees jobs and logs"
    SUBMITTER = "submitter", "Submitter: also submits and cancels jobs"
    ADMIN = "admin", "Admin: also manages members"


class Membership(models.Model):
    """A person's role in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.SUBMITTER)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}: {self.role}"


class ApiToken(models.Model):
    """A key for scripts: acts as its user. Only its SHA-256 is kept; it is shown once."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=8, editable=False, help_text="Its last characters.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.hint})"


class PreferenceRow(models.Model):
    """What one person has chosen of the ways pages can be (projects/preferences.py)."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="preference_row",
    )
    chosen = models.JSONField(default=dict)

    class Meta:
        verbose_name = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"


class ActorKind(models.TextChoices):
    """Who caused an event."""

    USER = "user"
    TOKEN = "token"
    SCHEDULER = "scheduler"
    HOST = "host"
    SYSTEM = "system"


class Event(models.Model):
    """What changed, from, to, why, by whom, through what. Append-only.

    Ids become visible out of order, so feeds read by `xid` (docs/concepts.md, "Feeds").
    """

    subject_kind = models.CharField(max_length=16)
    subject_id = models.BigIntegerField()
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, db_index=False
    )
    at = models.DateTimeField(db_default=Now())
    type = models.CharField(max_length=40)
    source = models.CharField(max_length=24, default="", db_column="from_state")
    target = models.CharField(max_length=24, default="", db_column="to_state")
    reason = models.CharField(max_length=40, default="")
    detail = models.JSONField(default=dict)
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField(max_length=150, default="")
    via = models.CharField(max_length=16, default="", help_text="web, api, admin, cli or engine")
    request_id = models.CharField(max_length=40, default="")

    class Meta:
        ordering = ["id"]
        indexes = [
            # the events of one job, provider, … in order
            models.Index(fields=["subject_kind", "subject_id", "id"], name="event_by_subject"),
            # a project's activity, newest first
            models.Index(fields=["project", "-id"], name="event_by_project"),
            # what one person did, newest first
            models.Index(
                fields=["actor_name", "project", "-id"],
                name="event_by_person",
                condition=Q(actor_kind__in=["token", "user"]),
            ),
            # what came into the queue and what left it, by time: counted from the index alone
            models.Index(
                fields=["at"],
                name="event_queue_moves",
                include=["type", "project"],
                condition=Q(
                    type__in=["job.placed", "job.requeued", "job.retried", "job.submitted"]
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject_kind} {self.subject_id}"


LEAST_PATIENCE = 60
"""The shortest patience of an instance, in seconds."""
MOST_DAYS = 36_500
"""The longest that jobs and logs are kept: a time much longer ago is none that a date can say."""
LEAST_LOG_BYTES = 2**20
"""The least that is kept of an attempt's output: with nothing all of what runs would be lost."""


class InstanceSettings(models.Model):
    """What is true of the whole instance; one row, made by the first migration."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    instance_id = models.UUIDField(default=uuid.uuid4)
    # Not at once: the engine process of one that was ended by hand may still write what it has.
    job_retention_days = models.PositiveIntegerField(
        default=90, validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)]
    )
    log_retention_days = models.PositiveIntegerField(
        default=30, validators=[MaxValueValidator(MOST_DAYS)]
    )
    patience_seconds = models.PositiveIntegerField(
        default=6 * 3600,
        db_default=6 * 3600,
        help_text="Seconds after which a waiting job is the next of all, whatever its priority.",
    )
    log_limit_bytes = models.BigIntegerField(
        default=128 * 2**20,
        validators=[MinValueValidator(LEAST_LOG_BYTES)],
        help_text="Most bytes kept of one attempt's output.",
    )

    class Meta:
        verbose_name_plural = "instance settings"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="instance_settings_one_row"),
            models.CheckConstraint(
                condition=Q(patience_seconds__gte=LEAST_PATIENCE),
                name="instance_settings_patience",
            ),
            models.CheckConstraint(
                condition=Q(
                    job_retention_days__range=(1, MOST_DAYS),
                    log_retention_days__range=(0, MOST_DAYS),
                    log_limit_bytes__gt=0,
                ),
                name="instance_settings_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"instance {self.instance_id}"
