"""Classes of jobs that are all one to the planner, with the history of why they waited; the
line of each; concurrency keys."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0012_job_by_project_name"),
        ("providers", "0005_groups_cost_images"),
        ("projects", "0006_shares"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WaitSpan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.CharField(max_length=40)),
                ("reason_detail", models.JSONField(default=dict)),
                (
                    "since",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="job",
            name="concurrency_key",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddField(
            model_name="job",
            name="queue_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="QueueClass",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("priority", models.SmallIntegerField()),
                ("digest", models.BinaryField(max_length=32)),
                ("demand", models.JSONField()),
                ("reason", models.CharField(default="queued", max_length=40)),
                ("reason_detail", models.JSONField(default=dict)),
                (
                    "since",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("rev", models.BigIntegerField(default=1)),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="projects.project",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="job",
            name="queue_class",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="jobs",
                to="jobs.queueclass",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(
                    ("held", False), ("not_before__isnull", True), ("state", "pending")
                ),
                fields=["queue_class", "queued_at", "id"],
                name="job_in_line",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("not_before__isnull", False), ("state", "pending")),
                fields=["not_before"],
                name="job_due",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("queue_until__isnull", False), ("state", "pending")),
                fields=["queue_until"],
                name="job_queue_until",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("queue_class__isnull", True), ("state", "pending")),
                fields=["id"],
                name="job_classless",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(
                    ("state__in", ["pending", "scheduled", "running"]),
                    models.Q(("concurrency_key", ""), _negated=True),
                ),
                fields=["project", "concurrency_key", "state"],
                name="job_by_key",
            ),
        ),
        migrations.AddField(
            model_name="waitspan",
            name="queue_class",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="spans",
                to="jobs.queueclass",
            ),
        ),
        migrations.AddIndex(
            model_name="queueclass",
            index=models.Index(
                condition=models.Q(("reason", "queued"), _negated=True),
                fields=["id"],
                name="queue_class_told",
            ),
        ),
        migrations.AddConstraint(
            model_name="queueclass",
            constraint=models.UniqueConstraint(
                fields=("project", "priority", "digest"), name="queue_class_once"
            ),
        ),
        migrations.AddIndex(
            model_name="waitspan",
            index=models.Index(fields=["queue_class", "since"], name="wait_span_by_class"),
        ),
        migrations.AddIndex(
            model_name="waitspan",
            index=models.Index(fields=["until"], name="wait_span_by_age"),
        ),
        migrations.AddConstraint(
            model_name="waitspan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("until__isnull", True)),
                fields=("queue_class",),
                name="wait_span_one_open",
            ),
        ),
        # jobs that wait already with a limit
        migrations.RunSQL(
            "UPDATE jobs_job"
            " SET queue_until = queued_at + make_interval(secs => queue_timeout_seconds)"
            " WHERE state = 'pending' AND queue_timeout_seconds IS NOT NULL",
            migrations.RunSQL.noop,
        ),
    ]
