"""What people do with jobs: submit, cancel, run again; with those that wait, jobs/acts.py.

A service checks who may and whether it makes sense; the change itself, with its events and
notices, is made by `jobs/transitions`. Foreign jobs and projects are NotFound; Forbidden
is only for what the actor can see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError

from jobs import transitions
from jobs.models import Job
from jobs.selectors import job_get
from jobs.spec import JobSpec, parse_spec
from jobs.states import TERMINAL, JobState
from jobs.submission import Places, digest_of, earlier, must_submit, new_job
from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid, LimitReached
from projects.models import Role
from projects.secrets import open_values


def job_submit(
    actor: Actor, /, *, data: object, idempotency_key: str | None = None
) -> tuple[Job, bool]:
    """Submit a job; False in the answer: this key had already made it.

    Raises Invalid (the spec), Forbidden (may see the project but not submit to it),
    Conflict (the key was used with another body), LimitReached (the project's jobs that may
    wait, or that it may submit in a minute).
    """
    digest = digest_of("submit", data, idempotency_key)
    if (made := _earlier(actor, idempotency_key, digest)) is not None:
        return made, False
    spec = parse_spec(data)
    return _submitted(actor, spec, key=idempotency_key, digest=digest)


def job_check(actor: Actor, /, *, data: object, rerun_of: Job | None = None) -> None:
    """Refuse what `job_submit` would, or `job_rerun` with these changes; submit nothing."""
    if rerun_of is None:
        spec = parse_spec(data)
    else:
        must_submit(actor, rerun_of.project)
        spec, _ = _rerun_spec(actor, rerun_of, data)
    Places(actor).of(spec)


def job_rerun(
    actor: Actor,
    /,
    *,
    job_id: int,
    changes: object = None,
    idempotency_key: str | None = None,
) -> tuple[Job, bool]:
    """Submit a job again as a new one, with top-level fields of its spec changed.

    Secret values come along; those named in `changes["secret_env"]` replace theirs. The
    answer and the errors are those of `job_submit`, and NotFound.
    """
    source = job_get(actor, job_id)
    must_submit(actor, source.project)
    digest = digest_of(f"rerun {job_id}", changes, idempotency_key)
    if (made := _earlier(actor, idempotency_key, digest)) is not None:
        return made, False
    spec, giver = _rerun_spec(actor, source, changes)
    return _submitted(
        actor, spec, key=idempotency_key, digest=digest, rerun_of=source, secrets_by=giver
    )


def job_cancel(actor: Actor, /, *, job_id: int) -> Job:
    """Ask a job to end; asking again changes nothing. Raises Conflict when it has ended."""
    job = job_get(actor, job_id)
    must_submit(actor, job.project)
    result = transitions.request_cancel([job_id], actor)
    job = job_get(actor, job_id)
    if job_id in result.already:
        raise Conflict(f"Job {job_id} has already ended: it is {job.state}.")
    return job


def may_force_finish(actor: Actor, job: Job) -> bool:
    """True for who may end what cannot be seen: the project's admins, and operators among
    those who see the job, its members; being staff alone shows no jobs."""
    return actor.may(Role.ADMIN, job.project_id) or actor.may_operate


def job_force_finish(actor: Actor, /, *, job_id: int) -> Job:
    """End a job's attempt whose provider does not answer; its program may still run.

    Raises Conflict unless there is such an attempt, Forbidden, NotFound.
    """
    job = job_get(actor, job_id)
    if not may_force_finish(actor, job):
        words = f"Only admins of {job.project.slug} and operators may force-finish a job."
        raise Forbidden(words)
    done = transitions.force_finish(job_id, actor)
    job = job_get(actor, job_id)
    if done:
        return job
    if job.state in TERMINAL:
        raise Conflict(f"Job {job_id} has already ended: it is {job.state}.")
    if job.state == JobState.PENDING:
        raise Conflict(f"Job {job_id} is on no provider. Cancel it instead.")
    raise Conflict(f"Job {job_id} is not out of sight: its provider answers. Cancel it instead.")


def may_rerun_now(job: Job) -> bool:
    """True for jobs that have ended; a page offers a rerun for those."""
    return job.state in TERMINAL


def _submitted(
    actor: Actor,
    spec: JobSpec,
    *,
    key: str | None,
    digest: bytes | None,
    rerun_of: Job | None = None,
    secrets_by: int | None = None,
) -> tuple[Job, bool]:
    project = Places(actor).of(spec)
    new = new_job(
        actor, spec, project, key=key, digest=digest, rerun_of=rerun_of, secrets_by=secrets_by
    )
    try:
        job = transitions.submit(new, actor)
    except (IntegrityError, LimitReached):
        # A twin of this request was faster, and may have taken the last place that there was;
        # its job is committed, so it is the answer.
        if (made := _earlier(actor, key, digest)) is None:
            raise
        return made, False
    job.project = project
    if actor.id is not None:
        job.submitted_by = User(pk=actor.id, username=actor.name)  # what its reader shows of it
    return job, True


def _rerun_spec(actor: Actor, source: Job, changes: object) -> tuple[JobSpec, int | None]:
    """The spec of a rerun, and whose secrets it carries. Raises Invalid."""
    if changes is not None and not isinstance(changes, Mapping):
        raise Invalid([FieldProblem("", "Send an object of the fields to change.")])
    giver = _secrets_giver(actor, source, changes or {})
    return parse_spec(_again(source, changes or {})), giver


def _secrets_giver(actor: Actor, source: Job, changes: Mapping[str, Any]) -> int | None:
    """The user whose secrets a rerun carries. Raises Invalid where it may not carry them.

    Only who gave them, or an admin of the project, takes secrets into a changed job: a
    changed program could print them in a form that no mask knows.
    """
    names = set(source.spec.get("secret_env_names") or ())
    given = changes.get("secret_env")
    missing = sorted(names - set(given)) if isinstance(given, Mapping) else sorted(names)
    if not missing:
        return actor.id
    giver: int | None = source.spec.get("secret_env_by", source.submitted_by_id)
    if changes and actor.id != giver and not actor.may(Role.ADMIN, source.project_id):
        words = f"Enter {', '.join(missing)} anew: a changed job does not take another's secrets."
        raise Invalid([FieldProblem("/secret_env", words)])
    return giver


def _again(source: Job, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a rerun: the stored one, the secrets opened, the changes laid over it."""
    spec: dict[str, Any] = dict(source.spec)
    for kept_apart in ("secret_env_names", "secret_env_by"):
        spec.pop(kept_apart, None)
    spec["hold"] = False
    spec["secret_env"] = open_values(source.secrets)
    for name, value in changes.items():
        if name == "secret_env" and isinstance(value, dict):
            spec["secret_env"] |= value
        else:
            spec[name] = value
    # One way to start and one way to place: the new one replaces the old one.
    for given, dropped in (("command", "script"), ("script", "command"), ("provider", "requires")):
        if changes.get(given) is not None and dropped not in changes:
            spec.pop(dropped, None)
    if changes.get("requires") and "provider" not in changes:
        spec.pop("provider", None)
    return spec


def _earlier(actor: Actor, key: str | None, digest: bytes | None) -> Job | None:
    made = earlier(actor, key, digest)
    return None if made is None else job_get(actor, made)
