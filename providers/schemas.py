"""What the API takes and shows of providers and engine requests."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from projects.rules import label_key, one_line, slug
from projects.strict import StrictModel
from providers.mounts import allow_list_entry

BIGGEST = 2**31 - 1
Slug = Annotated[str, AfterValidator(slug)]
Labels = dict[
    Annotated[str, AfterValidator(label_key)],
    Annotated[str, Field(max_length=255), AfterValidator(one_line)],
]
AllowList = Annotated[list[Annotated[str, AfterValidator(allow_list_entry)]], Field(max_length=100)]
Amount = Annotated[int, Field(ge=1, le=BIGGEST)]
KindName = Literal["docker", "process", "fake"]
ModeName = Literal["active", "draining", "inactive"]
StrategyName = Literal["spread", "pack"]
GroupName = Annotated[str, Field(max_length=63, pattern=r"^[A-Za-z0-9_-]*$")]
Cost = Annotated[float, Field(ge=0, le=100_000)]
"""Per hour, in whatever currency the instance counts; kept to a ten-thousandth."""


class ProviderIn(StrictModel):
    """A new provider. Capacity that is not given is discovered."""

    name: Slug
    kind: KindName
    options: dict[str, Any] = Field(
        default_factory=dict, description="The kind's own settings, see docs/driver-guide.md."
    )
    mode: ModeName = "active"
    labels: Labels = Field(default_factory=dict, max_length=64)
    mount_allow_list: AllowList = Field(
        default_factory=list,
        description="Folders jobs may mount: /path and below; /path:rw alone, to write.",
    )
    cpu_millis: Amount | None = Field(default=None, description="Thousandths of a core.")
    memory_mb: Amount | None = Field(default=None, description="MiB.")
    gpus: int = Field(default=0, ge=0, le=1024)
    slots: Amount | None = Field(default=None, description="Most attempts at once.")
    lost_after_seconds: Amount | None = Field(
        default=None, description="Give running attempts up after this long; null: never."
    )
    group: GroupName = Field(default="", description="Providers of one group are filled alike.")
    strategy: StrategyName = Field(
        default="spread",
        description="spread: the emptiest first; pack: the fullest first. Holds for its group.",
    )
    cost_per_hour: Cost | None = Field(
        default=None, description="Of providers that suit a job equally the cheaper is taken."
    )


class ProviderChange(StrictModel):
    """Changes to a provider; what is left out stays as it is."""

    name: Slug = Field(default="")
    options: dict[str, Any] = Field(default_factory=dict)
    mode: ModeName = "active"
    labels: Labels = Field(default_factory=dict, max_length=64)
    mount_allow_list: AllowList = Field(default_factory=list)
    cpu_millis: Amount | None = None
    memory_mb: Amount | None = None
    gpus: int = Field(default=0, ge=0, le=1024)
    slots: Amount | None = None
    lost_after_seconds: Amount | None = None
    group: GroupName = ""
    strategy: StrategyName = "spread"
    cost_per_hour: Cost | None = None


class CredentialIn(StrictModel):
    """A login to one image registry; the password is never shown again."""

    registry: Annotated[
        str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$")
    ]
    username: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(one_line)]
    password: str = Field(min_length=1, max_length=16_384, repr=False)


class Usage(BaseModel):
    """What live attempts have been given."""

    running: int
    cpu_millis: int
    memory_mb: int
    gpus: int


class ProviderOut(BaseModel):
    """A provider as the API shows it. `options` only to those who manage providers."""

    id: int
    name: str
    kind: str
    mode: str
    health: str
    last_error: str
    last_error_at: datetime | None
    probed_at: datetime | None
    unreachable_since: datetime | None
    version: str
    labels: dict[str, str]
    options: dict[str, Any] | None
    mount_allow_list: list[str]
    cpu_millis: int
    memory_mb: int
    gpus: int
    slots: int | None
    lost_after_seconds: int | None
    group: str
    strategy: str
    cost_per_hour: float | None
    used: Usage
    disk_free_bytes: int | None
    disk_total_bytes: int | None
    clock_offset_ms: int | None
    facts: dict[str, Any]
    rev: int
    created_at: datetime


class ProviderList(BaseModel):
    """One page of providers."""

    items: list[ProviderOut]
    next_cursor: str | None


class EngineRequestOut(BaseModel):
    """What was asked of an engine and how far it is. `message` is in plain words."""

    id: int
    kind: str
    provider: str
    provider_id: int
    status: str
    message: str
    steps: list[Any]
    result: dict[str, Any]
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None
