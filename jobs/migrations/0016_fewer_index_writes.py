"""Less to write for each move and each chunk of a log.

An update that changes no column of any index, and finds room on its page, writes no index at all.
Attempts are indexed by what changes at their end now; pages of both tables keep room. Adding the
generated columns writes the table of attempts anew, twice: some seconds for a million.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0015_no_index_twice"),
        ("providers", "0005_groups_cost_images"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE jobs_job SET (fillfactor = 70);"
            " ALTER TABLE jobs_attempt SET (fillfactor = 70)",
            "ALTER TABLE jobs_job RESET (fillfactor); ALTER TABLE jobs_attempt RESET (fillfactor)",
        ),
        migrations.RemoveConstraint(
            model_name="attempt",
            name="attempt_one_live_per_job",
        ),
        migrations.RemoveIndex(
            model_name="attempt",
            name="attempt_live",
        ),
        migrations.RemoveIndex(
            model_name="attempt",
            name="attempt_placed",
        ),
        migrations.RemoveIndex(
            model_name="attempt",
            name="attempt_to_remove",
        ),
        migrations.RemoveIndex(
            model_name="attempt",
            name="attempt_to_archive",
        ),
        migrations.RemoveIndex(
            model_name="attempt",
            name="attempt_log_kept",
        ),
        migrations.AddField(
            model_name="attempt",
            name="to_archive",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.ExpressionWrapper(
                    models.Q(("log_seq__gt", models.F("log_archived_seq")), ("phase", "ended")),
                    output_field=models.BooleanField(),
                ),
                output_field=models.BooleanField(),
            ),
        ),
        migrations.AddField(
            model_name="attempt",
            name="to_remove",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.ExpressionWrapper(
                    models.Q(
                        ("handle__isnull", False), ("phase", "ended"), ("removed_at__isnull", True)
                    ),
                    output_field=models.BooleanField(),
                ),
                output_field=models.BooleanField(),
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("provider"),
                condition=models.Q(("ended_at__isnull", True)),
                name="attempt_live",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("provider"),
                condition=models.Q(("to_remove", True)),
                name="attempt_to_remove",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("ended_at"),
                condition=models.Q(("to_archive", True)),
                name="attempt_to_archive",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(
                    ("ended_at__isnull", False), models.Q(("log_archive", []), _negated=True)
                ),
                fields=["ended_at"],
                name="attempt_log_kept",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("job",),
                name="attempt_one_live_per_job",
            ),
        ),
    ]
