"""The jobs of a day are counted from one index, which tells of what state and whose they are."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0017_unchecked_parts"),
        ("projects", "0008_kept_for_a_day"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="job", name="job_by_time"),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                fields=["-created_at"],
                include=("state", "project", "submitted_by"),
                name="job_by_time",
            ),
        ),
    ]
