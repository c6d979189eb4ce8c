"""Jobs and logs are kept for so long as a date can say, and of an output something is kept."""

import django.core.validators
from django.db import migrations, models

MEND = """
UPDATE projects_instancesettings
SET job_retention_days = LEAST(GREATEST(job_retention_days, 1), 36500),
    log_retention_days = LEAST(log_retention_days, 36500),
    log_limit_bytes = GREATEST(log_limit_bytes, 1048576)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0008_kept_for_a_day"),
    ]

    operations = [
        migrations.RunSQL(MEND, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="instancesettings",
            name="job_retention_days",
            field=models.PositiveIntegerField(
                default=90,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(36500),
                ],
            ),
        ),
        migrations.AlterField(
            model_name="instancesettings",
            name="log_retention_days",
            field=models.PositiveIntegerField(
                default=30, validators=[django.core.validators.MaxValueValidator(36500)]
            ),
        ),
        migrations.AlterField(
            model_name="instancesettings",
            name="log_limit_bytes",
            field=models.BigIntegerField(
                default=134217728,
                help_text="Most bytes kept of one attempt's output.",
                validators=[django.core.validators.MinValueValidator(1048576)],
            ),
        ),
        migrations.AddConstraint(
            model_name="instancesettings",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("job_retention_days__range", (1, 36500)),
                    ("log_limit_bytes__gt", 0),
                    ("log_retention_days__range", (0, 36500)),
                ),
                name="instance_settings_kept",
            ),
        ),
    ]
