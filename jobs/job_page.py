"""What the regions of a job's page show: one context each, for the page and its fragments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from jobs.asks import pin_of
from jobs.curl import curl_command
from jobs.end_panel import end_panel
from jobs.filters import JobFilter
from jobs.glances import shape_of, short_reason
from jobs.left_overs import name_of
from jobs.list_page import count_text, encoded
from jobs.models import Attempt, Job
from jobs.phases import timeline
from jobs.presenters import run_seconds, told_rev
from jobs.query import EXACTLY, Term
from jobs.reasons import reason_text
from jobs.selectors import attempts_of, events_of, last_rerun
from jobs.services import may_force_finish
from jobs.spec import in_order
from jobs.spec_diff import spec_diff, spec_text
from jobs.stat_store import readings_of
from jobs.states import TERMINAL, JobState, Phase
from jobs.use import use_of
from jobs.why import Why, why
from jobs.why_waiting import IN_TURN, why_waiting
from projects.actor import Actor
from projects.live_marks import BEAT, thing_mark
from projects.models import Role
from providers.selectors import provider_list

EVENTS_SHOWN = 200
RERUNS_SHOWN = 5
RERUNS_COUNTED = 100
TABS = ("log", "events", "spec")


def tab_of(asked: str) -> str:
    """The tab that an address asks for; the log, where there is no such."""
    return asked if asked in TABS else "log"


def shown_of(attempts: Sequence[Attempt], asked: str) -> tuple[int, bool]:
    """The number of the attempt that a page shows, and whether its address names that one:
    otherwise it is the latest, and 0 while there is none."""
    last = attempts[-1].number if attempts else 0
    number = int(asked) if asked.isdecimal() and len(asked) < 9 else 0
    chosen = 1 <= number <= last
    return (number if chosen else last), chosen


def header(
    actor: Actor, job: Job, attempts: Sequence[Attempt], *, rerun: int | None = None
) -> dict[str, Any]:
    """Title, sentence, buttons, what went wrong, phases. `rerun`: its last one, where that is
    known already."""
    now = timezone.now()
    latest = attempts[-1] if attempts else None
    ended = job.state in TERMINAL
    may_change = actor.may(Role.SUBMITTER, job.project_id)
    return _acts(actor, job, may_change=may_change) | {
        "job": job,
        "latest": latest,
        "ended": ended,
        "unseen": latest is not None and latest.not_seen_since is not None and not ended,
        "may_force": may_force_finish(actor, job),
        "may_change": may_change,
        "timeline": timeline(job, attempts, now),
        "panel": end_panel(actor, job, attempts),
        "title": _title(job, short_reason(job, now)),
        "shape": shape_of(job),
        "ran_seconds": _ran(latest),
        "after": last_rerun(job) if rerun is None else rerun,
    }


def _acts(actor: Actor, job: Job, *, may_change: bool) -> dict[str, Any]:
    """What the menu of a job that waits begins with."""
    if not may_change or job.state != JobState.PENDING:
        return {"waits": False}
    note = job.reason_detail.get("note", "") if job.held else ""
    places = [provider.name for provider in provider_list(actor)]
    return {"waits": True, "held_note": note, "pin": pin_of(job), "places": places}


def attempts_nav(
    job: Job, attempts: Sequence[Attempt], *, tab: str, shown: int, chosen: bool
) -> dict[str, Any]:
    """The tabs, and the attempts to choose from. `shown` is 0 while there is none; `chosen`: the
    address names the one that is shown."""
    return {"job": job, "attempts": attempts, "tab": tab, "shown": shown, "chosen": chosen}


def facts(job: Job, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """What was asked for, and where it went."""
    reruns = list(job.reruns.order_by("-pk").values_list("pk", flat=True)[: RERUNS_COUNTED + 1])
    more = len(reruns[RERUNS_SHOWN:])
    same_name = JobFilter((Term("project", job.project.slug), Term("name", EXACTLY + job.name)))
    return {
        "job": job,
        "spec": in_order(job.spec),
        "pin": pin_of(job),
        "latest": attempts[-1] if attempts else None,
        "reruns": reruns[:RERUNS_SHOWN],
        "more_reruns": count_text(more, len(reruns) <= RERUNS_COUNTED) if more else "",
        "same_name": encoded(same_name.as_query()),
    }


def events(job: Job, attempts: Sequence[Attempt], *, phase: int = 0) -> dict[str, Any]:
    """What happened, newest last, and what each attempt made on its engine; of one stretch of the
    phase bar what happened in it. `phase`: its place there, from 1."""
    during = timeline(job, attempts, timezone.now()).stretch(phase)
    since, until = (during.stretch.start, during.until) if during else (None, None)
    found = events_of(job, since=since, until=until, limit=EVENTS_SHOWN + 1)
    made = [(attempt, name_of(attempt.handle)) for attempt in attempts if attempt.handle]
    return {
        "job": job,
        "events": found[:EVENTS_SHOWN],
        "more": len(found) > EVENTS_SHOWN,
        "made": [] if during else made,
        "during": during,
        "phase": phase,
    }


def waiting(actor: Actor, job: Job) -> dict[str, Any]:
    """Why it waits: what each provider says to it, what else holds it up, what would let it
    start, its place in the queue, and for which reasons it has waited."""
    found = why(actor, job)
    if found is None:
        return {"job": job, "why": None, "queue": None}
    return {
        "job": job,
        "why": why_waiting(found.need, found.answers, found.used, _with_room(job, found)),
        "hold_up": found.hold_up,
        "told": reason_text(*job.told) if found.hold_up else "",
        "ways_out": found.ways_out,
        "history": found.history[::-1],
        "queue": found.place,
    }


def _with_room(job: Job, found: Why) -> str:
    """What it means to a job that there is room for it."""
    if job.held:
        return "It may go here once it is released"
    if not job.in_line:
        return "It may go here once its retry is due"
    return "It may go here once that is over" if found.hold_up else IN_TURN


def use(job: Job, attempts: Sequence[Attempt], *, shown: int, chosen: bool) -> dict[str, Any]:
    """What the shown attempt uses against its limits."""
    attempt = next((one for one in attempts if one.number == shown), None)
    measured = attempt is not None and attempt.running_at is not None
    readings = readings_of(attempt.pk) if attempt is not None and measured else []
    found = use_of(attempt, readings, timezone.now())
    return {"job": job, "use": found, "shown": shown, "chosen": chosen}


def spec(job: Job, url: str) -> dict[str, Any]:
    """What was asked for, what has changed since the last job of that name, and how to ask
    for it again from a shell."""
    before = (
        Job.objects.filter(project=job.project_id, name=job.name, pk__lt=job.pk)
        .only("pk", "spec")
        .order_by("-pk")
        .first()
    )
    return {
        "job": job,
        "before": before,
        "diff": spec_diff(before.spec, job.spec) if before is not None else None,
        "text": spec_text(job.spec),
        "curl": curl_command(job.spec, url),
    }


def regions(
    actor: Actor,
    job: Job,
    *,
    tab: str,
    attempt: str,
    phase: int = 0,
    submit_url: str = "",
) -> dict[str, Any]:
    """Everything of the page at once, from one reading of the attempts. `tab` and `attempt` as
    its address has them; `phase`: to which stretch of the phase bar events are narrowed;
    `submit_url`: where the API takes new jobs."""
    attempts = attempts_of(job)
    tab, (shown, chosen) = tab_of(tab), shown_of(attempts, attempt)
    context = header(actor, job, attempts)
    context |= attempts_nav(job, attempts, tab=tab, shown=shown, chosen=chosen)
    context |= facts(job, attempts)
    context |= use(job, attempts, shown=shown, chosen=chosen)
    context |= waiting(actor, job)
    if tab == "events":
        context |= events(job, attempts, phase=phase)
    elif tab == "spec":
        context |= spec(job, submit_url)
    return context


def etag(actor: Actor, job: Job, *parts: object) -> str:
    """A mark of what a region shows. A job that goes on also changes with time."""
    beat = 0 if job.state in TERMINAL else BEAT
    return thing_mark(actor, "job", job.pk, told_rev(job), *parts, beat=beat)


def _title(job: Job, reason: str) -> str:
    words = f"{job.state}, {reason}" if reason else job.state
    return f"{job.pk} {job.name}, {words} · Gantry"


def _ran(attempt: Attempt | None) -> float | None:
    """How long the program ran, by its engine's clock; None where that never told: of what is
    lost, or was removed by another hand, nobody knows when it ended."""
    if attempt is None or attempt.phase != Phase.ENDED:
        return None
    return run_seconds(attempt.started_at, attempt.finished_at)
