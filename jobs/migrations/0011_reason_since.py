"""Since when a job waits for its reason, and marks by what was seen of a name.

A wait from before has its reason since now: it is told once more rather than never.
"""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("jobs", "0010_saved_views")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="reason_since",
            field=models.DateTimeField(db_default=Now()),
        ),
        migrations.AddField(
            model_name="seen",
            name="kind",
            field=models.CharField(db_default="", default="", max_length=12),
        ),
        # Most marks of a name were of a failure; what is in trouble now is told once more.
        migrations.RunSQL(
            sql="UPDATE jobs_seen SET kind = 'failed' WHERE project_id IS NOT NULL",
            reverse_sql=migrations.RunSQL.noop,
        ),
        migrations.RemoveConstraint(model_name="seen", name="seen_once"),
        migrations.AddConstraint(
            model_name="seen",
            constraint=models.UniqueConstraint(
                fields=["user", "project", "name", "kind"],
                name="seen_once",
                nulls_distinct=False,
            ),
        ),
    ]
