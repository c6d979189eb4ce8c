"""What an attempt asks of its host, and the two ways in which it is told to stop asking."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

from jobs.transitions import Move, Written
from orchestrator.store import Store
from providers.driver import Credential, Driver, Handle, PullProgress, RunSpec, Unreachable
from providers.leases import Fence


class GivenUp(Exception):
    """This thread's attempt is not its own any more: lease lost, ended by another, or exit."""


class ProviderLost(Exception):
    """The provider was given up for lost while this attempt could not be seen."""

    def __init__(self, provider: str, message: str) -> None:
        super().__init__(message)
        self.provider = provider


class HostView(Protocol):
    """What an attempt asks of its host."""

    driver: Driver
    fence: Fence
    holder: str
    """This engine process, as leases name it."""
    starts: threading.Semaphore

    def submit(self, moves: Sequence[Move]) -> list[Future[Written]]: ...
    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None:
        """Have the desk do this with the store; of what is `about` the same only the last."""
        ...

    def check_trust(self) -> None:
        """Raises GivenUp when the lease may not be acted on, or the process ends."""
        ...

    def check_reach(self) -> None:
        """Raises Unreachable at once while the engine is known not to answer."""
        ...

    def lost_contact(self, error: Unreachable) -> None:
        """The engine did not answer: returns when it does again. Raises GivenUp, ProviderLost."""
        ...

    def note_unreachable(self, error: Unreachable) -> None:
        """The engine did not answer: have it probed; returns at once."""
        ...

    def check_mounts(self, run: RunSpec) -> None:
        """Raises Rejected for a mount that the provider's administrator does not allow now."""
        ...

    def credential(self, image: str) -> Credential | None: ...
    def progress(self, attempt: int, progress: PullProgress) -> None: ...
    def remove_later(self, attempt: int, handle: Handle) -> None: ...
    def in_stopping(self, work: Callable[[], None]) -> None:
        """Do this, a stop that may take its whole grace, beside everything else."""
        ...

    def engine_time(self, at: datetime) -> datetime:
        """That moment on the engine's clock."""
        ...

    def engine_now(self) -> datetime:
        """Now on the engine's clock, by the offset the last probe measured."""
        ...
