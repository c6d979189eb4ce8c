"""What people do with a job that waits: hold it, let it go on, give it another priority, move it
to another provider.

A service checks who may and whether it makes sense; the change is made by `jobs/transitions`, and
only of a job that still waits. Foreign jobs are NotFound, jobs that left the queue Conflict.
"""

from __future__ import annotations

from copy import copy
from typing import Annotated

from django.utils import timezone
from pydantic import AfterValidator, Field

from jobs import transitions
from jobs.models import Job
from jobs.mount_check import mount_problems
from jobs.selectors import job_get
from jobs.spec import Slug
from jobs.states import TERMINAL, JobState
from jobs.why_waiting import missing, need_of
from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid
from projects.models import Role
from projects.rules import one_line
from projects.strict import StrictModel, parse_strict
from providers.fit import Answer, fit
from providers.models import Mode, Provider
from providers.selectors import ProviderUse, provider_named

MAX_NOTE = 200
MAX_BYTES = 4096


class HoldIn(StrictModel):
    """Why a job is held, for whoever meets it."""

    note: Annotated[str, Field(max_length=MAX_NOTE), AfterValidator(one_line)] = ""


class PriorityIn(StrictModel):
    """The priority to have from now on."""

    priority: int = Field(ge=0, le=100, description="Higher runs first.")


class MoveIn(StrictModel):
    """Where it may run from now on."""

    provider: Slug | None = Field(description="This provider only; null: any that fits.")


def job_hold(actor: Actor, /, *, job_id: int, data: object) -> Job:
    """Keep a job from being placed; of a held one the note is changed, if one is given."""
    _may_change(actor, job_id)
    return _done(actor, job_id, transitions.hold([job_id], read_note(data), actor))


def job_release(actor: Actor, /, *, job_id: int) -> Job:
    """Let a held job run. Raises Conflict when it is not held."""
    _may_change(actor, job_id)
    result = transitions.release([job_id], actor)
    job = job_get(actor, job_id)
    if job_id not in result.changed:
        raise Conflict(f"Job {job_id} is not held: it is {job.state}.")
    return job


def job_reprioritise(actor: Actor, /, *, job_id: int, data: object) -> Job:
    """Give a job that waits another priority; its spec keeps the one it was submitted with."""
    _may_change(actor, job_id)
    return _done(actor, job_id, transitions.reprioritise([job_id], read_priority(data), actor))


def job_move(actor: Actor, /, *, job_id: int, data: object) -> Job:
    """Let a job that waits run on this provider only, or on any. Raises Invalid for a provider
    that it can never run on, with the reason, and Conflict for a job that was placed."""
    job = _may_change(actor, job_id)
    provider = read_provider(actor, data)
    if job.state == JobState.PENDING and (why := why_never(job, provider)):
        raise Invalid([FieldProblem("/provider", why)])
    name = provider.name if provider is not None else ""
    return _done(actor, job_id, transitions.move([job_id], name, actor))


def why_never(job: Job, provider: Provider | None) -> str:
    """Why a job can never run on that provider (None: on any), in a sentence; "" where it can
    once the provider takes jobs and has room."""
    if refused := mount_problems(_mounts(job), provider):
        return refused[0].detail
    if provider is None:
        return ""
    place = copy(provider)
    place.mode = Mode.ACTIVE  # switched off is not for ever
    found = fit(need_of(job, provider.name), place, ProviderUse(), timezone.now())
    if found.answer is Answer.UNSUITED:
        return f"It can never run on {provider.name}: {found.why}."
    if found.answer is Answer.SMALL:
        return f"It can never run on {provider.name}, where {missing(found)} is missing in all."
    return ""


def read_note(data: object) -> str:
    """The note of a hold, from its body. Raises Invalid."""
    return parse_strict(HoldIn, data, most_bytes=MAX_BYTES).note.strip()


def read_priority(data: object) -> int:
    """The priority, from the body. Raises Invalid."""
    return parse_strict(PriorityIn, data, most_bytes=MAX_BYTES).priority


def priority_body(text: str) -> dict[str, object]:
    """The body of what somebody typed; what is no number stays what it is, to be refused."""
    number = text.strip()
    whole = number.isascii() and number.isdecimal() and len(number) < 10
    return {"priority": int(number) if whole else number}


def read_provider(actor: Actor, data: object) -> Provider | None:
    """The provider to move to, from the body; None: any that fits. Raises Invalid."""
    name = parse_strict(MoveIn, data, most_bytes=MAX_BYTES).provider
    return None if name is None else provider_named(actor, name)


def _mounts(job: Job) -> list[tuple[str, bool]]:
    """Its mounts, each its source and whether it is read only; none of a spec that cannot be
    read, with which nothing is ever made."""
    try:
        return [(str(m["source"]), bool(m["read_only"])) for m in job.spec.get("mounts") or ()]
    except (AttributeError, KeyError, TypeError):
        return []


def _may_change(actor: Actor, job_id: int) -> Job:
    job = job_get(actor, job_id)
    if not actor.may(Role.SUBMITTER, job.project_id):
        raise Forbidden(f"You may see the project {job.project.slug}, but not change its jobs.")
    return job


def _done(actor: Actor, job_id: int, result: transitions.Changed) -> Job:
    """The job as it is now. Raises Conflict where it was placed, or ended, before this."""
    job = job_get(actor, job_id)
    if job_id not in result.left:
        return job
    if job.state in TERMINAL:
        raise Conflict(f"Job {job_id} has ended: it is {job.state}. Run it again instead.")
    where = f"{job.state} on {job.provider.name}" if job.provider is not None else job.state
    raise Conflict(
        f"Job {job_id} waits no more: it is {where}. To change that, cancel it and run it again."
    )
