"""django-q2's schedules and queue in the admin, to be looked at.

A schedule names any function of Python, so whoever could write one could run anything; the
declared list in orchestrator/schedules.py is the only source.
"""

from __future__ import annotations

import django_q.admin  # noqa: F401  # registers its own pages, two of which are replaced here
from django.contrib import admin
from django_q.models import OrmQ, Schedule

from projects.admin_base import ReadOnlyAdmin

admin.site.unregister([Schedule, OrmQ])


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """What qcluster does, how often, and when next."""

    list_display = ["name", "func", "minutes", "next_run"]
    ordering = ["name"]
    fields = ["name", "func", "minutes", "next_run"]


@admin.register(OrmQ)
class QueueAdmin(ReadOnlyAdmin):
    """What waits for qcluster now."""

    list_display = ["id", "key", "lock"]
    fields = ["key", "lock"]
