from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0004_attempt_removal"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="log_left_out",
            field=models.JSONField(null=True),
        ),
    ]
