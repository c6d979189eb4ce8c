"""Many jobs in one call: checked one by one, made all or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import IntegrityError
from pydantic import BaseModel, Field

from jobs import transitions
from jobs.spec import JobSpec, parse_spec
from jobs.submission import MAX_KEY, Places, digest_of, made_by, new_job
from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Forbidden, Invalid, LimitReached
from projects.models import Project
from projects.strict import MAX_PROBLEMS, kind_of, pointer

MOST_JOBS = 1000
MAX_BATCH_KEY = MAX_KEY - len(f"/{MOST_JOBS}")


class JobBatch(BaseModel):
    """The body of a call; each job is checked by itself (`jobs/spec.py`)."""

    jobs: list[JobSpec] = Field(min_length=1, max_length=MOST_JOBS)


def jobs_submit(
    actor: Actor, /, *, data: object, idempotency_key: str | None = None
) -> tuple[list[int], bool]:
    """Submit the jobs of `data["jobs"]`, all or none; their numbers in that order, and False
    where this key had already made them.

    Errors are those of `job_submit`; what is wrong with a job is told as its field below
    `/jobs/<place, from 0>`.
    """
    digest = digest_of("submit many", data, idempotency_key, longest=MAX_BATCH_KEY)
    specs = _specs(data)
    keys = [idempotency_key and f"{idempotency_key}/{nth}" for nth in range(len(specs))]
    if made := _earlier(actor, keys, digest):
        return made, False
    projects = _places(actor, specs)
    new = [
        new_job(actor, spec, project, key=key, digest=digest)
        for spec, project, key in zip(specs, projects, keys, strict=True)
    ]
    try:
        return transitions.submit_all(new, actor), True
    except (IntegrityError, LimitReached):
        # As in jobs/services.py: a twin of this request was faster.
        if not (made := _earlier(actor, keys, digest)):
            raise
        return made, False


def _specs(data: object) -> list[JobSpec]:
    """The specs, each with its own problems. Raises Invalid."""
    items = _items(data)
    specs: list[JobSpec] = []
    problems: list[FieldProblem] = []
    for nth, item in enumerate(items):
        try:
            specs.append(parse_spec(item))
        except Invalid as error:
            problems += _below(nth, error)
            if len(problems) >= MAX_PROBLEMS:
                break
    if problems:
        raise Invalid(problems[:MAX_PROBLEMS])
    return specs


def _items(data: object) -> Sequence[Any]:
    if not isinstance(data, Mapping):
        raise Invalid([FieldProblem("", f"Send a JSON object, not {kind_of(data)}.")])
    if unknown := [name for name in data if name != "jobs"]:
        words = "Unknown field; remove it."
        raise Invalid([FieldProblem(pointer([name]), words) for name in unknown[:MAX_PROBLEMS]])
    items = data.get("jobs")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_JOBS:
        raise Invalid([FieldProblem("/jobs", f"Send a list of 1 to {MOST_JOBS:,} jobs.")])
    return items


def _places(actor: Actor, specs: Sequence[JobSpec]) -> list[Project]:
    """The project of each spec. Raises Invalid, Forbidden."""
    places = Places(actor)
    found: list[Project] = []
    problems: list[FieldProblem] = []
    for nth, spec in enumerate(specs):
        try:
            found.append(places.of(spec))
        except Invalid as error:
            problems += _below(nth, error)
        except Forbidden as error:
            raise Forbidden(f"Job {nth} of the list: {error}") from None
    if problems:
        raise Invalid(problems[:MAX_PROBLEMS])
    return found


def _below(nth: int, error: Invalid) -> Iterator[FieldProblem]:
    for problem in error.problems:
        yield FieldProblem(f"/jobs/{nth}{problem.pointer}", problem.detail)


def _earlier(actor: Actor, keys: Sequence[str | None], digest: bytes | None) -> list[int]:
    """The jobs that these keys made before, none where they made none. Raises Conflict for
    another body, and where some of the jobs have been deleted since."""
    if digest is None:
        return []
    given = [key for key in keys if key is not None]
    made = made_by(actor, given, digest)
    if made and len(made) < len(given):
        words = "Some of the jobs of this Idempotency-Key have been deleted. Use a new key."
        raise Conflict(words)
    return [made[key] for key in given] if made else []
