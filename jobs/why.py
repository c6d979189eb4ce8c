"""Why a job waits: everything that its panel and the API tell of it, read at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from jobs.holding_up import HoldUp, hold_up
from jobs.models import Job
from jobs.queue_place import QueuePlace, queue_place
from jobs.standing import beside, kept_from, live_on_full
from jobs.states import JobState
from jobs.wait_history import Wait, wait_history
from jobs.way_out import ways_out
from jobs.why_waiting import fits_of, need_of
from projects.actor import Actor
from providers.fit import Answer, Fit, Need
from providers.models import Provider
from providers.selectors import ProviderUse, provider_list, provider_use


@dataclass(frozen=True, slots=True)
class Why:
    """What the job needs, what each provider says to that (the nearest to a yes first), what
    holds it up besides, what would let it start, where it stands, and why it has waited."""

    need: Need
    answers: Sequence[tuple[Provider, Fit]]
    used: dict[int, ProviderUse]
    now: datetime
    hold_up: HoldUp | None
    ways_out: tuple[str, ...]
    place: QueuePlace | None
    history: Sequence[Wait]


def why(actor: Actor, job: Job) -> Why | None:
    """Of a job that waits; None of one that does not."""
    if job.state != JobState.PENDING or job.cancel_requested_at is not None:
        return None
    providers = provider_list(actor)
    used, now, need = provider_use([p.pk for p in providers]), timezone.now(), need_of(job)
    answers = fits_of(need, providers, used, now, beside(job.project_id, need.apart))
    room = any(one.answer is Answer.FITS for _, one in answers)
    kept = kept_from(job, providers, used, now) if not room else ()
    open_ = [(provider, one) for provider, one in answers if provider.pk not in kept]
    live = {} if room else live_on_full(open_)
    held_up = hold_up(actor, job.project, *job.told) if job.in_line else None
    lessened = need if job.in_line and held_up is None else None
    return Why(
        need=need,
        answers=answers,
        used=used,
        now=now,
        hold_up=held_up,
        ways_out=ways_out(open_, live, actor.project_ids(), lessened) if live else (),
        place=queue_place(actor, job),
        history=wait_history(job),
    )
