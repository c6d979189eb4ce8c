"""A day in the life of many providers: health samples, in one statement."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from providers.models import Provider


def add_many_samples(providers: Iterable[Provider], *, minutes_apart: int) -> None:
    """Healthy samples of the last day of each provider."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO providers_healthsample"
            " (provider_id, at, health, used_cpu_millis, used_memory_mb, running)"
            " SELECT p, now() - n * interval '1 minute', 'healthy', 0, 0, 0"
            " FROM unnest(%s::bigint[]) AS p, generate_series(0, 1439, %s) AS n",
            [[provider.pk for provider in providers], minutes_apart],
        )
