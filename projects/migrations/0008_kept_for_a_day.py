"""Jobs are kept for a day at least; the column stays as it is."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0007_no_index_twice"),
    ]

    operations = [
        migrations.AlterField(
            model_name="instancesettings",
            name="job_retention_days",
            field=models.PositiveIntegerField(
                default=90, validators=[django.core.validators.MinValueValidator(1)]
            ),
        ),
    ]
