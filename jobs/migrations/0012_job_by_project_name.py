"""The last runs of a name in its project, newest first, along an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0011_seen_kind")]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["project", "name", "-id"], name="job_by_project_name"),
        ),
    ]
