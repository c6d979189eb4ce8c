"""Indexes of events: what one person did, and what came into the queue and left it."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

QUEUE_MOVES = ["job.placed", "job.requeued", "job.retried", "job.submitted"]


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_ground")]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["actor_name", "project", "-id"],
                name="event_by_person",
                condition=Q(actor_kind__in=["token", "user"]),
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["at"],
                name="event_queue_moves",
                include=["type", "project"],
                condition=Q(type__in=QUEUE_MOVES),
            ),
        ),
    ]
