"""The options of each kind of provider, checked before they are stored.

Paths name files on the machines where `orchestrate` runs. Drivers read the same names
(providers/drivers/): a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from django.conf import settings
from pydantic import AfterValidator, Field

from projects.errors import FieldProblem, Invalid
from projects.rules import absolute_path_or_none, one_line
from projects.strict import StrictModel, parse_strict

_ADDRESS = re.compile(
    r"unix:///[^\s:]+|(?:tcp|https)://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?/?"
)
_MOST_BYTES = 16 * 1024


def engine_address(value: str) -> str:
    """Where a Docker engine listens; empty means as the docker command finds it."""
    if value and not _ADDRESS.fullmatch(value):
        raise ValueError("Use unix:///path, tcp://host:port or https://host:port.")
    return value


File = Annotated[str, Field(max_length=1024), AfterValidator(absolute_path_or_none)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class DockerOptionsIn(StrictModel):
    """A Docker engine. Nothing given: DOCKER_HOST, the current context, the local socket."""

    base_url: Annotated[str, Field(max_length=1024), AfterValidator(engine_address)] = ""
    context: Annotated[str, Field(max_length=255), AfterValidator(one_line)] = ""
    tls_ca: File = ""
    tls_cert: File = ""
    tls_key: File = ""
    tls_verify: bool = True
    gpus: int = Field(default=0, ge=0, le=1024)
    query_seconds: Seconds = 10.0
    effect_seconds: Seconds = 120.0
    pull_seconds: Seconds = 3600.0
    pull_silence_seconds: Seconds = 120.0
    log_idle_seconds: Seconds = 30.0


class ProcessOptionsIn(StrictModel):
    """Programs on the machine itself; it has no options."""


class FakeOptionsIn(StrictModel):
    """A scripted provider's size, and whether its runs outlast the engine process."""

    cpu_cores: float = Field(default=8.0, gt=0, le=100_000)
    memory_mb: int = Field(default=16_384, ge=1, le=2**31 - 1)
    gpus: int = Field(default=0, ge=0, le=1024)
    lasting: bool = True


OPTIONS: Mapping[str, type[StrictModel]] = {
    "docker": DockerOptionsIn,
    "process": ProcessOptionsIn,
    "fake": FakeOptionsIn,
}


def checked_options(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, proved right for their kind.

    Raises Invalid with pointers under /options (or /kind). Defaults are not filled in:
    they are the driver's and may improve.
    """
    if kind == "fake" and not settings.ALLOW_FAKE_DRIVER:
        raise Invalid(
            [FieldProblem("/kind", "The fake driver is for tests; set GANTRY_ALLOW_FAKE=1 first.")]
        )
    try:
        parsed = parse_strict(OPTIONS[kind], dict(options), most_bytes=_MOST_BYTES)
    except Invalid as error:
        raise Invalid(
            [FieldProblem("/options" + p.pointer, p.detail) for p in error.problems]
        ) from None
    return parsed.model_dump(exclude_unset=True)
