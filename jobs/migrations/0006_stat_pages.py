from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0005_attempt_log_left_out"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="cpu_peak_millis",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="attempt",
            name="memory_peak_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="attempt",
            name="memory_peak_bytes",
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="StatPage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("page", models.BigIntegerField()),
                ("body", models.BinaryField()),
                (
                    "attempt",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stat_pages",
                        to="jobs.attempt",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["page"], name="stat_page_by_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("attempt", "page"), name="stat_page_once")
                ],
            },
        ),
    ]
