from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0003_stray"),
    ]

    operations = [
        migrations.AddField(
            model_name="healthsample",
            name="measured_cpu_millis",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="healthsample",
            name="measured_memory_mb",
            field=models.PositiveIntegerField(null=True),
        ),
    ]
