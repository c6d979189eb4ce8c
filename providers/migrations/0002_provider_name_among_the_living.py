from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("providers", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="provider", name="name", field=models.SlugField(max_length=63)
        ),
        migrations.AddConstraint(
            model_name="provider",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=("name",),
                name="provider_name_once",
            ),
        ),
    ]
