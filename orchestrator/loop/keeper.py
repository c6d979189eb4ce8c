"""Keeping leases: who may plan and who may drive which provider, and how long to trust it.

A lease of 10 s is renewed each 3 s. It is trusted for 7 s counted from the *start* of the
last good attempt to renew, on the monotonic clock: a holder that cannot know steps down
before anybody else can take over. A file lock per process lets a starter on the same
machine see at once that a holder is dead.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.service import Service, logger, monotonic
from orchestrator.store import Store, StoreDown
from providers.leases import SCHEDULER, Fence, provider_lease

RENEW_SHARE = 0.3
TRUST_SHARE = 0.7
LOOK_SHARE = 0.1
"""A round so often while another process holds something: it may die at any time."""
REST_SHARE = 0.02
"""Between two such rounds at least, or a slow database would be asked without a pause."""


class HolderLock:
    """This process's name as a lease holder, and the file lock that proves it alive."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self.token = uuid.uuid4().hex[:12]
        self.holder = f"{socket.gethostname()}/{os.getpid()}/{self.token}"
        self._path = folder / f"{self.token}.lock"
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        os.write(self._fd, self.holder.encode())

    def dead_holders(self) -> list[str]:
        """Holders of this machine whose process is gone: their lock is free."""
        dead = []
        for path in self._folder.glob("*.lock"):
            if path == self._path:
                continue
            try:
                fd = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                dead.append(os.read(fd, 300).decode())
            except BlockingIOError:
                pass
            finally:
                os.close(fd)
        return [holder for holder in dead if holder]

    def forget(self, holders: list[str]) -> None:
        """Delete the lock files of dead holders after their leases were taken."""
        for holder in holders:
            (self._folder / f"{holder.rsplit('/', 1)[-1]}.lock").unlink(missing_ok=True)

    def close(self) -> None:
        """Give the lock up; the file goes with it."""
        self._path.unlink(missing_ok=True)
        os.close(self._fd)


class Keeper(Service):
    """Takes free leases, renews held ones, and says what was gained and lost."""

    name = "keeper"

    def __init__(
        self,
        store: Store,
        lock: HolderLock,
        ttl: float,
        *,
        gained: Callable[[Fence], None],
        lost: Callable[[Fence], None],
    ) -> None:
        super().__init__()
        self._store = store
        self._lock = lock
        self.holder = lock.holder
        self._ttl = ttl
        self._gained = gained
        self._lost = lost
        self._held: dict[str, tuple[Fence, float]] = {}
        self._to_retake: set[Fence] = set()
        self._others_hold = False
        self._guard = threading.Lock()
        self._begun = 0.0
        self.interval = ttl * RENEW_SHARE

    def trusted(self, fence: Fence) -> bool:
        """True while this lease may be acted on: checked before every outward effect."""
        with self._guard:
            held = self._held.get(fence.name)
        return held is not None and held[0] == fence and monotonic() < held[1]

    def held(self, name: str) -> Fence | None:
        """The lease of that name, while it is trusted."""
        with self._guard:
            held = self._held.get(name)
        return held[0] if held is not None and monotonic() < held[1] else None

    def retake(self, fence: Fence) -> None:
        """Take this lease over from ourselves: under the new term nothing counts any more that
        is still under way under the old one. Any thread; done in the keeper's next round."""
        with self._guard:
            self._to_retake.add(fence)
        self.wake()

    def next_wait(self) -> float:
        """Counted from when a round began, as trust is: an answer that came late leaves less."""
        pause, least = self.interval, 0.0
        if self._others_hold:
            pause, least = self._ttl * LOOK_SHARE, self._ttl * REST_SHARE
        return max(least, self._begun + pause - monotonic())

    def run_once(self) -> bool:
        begun = self._begun = monotonic()
        self._step_down_overdue(begun)
        try:
            self._give_up_to_retake()
            self._renew(begun)
            self._acquire(begun)
        except StoreDown:
            self._step_down_overdue(monotonic())
            raise
        return False

    def _give_up_to_retake(self) -> None:
        with self._guard:
            asked, self._to_retake = self._to_retake, set()
            held = [fence for fence, _ in self._held.values() if fence in asked]
        for fence in held:
            self._drop(fence, "it is taken anew")

    def _renew(self, begun: float) -> None:
        with self._guard:
            fences = [fence for fence, _ in self._held.values()]
        if not fences:
            return
        crash_point("before_renew")
        kept = self._store.renew(fences)
        crash_point("after_renew")
        for fence in fences:
            if fence.name in kept:
                with self._guard:
                    self._held[fence.name] = (fence, begun + self._ttl * TRUST_SHARE)
            else:
                self._drop(fence, "somebody else holds it now")

    def _acquire(self, begun: float) -> None:
        wanted = [SCHEDULER, *(provider_lease(site.id) for site in self._store.sites())]
        with self._guard:
            missing = [name for name in wanted if name not in self._held]
            surplus = [f for name, (f, _) in self._held.items() if name not in wanted]
        for fence in surplus:
            self._drop(fence, "the provider was deleted")
            self._store.release([fence])
        self._others_hold = bool(missing)
        if not missing:
            return
        dead = self._lock.dead_holders()
        crash_point("before_acquire")
        gained = self._store.acquire(missing, dead)
        crash_point("after_acquire")
        self._lock.forget(dead)
        self._others_hold = len(gained) < len(missing)
        for fence in gained:
            with self._guard:
                self._held[fence.name] = (fence, begun + self._ttl * TRUST_SHARE)
            logger.info("lease %s taken, term %d", fence.name, fence.term)
            self._gained(fence)

    def _step_down_overdue(self, now: float) -> None:
        with self._guard:
            overdue = [fence for fence, until in self._held.values() if now >= until]
        for fence in overdue:
            self._drop(fence, "it could not be renewed in time")

    def _drop(self, fence: Fence, why: str) -> None:
        with self._guard:
            self._held.pop(fence.name, None)
        logger.warning("lease %s term %d given up: %s", fence.name, fence.term, why)
        self._lost(fence)

    def finish(self) -> None:
        """Give all leases back, so that another process takes over at once."""
        with self._guard:
            fences = [fence for fence, _ in self._held.values()]
            self._held.clear()
        if fences:
            self._store.release(fences)
