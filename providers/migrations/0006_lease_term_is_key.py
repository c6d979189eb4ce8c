"""A takeover changes a key of its lease, and so waits for writes that hold it; renewing does not."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0005_groups_cost_images"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="lease",
            constraint=models.UniqueConstraint(fields=("name", "term"), name="lease_term_is_key"),
        ),
    ]
