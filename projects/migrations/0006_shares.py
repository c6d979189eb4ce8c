"""Each project's share of the instance: its weight, its limits, its pause; and how long a job
waits at most before it is the next of all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0005_settle_feed"),
    ]

    operations = [
        migrations.AddField(
            model_name="instancesettings",
            name="patience_seconds",
            field=models.PositiveIntegerField(
                db_default=21600,
                default=21600,
                help_text="Seconds after which a waiting job is the next of all, whatever its priority.",
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="max_cpu_millis",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="max_gpus",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="max_memory_mb",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="max_queued",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="max_running",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="pause_note",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            model_name="project",
            name="paused_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="paused_by",
            field=models.CharField(db_default="", default="", editable=False, max_length=150),
        ),
        migrations.AddField(
            model_name="project",
            name="submits_per_minute",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="weight",
            field=models.PositiveIntegerField(db_default=100, default=100),
        ),
        migrations.AddConstraint(
            model_name="instancesettings",
            constraint=models.CheckConstraint(
                condition=models.Q(("patience_seconds__gte", 60)), name="instance_settings_patience"
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(("weight__gte", 1), ("weight__lte", 10000)),
                name="project_weight_1_10000",
            ),
        ),
    ]
