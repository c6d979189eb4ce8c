"""How long a job's last attempt ran, for a job that ends while it waits: the ends of attempts
bring it themselves (move_jobs.sql)."""

from __future__ import annotations

from django.db.models import F, FloatField, OuterRef, Subquery, Value
from django.db.models.functions import Extract, Greatest

from jobs.models import Attempt

_RAN = Extract(F("finished_at") - F("started_at"), "epoch", output_field=FloatField())

LAST_RUN = Subquery(
    # Postgres' GREATEST passes over what is null, which an end that nobody knows of must stay.
    Attempt.objects.filter(
        job=OuterRef("pk"),
        number=OuterRef("attempt"),
        started_at__isnull=False,
        finished_at__isnull=False,
    )
    .order_by()
    .values_list(Greatest(Value(0.0), _RAN))
)
"""By its engine's clock, in seconds; null where there was none, or its end is not known."""
