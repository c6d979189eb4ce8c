"""Indexes for the list's query: words of a name, labels by key, time of submission."""

import django.contrib.postgres.indexes
from django.db import migrations, models

import jobs.name_words


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_stat_pages")]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=django.contrib.postgres.indexes.GinIndex(
                jobs.name_words.NameWords(models.F("name")), name="job_by_word"
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=django.contrib.postgres.indexes.GinIndex(fields=["labels"], name="job_by_labels"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["-created_at"], name="job_by_time"),
        ),
        # job_by_labels takes its place
        migrations.RemoveIndex(model_name="job", name="job_by_label"),
    ]
