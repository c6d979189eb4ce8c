"""What belongs to an attempt is not looked for again when the attempt is deleted.

Chunks of logs and pages of readings are deleted with it, in one statement; the database then
looked for more of each attempt in both tables, a quarter of the time that a deletion takes.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0016_fewer_index_writes"),
    ]

    operations = [
        # In the order in which the engine's writes lock them, or the two could wait in a circle.
        migrations.RunSQL(
            "LOCK TABLE jobs_attempt, jobs_logchunk, jobs_statpage IN ACCESS EXCLUSIVE MODE",
            migrations.RunSQL.noop,
        ),
        *(
            migrations.AlterField(
                model_name=model,
                name="attempt",
                field=models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name=name,
                    to="jobs.attempt",
                ),
            )
            for model, name in (("logchunk", "log_chunks"), ("statpage", "stat_pages"))
        ),
    ]
