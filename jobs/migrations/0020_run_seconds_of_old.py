"""How long jobs ran that had ended before it was kept with them.

Each is written anew, some minutes for a million: a few thousand at a time, each time committed,
so that nobody waits for all of them, whatever reads and writes jobs meanwhile. One that was broken
off goes on with what is left.
"""

from typing import Any

from django.db import migrations

BATCH = 5000

# Who is deleted or changed just now is passed over: waiting for it could go round in a circle.
NEXT = """
WITH next AS (
    SELECT id FROM jobs_job WHERE id > %s ORDER BY id LIMIT %s
), old AS (
    SELECT j.id, j.attempt FROM jobs_job AS j JOIN next ON next.id = j.id
    WHERE j.finished_at IS NOT NULL AND j.run_seconds IS NULL
    FOR NO KEY UPDATE OF j SKIP LOCKED
), told AS (
    UPDATE jobs_job AS j
    SET run_seconds = greatest(0, extract(epoch FROM a.finished_at - a.started_at))
    FROM old JOIN jobs_attempt AS a ON a.job_id = old.id AND a.number = old.attempt
    WHERE j.id = old.id AND a.started_at IS NOT NULL AND a.finished_at IS NOT NULL
)
SELECT max(id) FROM next
"""


def tell(apps: Any, schema_editor: Any) -> None:
    """Go through all jobs, from the oldest on."""
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while last is not None:
            cursor.execute(NEXT, [last, BATCH])
            (last,) = cursor.fetchone()


class Migration(migrations.Migration):
    atomic = False  # each batch is committed

    dependencies = [("jobs", "0019_run_seconds")]

    operations = [migrations.RunPython(tell, migrations.RunPython.noop)]
