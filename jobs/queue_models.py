"""The rows of the queue: classes of jobs that are one to the planner, and why they have waited."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from projects.models import Project


class QueueClass(models.Model):
    """Jobs that are all one to the planner but for when they came: of one project, with one
    priority, asking for the same (jobs/asks.py). Why they wait is told here, once for all.

    `digest` is of `demand`; `since` is when `reason` began. Rows come with the first job that
    asks so, and housekeeping deletes those that no live job has and that were told nothing
    for long.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    priority = models.SmallIntegerField()
    digest = models.BinaryField(max_length=32, editable=False)
    demand = models.JSONField()
    reason = models.CharField(max_length=40, default="queued")
    reason_detail = models.JSONField(default=dict)
    since = models.DateTimeField(db_default=Now())
    rev = models.BigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "priority", "digest"], name="queue_class_once"
            ),
        ]
        indexes = [
            # classes that have been told something, which is over once nothing waits in them
            models.Index(fields=["id"], name="queue_class_told", condition=~Q(reason="queued")),
        ]

    def __str__(self) -> str:
        return f"class {self.pk}: {self.reason}"


class WaitSpan(models.Model):
    """A stretch of time in which the jobs of a class waited for one reason; open while it lasts."""

    queue_class = models.ForeignKey(
        QueueClass, on_delete=models.CASCADE, related_name="spans", db_index=False
    )
    reason = models.CharField(max_length=40)
    reason_detail = models.JSONField(default=dict)
    since = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue_class"], name="wait_span_one_open", condition=Q(until__isnull=True)
            ),
        ]
        indexes = [
            # the history of a class
            models.Index(fields=["queue_class", "since"], name="wait_span_by_class"),
            # retention
            models.Index(fields=["until"], name="wait_span_by_age"),
        ]

    def __str__(self) -> str:
        return f"class {self.queue_class_id}: {self.reason}"
