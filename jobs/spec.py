"""The job spec: everything a person may say about a job, checked field by field.

`parse_spec` takes a decoded JSON object from the API, the form or a rerun and answers a
`JobSpec` with every default filled in, or raises `Invalid` naming each wrong field. There
is no coercion: "1" is not 1 and true is not 1. What is checked against the database
(project, provider, mounts) is checked by `jobs/services.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from jobs import spec_rules as rules
from jobs.spec_contradictions import contradictions
from projects.errors import Invalid
from projects.rules import (
    absolute_path,
    absolute_path_or_none,
    at_most_bytes,
    label_key,
    one_line,
    slug,
    whole_number,
)
from projects.strict import StrictModel, parse_strict

MAX_SPEC_BYTES = 256 * 1024
MAX_VALUE_BYTES = 96 * 1024
MAX_ENV = 256
MAX_SECRETS = 64
DAY = 86_400
MAX_SECONDS = 30 * DAY

Value = Annotated[str, AfterValidator(at_most_bytes(MAX_VALUE_BYTES))]
EnvName = Annotated[str, AfterValidator(rules.env_name)]
Slug = Annotated[str, AfterValidator(slug)]
Path = Annotated[str, AfterValidator(absolute_path)]
Name = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(rules.name)]
Key = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(rules.name)]
Image = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(rules.image_reference)]
User = Annotated[str, Field(max_length=64), AfterValidator(rules.user)]
RetryOn = Annotated[int | str, BeforeValidator(rules.retry_on)]
LabelKey = Annotated[str, AfterValidator(label_key)]
LabelValue = Annotated[str, Field(max_length=255), AfterValidator(one_line)]


DEFAULT_PRIORITY = 50
LEAST_CPU_MILLIS = 10
LEAST_MEMORY_MB = 6
"""Docker takes no container with less."""


class Resources(StrictModel):
    """What one attempt may use at most; memory in MiB, no swap beyond it."""

    cpu_cores: float = Field(
        default=1.0,
        ge=LEAST_CPU_MILLIS / 1000,
        le=1024,
        description="Cores; 0.5 is half of one.",
    )
    memory_mb: int = Field(default=512, ge=LEAST_MEMORY_MB, le=16 * 1024 * 1024, description="MiB.")
    gpus: int = Field(default=0, ge=0, le=64)
    timeout_seconds: int = Field(
        default=DAY, ge=1, le=MAX_SECONDS, description="Run time, counted from the program's start."
    )


class MountSpec(StrictModel):
    """A folder of the provider's machine, from its administrator's allow-list."""

    source: Path
    target: Path
    read_only: bool = True


class Requirement(StrictModel):
    """What a provider's labels must be: `values` has one for eq and neq, some for in and
    not_in, none for exists and not_exists, one number for gt (more than) and lt (less than)."""

    key: LabelKey
    op: Literal["eq", "neq", "in", "not_in", "exists", "not_exists", "gt", "lt"]
    values: list[LabelValue] = Field(default_factory=list, max_length=64)

    @model_validator(mode="after")
    def _values_fit_the_op(self) -> Self:
        count = len(self.values)
        if self.op in ("exists", "not_exists") and count:
            raise ValueError(f"Leave values empty with {self.op}.")
        if self.op in ("eq", "neq") and count != 1:
            raise ValueError(f"Give exactly one value with {self.op}.")
        if self.op in ("gt", "lt") and (count != 1 or not rules.is_number(self.values[0])):
            raise ValueError(f"Give exactly one number with {self.op}, for example 40.")
        if self.op in ("in", "not_in") and not count:
            raise ValueError(f"Give at least one value with {self.op}.")
        return self


class Retry(StrictModel):
    """When a failed attempt is tried again. `max_attempts` counts the first one too."""

    max_attempts: int = Field(default=1, ge=1, le=100)
    backoff_seconds: int = Field(
        default=10,
        ge=0,
        le=DAY,
        description="Before the second attempt; doubles with each further one.",
    )
    on: list[RetryOn] = Field(
        default_factory=list,
        max_length=64,
        description="Exit codes (1-255) and reasons. Empty: every failure of the job's own.",
    )

    @field_validator("on")
    @classmethod
    def _each_once(cls, on: list[int | str]) -> list[int | str]:
        if len(set(on)) != len(on):
            raise ValueError("Name each only once.")
        return on


class Concurrency(StrictModel):
    """Of its project's jobs with this key no more than `limit` run at once."""

    key: Key
    limit: int = Field(default=1, ge=1, le=10_000)
    on_overflow: Literal["queue", "cancel_newest", "cancel_running"] = Field(
        default="queue",
        description="Where as many run already: wait; cancel the newest, or older ones for it.",
    )


class JobSpec(StrictModel):
    """One job as it was asked for, with its defaults. See docs/concepts.md for the words."""

    spec_version: Annotated[Literal[1], BeforeValidator(whole_number)] = 1
    project: Slug = Field(default="default", description="The project's slug.")
    name: Name
    image: Image
    command: list[Value] | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="argv; replaces the image's entry point.",
    )
    script: Value | None = Field(
        default=None, min_length=1, description="Text for /bin/sh -c, instead of command."
    )
    args: list[Value] = Field(default_factory=list, max_length=1024)
    env: dict[EnvName, Value] = Field(default_factory=dict, max_length=MAX_ENV)
    secret_env: dict[EnvName, Value] = Field(
        default_factory=dict,
        max_length=MAX_SECRETS,
        repr=False,
        description="Write-only; never shown.",
    )
    working_dir: Annotated[str, AfterValidator(absolute_path_or_none)] = Field(
        default="", description="Absolute; empty is the image's own."
    )
    user: User = Field(default="", description="Name or number, with :group if wanted.")
    resources: Resources = Field(default_factory=Resources)
    network: Literal["bridge", "none"] = "bridge"
    mounts: list[MountSpec] = Field(default_factory=list, max_length=32)
    profile: Literal["standard", "restricted"] = "standard"
    priority: int = Field(default=DEFAULT_PRIORITY, ge=0, le=100, description="Higher runs first.")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=64)
    provider: Slug | None = Field(default=None, description="Run on this provider only.")
    requires: list[Requirement] = Field(default_factory=list, max_length=32)
    concurrency: Concurrency | None = Field(
        default=None, description="How many jobs of its kind may run at once."
    )
    anti_affinity: list[LabelKey] = Field(
        default_factory=list,
        max_length=8,
        description="Keys of its own labels: it goes to no provider where another job of its "
        "project has the same label with the same value.",
    )
    retry: Retry = Field(default_factory=Retry)
    queue_timeout_seconds: int | None = Field(default=None, ge=1, le=MAX_SECONDS)
    hold: bool = Field(default=False, description="Wait until somebody releases it.")

    @property
    def cpu_millis(self) -> int:
        """Thousandths of a core."""
        return round(self.resources.cpu_cores * 1000)

    def stored(self) -> dict[str, Any]:
        """What is kept and shown: everything but the values of `secret_env`."""
        values = self.model_dump(exclude={"secret_env"})
        values["secret_env_names"] = sorted(self.secret_env)
        return values


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    return value.model_dump() if isinstance(value, StrictModel) else value


DEFAULTS: Mapping[str, Any] = {
    name: _plain(field.get_default(call_default_factory=True))
    for name, field in JobSpec.model_fields.items()
    if not field.is_required()
}
"""What a field is that is left out, as it is stored."""


def in_order(stored: object) -> dict[str, Any]:
    """A stored spec in the order of its fields here; the database keeps none. One that is no
    object, which nobody could have submitted, is shown as what it is."""
    if not isinstance(stored, Mapping):
        return {"unreadable": stored}
    names = [*JobSpec.model_fields, "secret_env_names"]
    return {name: stored[name] for name in names if name in stored} | dict(stored)


def parse_spec(data: object) -> JobSpec:
    """The spec of a decoded JSON object. Raises Invalid naming every wrong field."""
    spec = parse_strict(JobSpec, data, most_bytes=MAX_SPEC_BYTES)
    problems = list(contradictions(spec))
    if problems:
        raise Invalid(problems)
    return spec
