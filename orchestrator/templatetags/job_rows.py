"""The rows of the list of jobs.

They are put together here and not by a template: Django's engine needs a millisecond of
processor time for one such row and fifty for the page, this a tenth of it. Everything goes
through `markup`, which escapes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from jobs.glances import shape_of, short_reason, trigger_text
from jobs.models import Job
from jobs.reasons import reason_text
from jobs.records import Usual, coarse
from jobs.states import JobState
from jobs.usual import MARK, ran_seconds, share
from orchestrator.templatetags.gantry import age, icon, shape, since
from projects.markup import markup
from projects.quantities import duration_text

register = template.Library()

_STARTED = frozenset({JobState.RUNNING, JobState.COMPLETED})
"""States that a job has only while, or once, the program of its last attempt started."""

_ROW = (
    '<tr id="job-{pk}" data-name="{name}" data-project="{project}">'
    '<td class="c-x"><input type="checkbox" name="job" value="{pk}" form="bulk"'
    ' aria-label="Select {name} {pk}" autocomplete="off"></td>'
    '<td class="c-s"><span class="status">{shape}<span>{state}</span></span>'
    '<span class="why" title="{reason}">{why}</span></td>'
    '<td class="c-n name"><a href="{url}">{name}</a> <span class="id">{pk}</span></td>'
    '<td class="c-p opt">{project}</td>'
    '<td class="c-t opt"><span class="trig">{way}<span class="ellip" title="{trigger}">{who}</span>'
    "</span></td>"
    '<td class="c-q opt">{queued}</td>'
    '<td class="c-d">{ran}</td>'
    '<td class="c-a opt">{attempt}</td>'
    '<td class="c-v opt">{provider}</td>'
    '<td class="c-g muted">{age}<span class="acts">{change}'
    '<a class="btn icon s" href="{url}?tab=log" title="Log" aria-label="Log of {name} {pk}">'
    "{log}</a>"
    '<button type="button" class="btn icon s" data-more title="All actions" aria-haspopup="menu"'
    ' aria-label="All actions for {name} {pk}">{more}</button></span></td></tr>\n'
)
_CHANGE = (
    '<a class="btn icon s" href="{}?action={}&amp;job={}&amp;q={}" data-bulk title="{}"'
    ' aria-label="{}">{}</a>'
)
_BAR = (
    '<svg class="usual {kind}" data-usual="{usual}" data-most="{most}" role="img"'
    ' aria-label="{words}"><title>{words}</title>'
    '<rect class="whole" width="100%" height="100%"/>'
    '<rect class="part" width="{share}%" height="100%"/>'
    '<rect class="mark" x="{mark}%" width="2" height="100%"/></svg>'
)


@register.simple_tag
def job_rows(
    jobs: Sequence[Job],
    usual: Mapping[int, Usual],
    changeable: Collection[int] | None,
    words: str,
) -> SafeString:
    """A row for each job. `usual` is by job id; `changeable` are the projects whose jobs the
    person may change, None all of them; `words` is the query of the list."""
    now = timezone.now()
    pages, bulk, query = reverse("jobs:detail", args=[0])[:-1], reverse("jobs:bulk"), quote(words)
    rows = []
    for job in jobs:
        rows.append(
            markup(
                _ROW,
                pk=job.pk,
                name=job.name,
                project=job.project.slug,
                shape=shape(shape_of(job)),
                state=job.state.capitalize(),
                reason=reason_text(*job.told) if job.told[0] else "",
                why=_why(job, usual.get(job.pk), now),
                url=f"{pages}{job.pk}",
                way=icon(_way(job)),
                trigger=trigger_text(job),
                who=job.submitted_by.get_username() if job.submitted_by else "–",
                queued=_queued(job),
                ran=_ran(job, usual.get(job.pk), now),
                attempt=_attempt(job),
                provider=job.provider.name if job.provider else "",
                age=age(job.created_at),
                change=_change(job, bulk, query)
                if changeable is None or job.project_id in changeable
                else "",
                log=icon("jobs"),
                more=icon("more"),
            )
        )
    return mark_safe("".join(rows))


def _why(job: Job, usual: Usual | None, now: datetime) -> str:
    """Why, in two or three words; of a running job, that it takes long for its name."""
    words = short_reason(job, now)
    if words or job.state != JobState.RUNNING or usual is None:
        return words
    return "over usual" if (ran_seconds(job, now) or 0.0) > usual.most else ""


def _way(job: Job) -> str:
    """The icon of how it came."""
    if job.rerun_of_id:
        return "retry"
    return "key" if job.submitted_via == "api" else "user"


def _queued(job: Job) -> SafeString | str:
    """How long it waited, the last time, until its program started, or has waited until now."""
    if job.state == JobState.PENDING:
        return since(job.queued_at)
    if job.started_at is None:
        return ""
    waited = (job.started_at - job.queued_at).total_seconds()
    if waited < 0 and job.state not in _STARTED:
        return ""  # it was queued again, and has not started since
    return duration_text(max(0.0, waited))  # an engine's clock may be behind


def _ran(job: Job, usual: Usual | None, now: datetime) -> SafeString | str:
    """How long it ran, or runs, with its bar where something is usual."""
    ran = ran_seconds(job, now)
    if ran is None:
        return ""
    text = since(job.started_at) if job.state == JobState.RUNNING else duration_text(ran)
    bar = _bar(job, usual, ran) if usual is not None else ""
    return markup('<span class="dur"><span>{}</span>{}</span>', text, bar)


def _bar(job: Job, usual: Usual, ran: float) -> SafeString:
    """How long it ran against what is usual for its name: a bar with a mark at the usual."""
    return markup(
        _BAR,
        kind="w" if ran > usual.most else "r" if job.state == JobState.RUNNING else "e",
        usual=round(usual.half, 1),
        most=round(usual.most, 1),
        words=f"usually {coarse(usual.half)}; {usual.words}",
        share=round(100 * share(ran, usual)),
        mark=round(100 * MARK),
    )


def _attempt(job: Job) -> SafeString | str:
    """Which try it is, of how many."""
    if not job.attempt:
        return ""
    most = getattr(job, "max_attempts", None)
    text = f"{job.attempt} / {most}" if most else str(job.attempt)
    return markup('<span class="muted">{}</span>', text) if job.attempt == 1 else text


def _change(job: Job, bulk: str, query: str) -> SafeString | str:
    """The button that ends it, or runs it again."""
    if job.finished_at is not None:
        words = f"Run {job.name} {job.pk} again"
        return markup(_CHANGE, bulk, "rerun", job.pk, query, "Run again", words, icon("retry"))
    if job.cancel_requested_at is not None:
        return ""
    words = f"Cancel {job.name} {job.pk}"
    return markup(_CHANGE, bulk, "cancel", job.pk, query, "Cancel", words, icon("stop"))
