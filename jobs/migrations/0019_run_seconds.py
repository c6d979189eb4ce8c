"""How long a job ran is kept with it, as its engine told it of the last attempt."""

from django.db import migrations, models

OF_THOSE_THAT_HAVE_ENDED = """
UPDATE jobs_job AS j
SET run_seconds = greatest(0, extract(epoch FROM a.finished_at - a.started_at))
FROM jobs_attempt AS a
WHERE a.job_id = j.id AND a.number = j.attempt AND j.finished_at IS NOT NULL
  AND a.started_at IS NOT NULL AND a.finished_at IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0018_day_by_index")]

    operations = [
        migrations.AddField("job", "run_seconds", models.FloatField(null=True)),
        migrations.RunSQL(OF_THOSE_THAT_HAVE_ENDED, migrations.RunSQL.noop),
    ]
