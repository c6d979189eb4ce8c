"""Groups of providers that are filled alike, what a provider costs, and the images it has."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0004_measured_load"),
    ]

    operations = [
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
        migrations.CreateModel(
            name="ProviderGroup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.SlugField(max_length=63, unique=True)),
                (
                    "strategy",
                    models.CharField(
                        choices=[
                            ("spread", "Spread: the emptiest first"),
                            ("pack", "Pack: the fullest first"),
                        ],
                        default="spread",
                        max_length=8,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("strategy__in", ["spread", "pack"])),
                        name="provider_group_strategy_known",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="provider",
            name="group",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="providers",
                to="providers.providergroup",
            ),
        ),
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
                (
                    "provider",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="images",
                        to="providers.provider",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["provider"], name="provider_image_by_provider")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("image", "provider"), name="provider_image_once"
                    )
                ],
            },
        ),
    ]
