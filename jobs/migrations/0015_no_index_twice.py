"""Foreign keys whose index another one begins with: each cost every write for nothing."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0014_job_held"),
        ("projects", "0007_no_index_twice"),
        ("providers", "0005_groups_cost_images"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attempt",
            name="job",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attempts",
                to="jobs.job",
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="project",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="jobs",
                to="projects.project",
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="provider",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="jobs",
                to="providers.provider",
            ),
        ),
        migrations.AlterField(
            model_name="logchunk",
            name="attempt",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="log_chunks",
                to="jobs.attempt",
            ),
        ),
    ]
