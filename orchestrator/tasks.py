"""Housekeeping of the frameworks' own tables, run by django-q2."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import Failure

log = logging.getLogger("gantry.housekeeping")

FAILURES_KEPT = timedelta(days=14)


def tidy_frameworks() -> str:
    """Deletes sessions that have expired and housekeeping failures that nobody needs."""
    sessions, _ = Session.objects.filter(expire_date__lt=Now()).delete()
    failures, _ = Failure.objects.filter(stopped__lt=timezone.now() - FAILURES_KEPT).delete()
    if not (sessions or failures):
        return ""
    line = f"deleted {sessions} expired sessions and {failures} old failures"
    log.info(line)
    return line
