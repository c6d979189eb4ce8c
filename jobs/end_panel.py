"""The panel of a job that ended other than well: cause, evidence, suggestion, buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from jobs.advice import Action, Told, advice_for
from jobs.evidence import Fact, evidence
from jobs.log.words import NONE, LastLine, LastWords, last_words
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
    told: Told
    line: int | None
    """Where the error begins, or else the last line."""
    text: str
    room: str
    actions: list[Action]


def end_panel(actor: Actor, job: Job, attempts: Sequence[Attempt]) -> EndPanel | None:
    """The panel; None for a job that has not ended, or has ended well."""
    latest = attempts[-1] if attempts else None
    words = last_words(latest) if latest and job.state == JobState.FAILED else NONE
    told = _told(latest, words)
    advice = advice_for(job, told)
    if advice is None:
        return None
    may_change = actor.may(Role.SUBMITTER, job.project_id)
    possible = {
        "rerun": may_change,
        "edit": may_change,
        "provider": latest is not None and latest.provider.deleted_at is None,
    }
    tone, shape = _TONES.get(JobState(job.state), ("", "cancelled"))
    return EndPanel(
        tone=tone,
        shape=shape,
        facts=evidence(job, attempts),
        lines=words.lines,
        told=told,
        line=words.error or (words.lines[-1].number if words.lines else None),
        text=advice.text,
        room=_room(actor, job, advice.actions[0]),
        actions=[action for action in advice.actions if possible.get(action.kind, True)],
    )


def _told(latest: Attempt | None, words: LastWords) -> Told:
    """What its last lines have to say. What was lost or is not kept any more may have said it."""
    if words.lines:
        return Told.ERROR if words.error else Told.LINES
    silent = latest is not None and not latest.log_seq and latest.log_complete is not False
    return Told.NOTHING if silent else Told.UNKNOWN


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
