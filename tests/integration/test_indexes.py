"""Every index costs each write of its table: of what each job writes, none is there twice."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection

pytestmark = pytest.mark.django_db
APPS = ("jobs", "projects", "providers")
INDEXES = """
SELECT t.relname, i.relname, x.indkey::int2[], x.indclass::oid[]
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_am AS m ON m.oid = i.relam
WHERE t.relname IN ('jobs_job', 'jobs_attempt', 'jobs_logchunk', 'projects_event')
  AND x.indpred IS NULL AND x.indexprs IS NULL AND m.amname = 'btree'
"""


def test_no_index_is_the_beginning_of_another() -> None:
    with connection.cursor() as cursor:
        cursor.execute(INDEXES)
        found = cursor.fetchall()
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_index ON oid = indexrelid AND indisunique"
        )
        unique = {name for (name,) in cursor.fetchall()}
    assert len(found) > 12
    twice = [
        f"{name} of {table} is the beginning of {other}"
        for table, name, columns, classes in found
        for of, other, more, kinds in found
        if table == of and name != other and name not in unique
        and (columns, classes) == (more[: len(columns)], kinds[: len(columns)])
    ]  # fmt: skip
    assert twice == []


def test_every_constraint_and_index_of_the_models_is_in_the_database() -> None:
    """A migration of one thing may drop another: Django's own does, of a field's indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes UNION SELECT conname::text FROM pg_constraint"
        )
        there = {name for (name,) in cursor.fetchall()}
    ours = [m for m in apps.get_models() if m.__module__.split(".")[0] in APPS]
    named = {one.name for model in ours for one in (*model._meta.indexes, *model._meta.constraints)}
    assert len(named) > 60
    assert named - there == set()
