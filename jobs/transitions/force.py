"""Force-finish: a person ends an attempt whose provider does not answer."""

from __future__ import annotations

from django.contrib.postgres.functions import TransactionNow
from django.db import transaction

from jobs.endings import Ending
from jobs.models import Attempt
from jobs.notes import log_gap
from jobs.states import NEVER_STARTED, Outcome, Phase, Who
from jobs.transitions.ends import Ended, end_jobs
from projects.actor import Actor
from projects.events import Happening, record
from projects.notify import notify_engine, notify_jobs

NOTE = "it was force-finished while its provider did not answer."


def force_finish(job_id: int, actor: Actor) -> bool:
    """End the job's attempt that cannot be seen; False when there is none.

    An attempt that may have started is lost with its provider, any other is taken back
    free of charge. Whatever its host still tells of it is refused, and what it left on the
    engine is removed as a left-over when the engine answers.
    """
    with transaction.atomic():
        attempt = (
            Attempt.objects.select_related("provider", "job")
            .select_for_update(of=("self",), no_key=True)
            .filter(job=job_id, ended_at=None, not_seen_since__isnull=False)
            .first()
        )
        if attempt is None:
            return False
        ending, notes = _ending(attempt, actor), []
        lost = ending.outcome is Outcome.FAILED
        if lost:
            notes.append(log_gap(NOTE))
        Attempt.objects.filter(pk=attempt.pk).update(
            phase=Phase.ENDED,
            outcome=ending.outcome,
            reason=ending.reason,
            reason_detail=dict(ending.detail),
            ended_at=TransactionNow(),  # as of all ends: a wait begins with it, not before
            not_seen_since=None,
            **({"log_complete": False, "log_note": NOTE} if lost else {}),
        )
        record(
            [
                Happening("job", job_id, "attempt.ended", attempt.job.project_id, attempt.phase,
                          Phase.ENDED, ending.reason, ending.detail)
            ],
            actor,
        )  # fmt: skip
        notify_jobs(end_jobs([Ended(job_id, ending, notes=notes)], actor, Who.OPERATOR))
        notify_engine("jobs")
    return True


def _ending(attempt: Attempt, actor: Actor) -> Ending:
    assert attempt.not_seen_since is not None
    since = attempt.not_seen_since.strftime("%Y-%m-%d %H:%M:%S UTC")
    words = f"{actor.name} force-finished it; it had not been seen since {since}."
    if attempt.phase in NEVER_STARTED:
        return Ending(Outcome.FENCED, "fenced", {"message": words})
    detail = {"provider": attempt.provider.name, "message": words}
    return Ending(Outcome.FAILED, "provider_lost", detail)
