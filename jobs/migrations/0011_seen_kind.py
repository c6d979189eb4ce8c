"""Marks by what was seen of a name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0010_saved_views")]

    operations = [
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
