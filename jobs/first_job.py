"""The first job of an instance, or of who has seen none run yet: how far it is, and its log."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.log.reading import Gap, tail_lines
from jobs.log.words import plain
from jobs.models import Attempt, Job
from jobs.selectors import attempt_of, jobs_of
from jobs.states import TERMINAL
from jobs.whose import JobsQuery, Whose
from projects.actor import Actor

MOST_LINES = 12
_MOST_BYTES = 16 * 1024
_WIDTH = 200
# In the order of an index, which is then walked to the first of them.
_ENDED = JobsQuery[tuple[int]](
    lambda jobs: jobs.filter(state__in=sorted(TERMINAL)).order_by("state").values_list("pk")[:1]
)


@dataclass(frozen=True, slots=True)
class FirstJob:
    """A job with its latest attempt and the end of that one's log."""

    job: Job
    attempt: Attempt | None
    text: str

    @property
    def ended(self) -> bool:
        """True when nothing more will come of it."""
        return self.job.state in TERMINAL

    @property
    def began(self) -> bool:
        """True when its program has been started."""
        return self.attempt is not None and self.attempt.running_at is not None


def has_run(actor: Actor) -> bool:
    """True when some job that the actor may see has ended."""
    return bool(_ENDED.fetch(actor, Whose.ALL))


def first_job(actor: Actor) -> FirstJob | None:
    """The newest job that the actor may see; None while there is none."""
    job = (
        jobs_of(actor).select_related("project", "provider", "queue_class").order_by("-pk").first()
    )
    if job is None:
        return None
    attempt = attempt_of(job)
    found = (
        tail_lines(attempt.pk, MOST_LINES, most_bytes=_MOST_BYTES)
        if attempt is not None and attempt.log_seq
        else ()
    )
    lines = (plain(line.text())[:_WIDTH] for line in found if not isinstance(line, Gap))
    return FirstJob(job, attempt, "\n".join(lines))
