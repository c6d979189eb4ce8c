"""Groups of providers that are filled alike, what a provider costs, and the images it has."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0004_measured_load"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderImage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("image", models.CharField(max_length=512)),
            ],
        ),
        migrations.AddField(
            model_name="provider",
            name="cost_per_hour",
            field=models.DecimalField(
                blank=True,
                decimal_places=4,
                help_text="Of providers that suit a job equally the cheaper one is taken.",
                max_digits=10,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="group",
            field=models.SlugField(
                blank=True,
                db_default="",
                default="",
                help_text="Providers of one group are filled alike.",
                max_length=63,
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="strategy",
            field=models.CharField(
                choices=[
                    ("spread", "Spread: the emptiest first"),
                    ("pack", "Pack: the fullest first"),
                ],
                db_default="spread",
                default="spread",
                help_text="Which provider a job gets first. Holds for all of its group.",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="provider",
            constraint=models.CheckConstraint(
                condition=models.Q(("strategy__in", ["spread", "pack"])),
                name="provider_strategy_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="provider",
            constraint=models.CheckConstraint(
                condition=models.Q(("cost_per_hour__gte", 0)), name="provider_cost_not_negative"
            ),
        ),
        migrations.AddField(
            model_name="providerimage",
            name="provider",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="images",
                to="providers.provider",
            ),
        ),
        migrations.AddIndex(
            model_name="providerimage",
            index=models.Index(fields=["provider"], name="provider_image_by_provider"),
        ),
        migrations.AddConstraint(
            model_name="providerimage",
            constraint=models.UniqueConstraint(
                fields=("image", "provider"), name="provider_image_once"
            ),
        ),
    ]
