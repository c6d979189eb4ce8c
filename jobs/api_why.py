"""The API's answers to why: of a job that waits, and of one that was not submitted."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from jobs import schemas
from jobs.dry_run import dry_run
from jobs.fit_check import too_small_by
from jobs.holding_up import HoldUp
from jobs.models import Job
from jobs.reasons import reason_text
from jobs.selectors import job_get
from jobs.wait_history import wait_history
from jobs.why import Why, why
from jobs.why_waiting import missing
from projects.http import json_body, json_reply, request_actor
from providers.fit import Answer, Fit, Need
from providers.models import Provider

router = Router(tags=["Jobs"])


@router.get("/jobs/{int:job_id}/why", response=schemas.WhyOut)
def job_why(request: HttpRequest, job_id: int) -> HttpResponse:
    """Why a job waits: what each provider says to it and by how much it is short, what else
    holds it up and by which jobs, where it stands, what would let it start, and for which
    reasons it has waited until now. Of one that waits no more, how it left the queue."""
    actor = request_actor(request)
    job = job_get(actor, job_id)
    return json_reply(_why_values(job, why(actor, job)))


@router.post("/jobs/dry-run", response=schemas.DryRunOut)
def job_dry_run(request: HttpRequest) -> HttpResponse:
    """What would come of submitting this job now. Refuses what submitting would; changes
    nothing."""
    found = dry_run(request_actor(request), data=json_body(request))
    return json_reply(
        {
            "starts": found.starts_on is not None,
            "provider": found.starts_on.name if found.starts_on else None,
            "text": found.check.headline,
            "forbidden": found.forbidden or None,
            "held_up_by": _hold_up_values(found.hold_up),
            "place": found.place,
            "ways_out": found.ways_out,
            "providers": [_answer_values(found.need, p, one) for p, one in found.check.answers],
        }
    )


def _why_values(job: Job, found: Why | None) -> dict[str, Any]:
    reason, detail = job.told
    values: dict[str, Any] = {
        "job": job.pk,
        "state": job.state,
        "reason": reason,
        "reason_text": reason_text(reason, detail),
        "held_up_by": None,
        "place": None,
        "waiting": None,
        "ways_out": [],
        "providers": [],
        "history": [
            {"reason": w.reason, "reason_text": w.text, "since": w.since, "until": w.until}
            for w in (found.history if found else wait_history(job))
        ],
    }
    if found is None:
        return values
    values["held_up_by"] = _hold_up_values(found.hold_up)
    if found.place is not None:
        values |= {"place": found.place.place, "waiting": found.place.waiting}
    values["ways_out"] = found.ways_out
    values["providers"] = [_answer_values(found.need, p, one) for p, one in found.answers]
    return values


def _hold_up_values(found: HoldUp | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"text": found.words, "jobs": [one.pk for one in found.jobs]}


def _answer_values(need: Need, provider: Provider, one: Fit) -> dict[str, Any]:
    return {
        "id": provider.pk,
        "name": provider.name,
        "answer": one.answer,
        "text": _words(need, provider, one),
        "free": {
            "cpu_millis": one.free_cpu_millis,
            "memory_mb": one.free_memory_mb,
            "gpus": one.free_gpus,
        },
        "short_of": {
            "cpu_millis": one.lacks_cpu_millis,
            "memory_mb": one.lacks_memory_mb,
            "gpus": one.lacks_gpus,
            "slots": one.lacks_slots,
        },
    }


def _words(need: Need, provider: Provider, one: Fit) -> str:
    match one.answer:
        case Answer.FITS:
            return "It has room now."
        case Answer.FULL:
            amounts = missing(one)
            return f"It needs {amounts} more." if amounts else "All its slots are taken."
        case Answer.SMALL:
            return f"It is too small by {too_small_by(need, provider)}."
        case Answer.OFF:
            return "It is switched off."
    return f"{one.why[:1].upper()}{one.why[1:]}."
