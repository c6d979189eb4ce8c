"""From a stored job to what a driver is given.

A spec was checked when it was submitted. One that cannot be read all the same (edited by
hand, of a version that is no more) must not keep any other job waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobs.models import Attempt, Job
from providers.driver import Mount, RunSpec

DEFAULT_TIMEOUT_SECONDS = 86_400.0
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


class SpecUnreadable(ValueError):
    """A stored spec does not have the shape that specs have; the message says where."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition of a stored spec on a provider's labels."""

    key: str
    op: str
    values: tuple[str, ...]


def requirements(stored: Any) -> tuple[Requirement, ...]:
    """The conditions of a stored spec. Raises SpecUnreadable."""
    try:
        return tuple(
            Requirement(str(r["key"]), str(r["op"]), tuple(r.get("values") or ()))
            for r in stored or ()
        )
    except _UNREADABLE as error:
        raise SpecUnreadable(f"its requirements: {_words(error)}") from error


def bare_spec(job: Job, attempt: Attempt, *, instance: str, term: int) -> RunSpec:
    """What is known of an attempt without its spec: enough to find it, not to run it."""
    return RunSpec(
        instance=instance,
        job=job.pk,
        attempt=attempt.number,
        uid=str(attempt.uid),
        term=term,
        name=job.name,
        image=job.image,
        cpu_cores=attempt.cpu_millis / 1000,
        memory_mb=attempt.memory_mb,
        gpus=attempt.gpus,
    )


def timeout_seconds(job: Job) -> float:
    """How long its program may run. Raises SpecUnreadable."""
    try:
        resources = job.spec.get("resources") or {}
        return float(resources.get("timeout_seconds") or DEFAULT_TIMEOUT_SECONDS)
    except _UNREADABLE as error:
        raise SpecUnreadable(f"its resources: {_words(error)}") from error


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error)


def run_spec(
    job: Job, attempt: Attempt, *, instance: str, term: int, secrets: Mapping[str, str]
) -> RunSpec:
    """What the driver of this attempt is given; `secrets` are its secret variables, in clear.
    Raises SpecUnreadable."""
    bare = bare_spec(job, attempt, instance=instance, term=term)
    try:
        return _with_program(bare, job.spec, {**secrets, **_itself(attempt)})
    except _UNREADABLE as error:
        raise SpecUnreadable(_words(error)) from error


def _with_program(bare: RunSpec, spec: Mapping[str, Any], env: Mapping[str, str]) -> RunSpec:
    requirements(spec.get("requires"))
    entrypoint = tuple(spec.get("command") or ())
    args = tuple(spec.get("args") or ())
    if spec.get("script"):
        # The args of a script are its positional parameters; $0 is the shell's name.
        entrypoint = ("/bin/sh", "-c", spec["script"], *(("sh",) if args else ()))
    return replace(
        bare,
        entrypoint=entrypoint,
        args=args,
        env={**(spec.get("env") or {}), **env},
        working_dir=spec.get("working_dir") or "",
        user=spec.get("user") or "",
        network=spec.get("network") or "bridge",
        profile=spec.get("profile") or "standard",
        mounts=tuple(
            Mount(m["source"], m["target"], bool(m.get("read_only", True)))
            for m in spec.get("mounts") or ()
        ),
    )


def _itself(attempt: Attempt) -> dict[str, str]:
    """What a program is told of itself, to name its files by."""
    return {
        "GANTRY_JOB": str(attempt.job_id),
        "GANTRY_ATTEMPT": str(attempt.number),
        "GANTRY_ATTEMPT_UID": str(attempt.uid),
    }
