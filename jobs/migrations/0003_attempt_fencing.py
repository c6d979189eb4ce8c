from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_attempt_log_kept")]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="fencing_at",
            field=models.DateTimeField(null=True),
        ),
    ]
