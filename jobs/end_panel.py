"""The panel of a job that ended other than well: cause, evidence, suggestion, buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from jobs.advice import Action, advice_for
from jobs.evidence import Fact, evidence
from jobs.log.words import LastLine, last_lines
from jobs.models import Attempt, Job
from jobs.states import JobState
from jobs.why_waiting import fits_of, missing, need_of
from projects.actor import Actor
from projects.models import Role
from projects.quantities import memory_text
from providers.fit import Answer, Fit
from providers.selectors import provider_list, provider_use

_LATER = (Answer.FULL, Answer.BESIDE, Answer.DOWN)
_TONES = {JobState.FAILED: ("failed", "failed"), JobState.COMPLETED: ("warn", "warn")}


@dataclass(frozen=True, slots=True)
class EndPanel:
    """What the template shows; it decides nothing itself."""

    tone: str
    shape: str
    facts: list[Fact]
    lines: list[LastLine]
    error_line: int | None
    """The first of the last lines that is an error, or the last of them."""
    text: str
    room: str
    actions: list[Action]


def end_panel(actor: Actor, job: Job, attempts: Sequence[Attempt]) -> EndPanel | None:
    """The panel; None for a job that has not ended, or has ended well."""
    advice = advice_for(job)
    if advice is None:
        return None
    latest = attempts[-1] if attempts else None
    lines = last_lines(latest) if latest is not None and job.state == JobState.FAILED else []
    errors = [line.number for line in lines if line.is_error] or [n.number for n in lines[-1:]]
    may_change = actor.may(Role.SUBMITTER, job.project_id)
    possible = {
        "rerun": may_change,
        "edit": may_change,
        "provider": latest is not None and latest.provider.deleted_at is None,
        "error": bool(errors),
    }
    tone, shape = _TONES.get(JobState(job.state), ("", "cancelled"))
    return EndPanel(
        tone=tone,
        shape=shape,
        facts=evidence(job, attempts),
        lines=lines,
        error_line=errors[0] if errors else None,
        text=advice.text,
        room=_room(actor, job, advice.actions[0]),
        actions=[action for action in advice.actions if possible.get(action.kind, True)],
    )


def _room(actor: Actor, job: Job, action: Action) -> str:
    """Whether there is room for a rerun with more memory, so that nobody only waits for it."""
    more = action.changes.get("memory_mb")
    if more is None:
        return ""
    providers = provider_list(actor)
    used = provider_use([p.pk for p in providers])
    need = replace(need_of(job), memory_mb=more)
    fits = fits_of(need, providers, used, timezone.now())
    now = [p.name for p, one in fits if one.answer is Answer.FITS]
    words = memory_text(more)
    if now:
        others = f" and {len(now) - 1} more" if len(now) > 1 else ""
        return f"{words} fits on {now[0]}{others} now."
    for provider, one in fits:
        if one.answer in _LATER and provider.total_memory_mb:  # else it was never seen
            reason = _hindrance(one)
            return f"With {words} it would wait: {provider.name} is large enough, but {reason}."
    return f"No provider that suits it is known to be large enough for it with {words}."


def _hindrance(one: Fit) -> str:
    """Why a provider that is large enough takes it later only."""
    if one.answer is Answer.FULL:
        amounts = missing(one)
        return f"has {amounts} too little free now" if amounts else "has no free slot now"
    return one.why
