"""The seam under the loop: all that it reads and writes, as values.

`PostgresStore` is the real one. A simulation runs the same loop decisions over an
in-memory twin that evaluates the same tables of `jobs/states.py` and passes the same
contract tests. Every method is short, does not call a provider, and may raise
`StoreDown`: the caller waits and tries again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, Protocol

from jobs.endings import Ending
from jobs.log.frames import Position
from jobs.log.store import Append
from jobs.stat_store import Measured
from jobs.states import Phase
from jobs.transitions import BatchResult, Move
from orchestrator.reconcile import Wanted
from orchestrator.scheduling.policy import Plan
from orchestrator.scheduling.snapshot import Snapshot
from projects.notify import LiveChanges
from providers.driver import Credential, Owned, Probe, RunSpec
from providers.leases import Fence

ALL_ALIKE: Mapping[int, int] = MappingProxyType({})
"""No class is read deeper than others."""


class StoreDown(Exception):
    """The database does not answer, or broke off: nothing is known of the last call."""


@dataclass(frozen=True, slots=True)
class CancelWish:
    """Somebody wants an attempt's job cancelled: who, and since when."""

    attempt: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """One live attempt, as a host takes it up.

    `run` is what the driver gets; `log` and `cursor` are where its stored log stands.
    """

    attempt: int
    job: int
    provider: int
    phase: Phase
    run: RunSpec
    timeout_seconds: float
    handle: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    fencing: bool = False
    """Its container, not started, was about to be removed by us, and may be."""
    cancel: CancelWish | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values to mask in its log."""
    broken: str = ""
    """Why its secrets, which its log would be masked with, cannot be opened."""
    unfit: Ending | None = None
    """How it ends instead of being begun: its secrets or its spec cannot be read."""
    log: Position = field(default_factory=Position)
    cursor: Mapping[str, Any] | None = None
    not_seen: bool = False
    """It is marked as not seen."""


@dataclass(frozen=True, slots=True)
class Site:
    """A provider as its host needs it. `rev` rises with every edit of an operator's."""

    id: int
    name: str
    kind: str
    options: Mapping[str, Any]
    rev: int
    lost_after_seconds: int | None = None
    mount_allow_list: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What web asks of an engine."""

    id: int
    provider: int
    kind: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leftover:
    """An ended attempt whose container is still to be removed."""

    attempt: int
    handle: Mapping[str, Any]


Word = Literal["placed", "cancel", "requests"]
"""What a host may have to be handed."""


class Store(Protocol):
    """What the loop needs of the database."""

    instance: str

    def acquire(self, names: Sequence[str], dead_holders: Sequence[str]) -> list[Fence]: ...
    def renew(self, held: Sequence[Fence]) -> set[str]: ...
    def release(self, held: Sequence[Fence]) -> None: ...

    def sites(self) -> list[Site]:
        """All providers that were not deleted, whatever their mode."""
        ...

    def tend_queue(self, fence: Fence) -> LiveChanges:
        """What time does to the queue: retries come due, waits end at their limit, and jobs that
        were made without a class get one. Returns what changed."""
        ...

    def snapshot(self, depth: int = 32, deeper: Mapping[int, int] = ALL_ALIKE) -> Snapshot:
        """What waits in line, at most `depth` jobs of each class, of those in `deeper` as many as
        it says, and the providers, projects and keys with what is in use."""
        ...

    def commit_plan(
        self, fence: Fence, plan: Plan, *, wake_hosts: bool = True
    ) -> tuple[int, LiveChanges]:
        """Write a plan, capacity and limits re-checked: how many jobs were placed, and what
        changed. `wake_hosts`: some of the providers are driven by other processes."""
        ...

    def news(self, providers: Collection[int]) -> frozenset[Word]:
        """Which of `placed`, `cancels` and `requests` have something on these providers."""
        ...

    def placed(self, providers: Collection[int], known: Collection[int] = ()) -> list[Order]:
        """Attempts in phase `placed` on these providers, but for those that are known. One that
        was handed on stays in this phase until its first move is written."""
        ...

    def live(self, provider: int) -> list[Order]:
        """All live attempts of a provider."""
        ...

    def orders(self, attempts: Collection[int]) -> list[Order]:
        """Those of these attempts that are live."""
        ...

    def wanted(self, provider: int) -> list[Wanted]:
        """Which attempts of a provider are live, and where each stands. Read again and again:
        nothing of their specs and logs."""
        ...

    def cancels(self, providers: Collection[int]) -> list[CancelWish]:
        """Wishes to cancel live attempts of these providers."""
        ...

    def apply(
        self, moves: Sequence[Move], live: LiveChanges | None, *, wake_scheduler: bool
    ) -> BatchResult:
        """Write moves in one transaction, with `live` (if any) told in it."""
        ...

    def phases(self, attempts: Collection[int]) -> dict[int, Phase]:
        """Where attempts stand, for one who does not know whether a commit got through."""
        ...

    def append_logs(self, appends: Sequence[Append], measured: Sequence[Measured] = ()) -> set[int]:
        """Write logs, and readings of what attempts use, in one transaction: the attempts
        whose log has grown."""
        ...

    def log_ends(self, attempts: Collection[int]) -> dict[int, int]:
        """The seq of the last chunk of each, for one who does not know whether a commit
        got through."""
        ...

    def tell(self, live: LiveChanges) -> None: ...
    def progress(self, fence: Fence, attempt: int, progress: Mapping[str, Any]) -> None: ...
    def unseen(self, fence: Fence, attempts: Sequence[int], *, unseen: bool, why: str = "") -> None:
        """Mark live attempts as not seen (`why`: the engine's last word), or as seen again."""
        ...

    def leftovers(self, provider: int) -> list[Leftover]: ...
    def removed(self, fence: Fence, attempts: Sequence[int]) -> None:
        """The containers of these ended attempts are confirmed to be gone."""
        ...

    def not_removed(self, fence: Fence, attempt: int, why: str) -> None: ...
    def swept(self, fence: Fence, provider: int, thing: Owned, why: str) -> None:
        """A thing that no live attempt owns was removed, or was not (`why`)."""
        ...

    def strays_gone(self, fence: Fence, provider: int, present: Collection[str]) -> None:
        """Of the things that no attempt owns only these are still there."""
        ...

    def live_uids(self, uids: Collection[str]) -> set[str]:
        """Those uids that belong to live attempts of ours: never swept."""
        ...

    def save_probe(self, fence: Fence, provider: int, probe: Probe) -> None: ...

    def requests(self, providers: Collection[int]) -> list[Request]: ...
    def answer(
        self,
        fence: Fence,
        request: int,
        *,
        steps: Sequence[Mapping[str, Any]],
        result: Mapping[str, Any] | None,
        failed: bool,
    ) -> None:
        """Tell what was done of a request so far; with `result` it is over for good."""
        ...

    def close(self) -> None:
        """Close this thread's connection."""
        ...
