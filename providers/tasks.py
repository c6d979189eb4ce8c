"""Housekeeping of providers, run by django-q2: may run late, twice, or be cut short."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from providers.history import thin_samples
from providers.models import EngineRequest, RequestStatus

log = logging.getLogger("gantry.housekeeping")

BATCH = 5000
REQUESTS_KEPT = timedelta(days=7)
_OPEN = (RequestStatus.WAITING, RequestStatus.WORKING)
NOBODY_ANSWERED = "No engine process answered in time."


def tidy_requests() -> str:
    """Ends requests to engines whose deadline has passed, and deletes old ones."""
    expired = EngineRequest.objects.filter(status__in=_OPEN, deadline__lt=Now()).update(
        status=RequestStatus.EXPIRED, finished_at=Now(), result={"error": NOBODY_ANSWERED}
    )
    old = EngineRequest.objects.exclude(status__in=_OPEN).filter(
        created_at__lt=timezone.now() - REQUESTS_KEPT
    )
    deleted, _ = EngineRequest.objects.filter(
        pk__in=list(old.values_list("pk", flat=True)[:BATCH])
    ).delete()
    if not (expired or deleted):
        return ""
    return _say(f"expired {expired} unanswered engine requests, deleted {deleted} old ones")


def thin_history() -> str:
    """Thins the health history as it ages."""
    deleted = thin_samples(timezone.now(), limit=BATCH)
    return _say(f"thinned the health history by {deleted} samples") if deleted else ""


def _say(line: str) -> str:
    log.info(line)
    return line
