"""A provider's health and load over time: one sample a minute, thinned as it ages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Case, F, Func, IntegerField, Value, When, Window
from django.db.models.functions import RowNumber

from providers.models import HealthSample, HealthState, Provider

FINE = timedelta(days=1)
"""How long every minute is kept; after that the worst of each quarter of an hour …"""
KEPT = timedelta(days=30)
"""… and after this nothing."""

_WORST_FIRST = (
    HealthState.UNREACHABLE,
    HealthState.DEGRADED,
    HealthState.UNKNOWN,
    HealthState.HEALTHY,
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the live attempts of a provider were given, and what their programs take of it
    where that is measured."""

    cpu_millis: int = 0
    memory_mb: int = 0
    running: int = 0
    measured_cpu_millis: int | None = None
    measured_memory_mb: int | None = None


def record_samples(usage: Mapping[int, Usage]) -> int:
    """Writes this minute's sample of every provider that has none yet; says how many."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two runs at once would both find no sample.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('gantry.health_sample'))")
            cursor.execute("SELECT date_trunc('minute', now())")
            (minute,) = cursor.fetchone()
        missing = Provider.objects.filter(deleted_at__isnull=True).exclude(samples__at__gte=minute)
        samples = []
        for provider_id, health in missing.values_list("pk", "health"):
            load = usage.get(provider_id, Usage())
            samples.append(
                HealthSample(
                    provider_id=provider_id,
                    at=minute,
                    health=health,
                    used_cpu_millis=load.cpu_millis,
                    used_memory_mb=load.memory_mb,
                    running=load.running,
                    measured_cpu_millis=load.measured_cpu_millis,
                    measured_memory_mb=load.measured_memory_mb,
                )
            )
        HealthSample.objects.bulk_create(samples)
    return len(samples)


def thin_samples(now: datetime, *, limit: int) -> int:
    """Deletes up to `limit` samples that are too old or too dense for their age."""
    old = HealthSample.objects.filter(at__lt=now - KEPT).values_list("pk", flat=True)
    severity = Case(
        *(When(health=health, then=Value(n)) for n, health in enumerate(_WORST_FIRST)),
        output_field=IntegerField(),
    )
    quarter = Func(
        Value("15 minutes"),
        F("at"),
        Value("2000-01-01"),
        template="date_bin(%(expressions)s)",
    )
    dense = (
        HealthSample.objects.filter(at__lt=now - FINE, at__gte=now - KEPT)
        .annotate(
            place=Window(
                RowNumber(),
                partition_by=[F("provider"), quarter],
                order_by=[severity.asc(), F("pk").asc()],
            )
        )
        .filter(place__gt=1)
        .values_list("pk", flat=True)
    )
    count = 0
    for doomed in (old, dense):
        deleted, _ = HealthSample.objects.filter(pk__in=list(doomed[: limit - count])).delete()
        count += deleted
    return count
