"""Very many jobs in a few seconds: rows of generate_series, indexes made after them."""

from __future__ import annotations

from django.db import connection

from jobs.models import Job


def add_many_jobs(pattern: Job, number: int, **expressions: str) -> None:
    """That many copies of a stored job, and fresh statistics of the table.

    Columns may be expressions of SQL in `n`, the number of the copy from 1 to the newest. Only
    inside a test's transaction, which takes it back: the table's foreign keys are gone then, and
    its indexes are others.
    """
    columns = [str(field.column) for field in Job._meta.concrete_fields if not field.primary_key]
    values = [expressions.get(name, f"p.{name}").replace("%", "%%") for name in columns]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing may wait for the commit
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'jobs_job'::regclass"
            " AND contype = 'f'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE jobs_job DROP CONSTRAINT "{name}"')
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'jobs_job' AND indexname"
            " NOT IN (SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute(
            f"INSERT INTO jobs_job ({', '.join(columns)}) SELECT {', '.join(values)}"
            " FROM generate_series(1, %s) AS n, jobs_job AS p WHERE p.id = %s ORDER BY n",
            [number, pattern.pk],
        )
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("ANALYZE jobs_job")
