"""The held jobs, by priority: counted and listed apart from the line."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0013_queue_classes")]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                fields=["-priority", "id"],
                condition=models.Q(("held", True), ("state", "pending")),
                name="job_held",
            ),
        ),
    ]
