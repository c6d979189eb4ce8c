"""A foreign key whose index another one begins with: it cost every event for nothing. In SQL, as
the migration of jobs with this name says why."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0006_shares")]

    operations = [
        migrations.RunSQL(
            "DROP INDEX projects_event_project_id_83fb4f26",
            "CREATE INDEX projects_event_project_id_83fb4f26 ON projects_event (project_id)",
            state_operations=[
                migrations.AlterField(
                    "event",
                    "project",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=models.CASCADE,
                        to="projects.project",
                    ),
                )
            ],
        )
    ]
