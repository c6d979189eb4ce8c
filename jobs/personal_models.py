"""What a person keeps about jobs: what they have seen, and the lists that they gave a name."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from projects.models import Project


class Seen(models.Model):
    """Until when a person has seen what went wrong (jobs/seen.py): of everything where
    `project` is empty, else what is of that kind with the jobs of that name in it, or its pause."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="+")
    name = models.CharField(max_length=120, default="")
    kind = models.CharField(max_length=12, db_default="", default="")
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "project", "name", "kind"], name="seen_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.name} {self.until}"


class SavedView(models.Model):
    """A list of jobs that its owner gave a name: a query as jobs/query.py reads it, in an order
    of jobs/sorts.py. The default is what the page of jobs opens with."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="job_views", db_index=False
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)
    sort = models.CharField(max_length=16, default="newest")
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_once"),
            models.UniqueConstraint(
                fields=["owner"], name="saved_view_one_default", condition=Q(is_default=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name
