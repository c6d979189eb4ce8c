"""What an attempt has used, as the engine process keeps it."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from jobs import stat_store
from jobs.models import Attempt
from jobs.stat_pages import Reading
from jobs.stat_store import Measured
from tests.support.engine_rows import hold

MIB = 2**20


def measure(attempt: Attempt, *readings: tuple[float, int, int]) -> None:
    """Keep readings of so many seconds ago: thousandths of a core, MiB."""
    fence = hold(f"provider:{attempt.provider_id}")
    now = timezone.now()
    taken = [
        Reading(now - timedelta(seconds=seconds), cpu, memory * MIB)
        for seconds, cpu, memory in readings
    ]
    with transaction.atomic():
        stat_store.keep([Measured(attempt.pk, fence, reading) for reading in taken])
