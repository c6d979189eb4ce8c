"""What a driver is: the contract between Gantry and one kind of provider.

A driver takes values and returns values. It knows nothing of Django, of jobs or of
leases, and it holds no truth: after a crash everything is found again through
`list_owned` and `observe`. Every method is synchronous, is called from any thread,
and has a deadline of its own: it returns or raises, it never hangs.

The rules that every driver keeps, tested by one suite (`tests/contract/`):

* `create` never runs the job's program. `start` is called at most once for a handle.
* `observe` is a query, never a wait. A thing that is not there is `GONE`, not an error.
* `stop` and `remove` are idempotent: `GONE` is success.
* `remove(force=False)` refuses (`StillRunning`) what is running; it is the fence of a
  takeover (docs/concepts.md).
* Everything that is made carries the labels of `LABELS`; only what carries them is
  listed or removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

# Opaque JSON objects with a version under "v"; only their own driver reads them.
Handle = Mapping[str, Any]
Cursor = Mapping[str, Any]

LABEL_INSTANCE = "gantry.instance"
LABEL_JOB = "gantry.job"
LABEL_ATTEMPT = "gantry.attempt"
LABEL_UID = "gantry.uid"
LABEL_TERM = "gantry.term"
LABELS = (LABEL_INSTANCE, LABEL_JOB, LABEL_ATTEMPT, LABEL_UID, LABEL_TERM)


# --- errors: each class says what the caller does next ------------------------------


class DriverError(Exception):
    """The provider did not do what it was asked; the class says what to do next."""


class Unreachable(DriverError):
    """The call's effect is unknown (refused, timed out, cut): reconcile before trying again."""


class EngineFault(Unreachable):
    """It answered that it failed: the effect is unknown just so, but all else may be asked."""


class Rejected(DriverError):
    """The provider said no for good: `reason` is a code of jobs/reasons.py, the text for users."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoCapacity(DriverError):
    """The provider has no room now (memory, disk, processes): the job goes back to the queue."""


class RegistryUnreachable(DriverError):
    """The engine answers but cannot reach the image's registry: worth another try."""


class StillRunning(DriverError):
    """`remove(force=False)` met a thing whose program had started and still runs: adopt it."""


# --- values in ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """How to reach one provider: what the driver's factory is given.

    `options` are the kind's own settings (for docker: `base_url`, `tls_*`), validated by whoever
    stored them. `data_dir` is a folder of this instance for drivers that keep files (process).
    """

    name: str
    instance: str
    options: Mapping[str, Any] = field(default_factory=dict)
    data_dir: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """A registry login, decrypted just before use and never logged."""

    registry: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount; `source` was checked against the provider admin's allow-list."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One attempt, as a driver understands it.

    `entrypoint` replaces the image's entry point and `args` its default command (as Kubernetes'
    `command` and `args`); empty means the image's own. `cpu_cores` are cores (1.5 = one and a
    half), `memory_mb` MiB. `env` holds plain and secret variables alike, in clear.
    """

    instance: str
    job: int
    attempt: int
    uid: str
    term: int
    name: str
    image: str
    entrypoint: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    working_dir: str = ""
    user: str = ""
    cpu_cores: float = 1.0
    memory_mb: int = 512
    gpus: int = 0
    pids: int = 512
    network: Literal["bridge", "none"] = "bridge"
    profile: Literal["standard", "restricted"] = "standard"
    mounts: tuple[Mount, ...] = ()

    def labels(self) -> dict[str, str]:
        """The labels that mark everything made for this attempt as ours."""
        return {
            LABEL_INSTANCE: self.instance,
            LABEL_JOB: str(self.job),
            LABEL_ATTEMPT: str(self.attempt),
            LABEL_UID: self.uid,
            LABEL_TERM: str(self.term),
        }


# --- values out --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this kind of provider can do at all; static per driver."""

    kind: str
    isolation: bool
    """True where a job runs in a container of its own."""
    pulls: bool = False
    """True where `pull` fetches images; false: images mean nothing here."""
    stats: bool = False
    gpus: bool = False
    mounts: bool = False
    networks: frozenset[str] = frozenset({"bridge", "none"})
    profiles: frozenset[str] = frozenset({"standard"})
    parallel_starts: int = 4
    """How many create/start calls at once serve this engine best."""


class Health(StrEnum):
    """What a probe says of a provider."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer of a cheap, bounded look at a provider. `probe` never raises.
    `clock_offset_ms` is the engine's clock minus ours; `None` where a number is not told."""

    health: Health
    detail: str = ""
    """Plain words for a person, empty when healthy."""
    version: str = ""
    cpu_cores: float | None = None
    memory_mb: int | None = None
    gpus: int = 0
    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None
    clock_offset_ms: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    """Name → value shown on the provider's page (os, architecture, cgroup version, …)."""
    images: frozenset[str] | None = None  # by every name that a spec may call them


class RunState(StrEnum):
    """Where a container (or process) is, as its engine tells."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Observation:
    """What an engine says of one handle now.

    `exit_code` is set when `EXITED` (128 + n for signal n). `error` is the engine's own
    text, e.g. why a start was refused. Times are aware datetimes of the engine's clock.
    `could_not_start`: the engine or the init process says that it was never executed.
    """

    state: RunState
    exit_code: int | None = None
    oom_killed: bool = False
    could_not_start: bool = False
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    engine_restarted: bool = False
    ended_by_engine: bool = False
    """The engine itself began after this failed end; it tells that it brought it about."""


@dataclass(frozen=True, slots=True)
class Owned:
    """One thing on the provider that carries our labels, in the state it is listed with."""

    handle: Handle
    instance: str
    job: int
    attempt: int
    uid: str
    term: int
    state: RunState
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is: bytes done of bytes known so far, and a short text."""

    text: str
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StatsSample:
    """One reading of a running attempt: cores in use, bytes of memory in use."""

    at: datetime
    cpu_cores: float
    memory_bytes: int


class Stream(StrEnum):
    """Which output a piece of log came from."""

    STDOUT = "stdout"
    STDERR = "stderr"


class LogFrame(NamedTuple):
    """A piece of output, byte for byte: joining `data` per stream gives what was written.

    `at_ns` is the engine's stamp (ns since the epoch). `starts_line` / `ends_line` tell
    whether this piece begins a line on its stream and whether its last byte is a newline.
    """

    stream: Stream
    at_ns: int
    data: bytes
    starts_line: bool
    ends_line: bool


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Frames in the engine's order, and the cursor from which reading goes on after them.

    The cursor is small JSON; it is stored in the transaction that stores the frames, so
    that a restarted reader neither loses nor doubles a byte. `gap`: output before is lost.
    """

    frames: tuple[LogFrame, ...]
    cursor: Cursor
    gap: str = ""


GONE_UNREAD = "it was gone from the engine before its output was read to the end"


class LogStream(Protocol):
    """An open reading of one attempt's output."""

    def __iter__(self) -> Iterator[LogBatch]:
        """Batches as they come. Ends at EOF, which alone proves nothing: `observe` decides.
        What is gone gives one batch without frames, whose `gap` is GONE_UNREAD.

        Raises Unreachable when the connection breaks or stays silent past its deadline.
        """
        ...

    def close(self) -> None:
        """End the iteration soon; may be called from another thread, and twice."""
        ...


@runtime_checkable
class Driver(Protocol):
    """One provider, spoken to. See the module's text for the rules."""

    @property
    def capabilities(self) -> Capabilities: ...

    def probe(self) -> Probe:
        """Look at the provider, within a few seconds. Never raises; says UNREACHABLE."""
        ...

    def pull(
        self,
        image: str,
        credential: Credential | None,
        progress: Callable[[PullProgress], None],
    ) -> str:
        """Make the image present and return its id; at once, and without one call of
        `progress`, where it is already there.

        Raises Rejected (`image_not_found`, `image_denied`), Unreachable when the *engine*
        does not answer, `RegistryUnreachable` when the engine cannot reach the registry.
        """
        ...

    def create(self, spec: RunSpec) -> Handle:
        """Make the container without running any of the job's code.

        Called again with the same `uid` it returns the handle of what is there.
        Raises Rejected (`image_not_found`, `rejected`), NoCapacity, Unreachable.
        """
        ...

    def start(self, handle: Handle) -> None:
        """Run the program; the caller makes this call once for a handle, ever.

        Raises Rejected (`could_not_start`, `removed_outside` when it is gone),
        NoCapacity, Unreachable (it may have started: observe).
        """
        ...

    def observe(self, handle: Handle) -> Observation:
        """The state now. Raises Unreachable."""
        ...

    def list_owned(self) -> Sequence[Owned]:
        """All with this instance's labels; no single one delays the others. Raises Unreachable."""
        ...

    def logs(self, handle: Handle, cursor: Cursor | None, *, follow: bool) -> LogStream:
        """Output after `cursor` (None: from the first byte). With `follow` until the end
        of the program, otherwise to what is there now."""
        ...

    def stop(self, handle: Handle, grace_seconds: float) -> None:
        """Ask the program to end (SIGTERM), and kill it after the grace; 0 kills at once.

        Returns when it has ended or the grace is over. Raises Unreachable.
        """
        ...

    def remove(self, handle: Handle, *, force: bool) -> None:
        """Delete it and what belongs to it. Raises StillRunning (not with force), Unreachable."""
        ...

    def close(self) -> None:
        """Release connections; what runs keeps running."""
        ...


@runtime_checkable
class Forgetful(Protocol):
    """Drivers of engines that may lose the last output of what ends while they are away."""

    def saw_end(self, handle: Handle, lost_at: datetime) -> bool | None:
        """Whether it saw this end, lost to us at that moment of its clock; None: unknown."""
        ...


@runtime_checkable
class SupportsStats(Protocol):
    """Drivers whose capabilities say `stats`."""

    def stats(self, handle: Handle) -> StatsSample | None:
        """One reading, or None when it no longer runs. Raises Unreachable."""
        ...
