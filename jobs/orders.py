"""From a stored job to what a driver is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.models import Attempt, Job
from providers.driver import Mount, RunSpec


def run_spec(
    job: Job, attempt: Attempt, *, instance: str, term: int, secrets: Mapping[str, str]
) -> RunSpec:
    """What the driver of this attempt is given; `secrets` are its secret variables, in clear."""
    spec: Mapping[str, Any] = job.spec
    entrypoint = tuple(spec.get("command") or ())
    args = tuple(spec.get("args") or ())
    if spec.get("script"):
        # The args of a script are its positional parameters; $0 is the shell's name.
        entrypoint = ("/bin/sh", "-c", spec["script"], *(("sh",) if args else ()))
    return RunSpec(
        instance=instance,
        job=job.pk,
        attempt=attempt.number,
        uid=str(attempt.uid),
        term=term,
        name=job.name,
        image=job.image,
        entrypoint=entrypoint,
        args=args,
        env={**(spec.get("env") or {}), **secrets, **_itself(attempt)},
        working_dir=spec.get("working_dir") or "",
        user=spec.get("user") or "",
        cpu_cores=attempt.cpu_millis / 1000,
        memory_mb=attempt.memory_mb,
        gpus=attempt.gpus,
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
