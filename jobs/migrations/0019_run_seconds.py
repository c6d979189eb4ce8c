"""How long a job ran is kept with it, as its engine told it of the last attempt. What had ended
before is told by the next migration: this one must not hold the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0018_day_by_index")]

    operations = [migrations.AddField("job", "run_seconds", models.FloatField(null=True))]
