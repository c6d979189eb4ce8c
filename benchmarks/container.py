"""The container that both sides run: the same image, program, limits and host options."""

from __future__ import annotations

import uuid
from typing import Any

from orchestrator.local.image import SAMPLE
from providers.driver import RunSpec
from providers.drivers.docker.container import container_body

JOB: dict[str, Any] = {
    "name": "bench",
    "project": "default",
    "image": SAMPLE,
    "command": ["true"],
    "resources": {"cpu_cores": 0.25, "memory_mb": 64},
}
"""A job that does nothing: what is measured is everything around it. Four fit on two cores."""
BARE = "gantry-bench-bare"
"""The instance that bare containers are labelled with, so that their remains are found."""


def bare_body() -> dict[str, Any]:
    """The body that the docker driver would send for that job."""
    resources = JOB["resources"]
    return container_body(
        RunSpec(
            instance=BARE,
            job=1,
            attempt=1,
            uid=str(uuid.uuid4()),
            term=1,
            name=JOB["name"],
            image=JOB["image"],
            entrypoint=tuple(JOB["command"]),
            cpu_cores=resources["cpu_cores"],
            memory_mb=resources["memory_mb"],
        )
    )
