"""Foreign keys whose index another one begins with: each cost every write for nothing.

In SQL, because Django's own way drops every index of just that column, and with it the one that
allows a job one live attempt.
"""

from django.db import migrations, models

_UNINDEXED = [
    ("attempt", "job", "jobs_attempt", "jobs_attempt_job_id_b587cf59"),
    ("job", "project", "jobs_job", "jobs_job_project_id_93355715"),
    ("job", "provider", "jobs_job", "jobs_job_provider_id_f3009540"),
    ("logchunk", "attempt", "jobs_logchunk", "jobs_logchunk_attempt_id_7e64fa29"),
]
_FIELDS = {
    ("attempt", "job"): models.ForeignKey(
        db_index=False, on_delete=models.CASCADE, related_name="attempts", to="jobs.job"
    ),
    ("job", "project"): models.ForeignKey(
        db_index=False, on_delete=models.PROTECT, related_name="jobs", to="projects.project"
    ),
    ("job", "provider"): models.ForeignKey(
        db_index=False,
        null=True,
        on_delete=models.SET_NULL,
        related_name="jobs",
        to="providers.provider",
    ),
    ("logchunk", "attempt"): models.ForeignKey(
        db_index=False, on_delete=models.CASCADE, related_name="log_chunks", to="jobs.attempt"
    ),
}


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0014_job_held"),
        ("projects", "0007_no_index_twice"),
        ("providers", "0005_groups_cost_images"),
    ]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX {index}",
            f"CREATE INDEX {index} ON {table} ({field}_id)",
            state_operations=[migrations.AlterField(model, field, _FIELDS[model, field])],
        )
        for model, field, table, index in _UNINDEXED
    ]
