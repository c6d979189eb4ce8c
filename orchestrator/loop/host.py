"""Driving one provider while its lease is held: its attempts, its health, its left-overs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from jobs.states import Phase
from jobs.transitions import Move, Written
from orchestrator.loop.attempt_run import AttemptRun
from orchestrator.loop.engine_request import answer_request
from orchestrator.loop.flusher import Flusher
from orchestrator.loop.host_view import GivenUp
from orchestrator.loop.keeper import Keeper
from orchestrator.loop.log_writer import LogWriter
from orchestrator.loop.reach import Reach
from orchestrator.loop.removals import Removals
from orchestrator.loop.service import logger, monotonic
from orchestrator.loop.side_threads import SideThreads
from orchestrator.loop.stats_sampler import StatsSampler
from orchestrator.reconcile import Seen, Wanted, reconcile
from orchestrator.store import CancelWish, Order, Request, Site, Store
from providers.driver import (
    Credential,
    Driver,
    Handle,
    Health,
    Owned,
    Probe,
    PullProgress,
    Rejected,
    RunSpec,
    Unreachable,
)
from providers.leases import Fence
from providers.mounts import mount_allowed

PROBE_SECONDS = 10.0
PROBE_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0)
CHECK_SECONDS = 30.0
BACKGROUND_THREADS = 16
STOPPING_THREADS = 128
"""Stops wait for the program's grace, so they have threads of their own, made when needed."""
MOST_FAILURES = 5
CLOCK_SECONDS = 5.0
"""So long the first answer to a probe is waited for, which tells the engine's clock."""


class Desk(Protocol):
    """What a host asks of the thread that speaks to the database for it."""

    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None: ...


class ProviderHost:
    """One provider in this process's hands, at one term."""

    def __init__(
        self,
        site: Site,
        fence: Fence,
        driver: Driver,
        *,
        keeper: Keeper,
        flusher: Flusher,
        logs: LogWriter,
        desk: Desk,
        instance: str,
    ) -> None:
        self.site = site
        self.instance = instance
        self.fence = fence
        self.holder = keeper.holder
        self.driver = driver
        self.starts = threading.Semaphore(driver.capabilities.parallel_starts)
        self._keeper = keeper
        self._flusher = flusher
        self._logs = logs
        self._stats = StatsSampler(site.name, driver, logs)
        self._desk = desk
        self._runs: dict[int, AttemptRun] = {}
        self._guard = threading.Condition()
        self._ending = threading.Event()
        self._look = threading.Event()
        self._released = threading.Event()
        self._probed = threading.Event()
        self._reach = Reach(site.name, site.lost_after_seconds, self._ending)
        self._out_of_sight = False
        """Some of what is in hand may be marked as not seen."""
        self._clock_offset: timedelta | None = None
        """The engine's clock minus ours; None before the first answer to a probe."""
        self._removals = Removals(self)
        self._pool = SideThreads(BACKGROUND_THREADS, f"gantry-{site.name}")
        self._stops = SideThreads(STOPPING_THREADS, f"gantry-stop-{site.name}")
        self._failures: Counter[int] = Counter()
        self._watcher = threading.Thread(
            target=self._watch, name=f"gantry-watch-{site.name}", daemon=True
        )
        self._watcher.start()

    # --- what the desk hands over ---

    def take(self, orders: Sequence[Order]) -> None:
        """Drive these attempts; those in hand already are left alone."""
        for order in orders:
            with self._guard:
                if order.attempt in self._runs or self._ending.is_set():
                    continue
                self._out_of_sight |= order.not_seen
                sink = self._stats.watch(self._logs.sink(order.attempt, self.fence, order.log))
                run = self._runs[order.attempt] = AttemptRun(order, self, sink)
            threading.Thread(
                target=self._drive,
                args=(order.attempt, run),
                name=f"gantry-attempt-{order.attempt}",
                daemon=True,
            ).start()

    def unmoved(self) -> list[int]:
        """Those of its attempts that still stand where they were placed."""
        with self._guard:
            return [n for n, run in self._runs.items() if run.phase is Phase.PLACED]

    def cancel(self, wish: CancelWish) -> None:
        """Pass a wish on to the attempt, if it is in hand."""
        run = self._runs.get(wish.attempt)
        if run is not None:
            run.cancel(wish)

    def tick(self) -> None:
        """Look at the clocks of all attempts in hand, once the engine's is known; measure them."""
        if self._clock_offset is None:
            return
        now = self.engine_now()
        with self._guard:
            runs = list(self._runs.values())
        for run in runs:
            run.check_time(now)
        self._stats.tick()

    def answer(self, request: Request) -> None:
        """Do what web asked for, in the background."""
        self.in_background(lambda: answer_request(request, self))

    def adopt(self, orders: Sequence[Order]) -> None:
        """At takeover: drive every live attempt from where it is."""
        if orders:
            logger.info("provider %s: taking up %d live attempts", self.site.name, len(orders))
        self.take(orders)

    def close(self) -> None:
        """Leave everything running and let go; waits for nothing."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._look.set()
        self._reach.let_go()
        self._stats.close()
        with self._guard:
            runs = list(self._runs.values())
        for run in runs:
            run.detach()
        name = f"gantry-release-{self.site.name}"
        threading.Thread(target=self._release, name=name, daemon=True).start()

    def join(self, timeout: float) -> bool:
        """Wait until its threads have let go and its driver is released; False when a call to
        its engine is still under way. That one ends by its own deadline."""
        return self._released.wait(timeout)

    def _release(self) -> None:
        """Release the driver when nobody uses it any more."""
        with self._guard:
            while self._runs:
                self._guard.wait()
        self._watcher.join()
        for threads in (self._pool, self._stops, self._stats):
            threads.join()
        self.driver.close()
        self._released.set()

    # --- what an attempt asks (HostView) ---

    def submit(self, moves: Sequence[Move]) -> list[Future[Written]]:
        return self._flusher.submit_all(moves)

    def check_trust(self) -> None:
        if self._ending.is_set() or not self._keeper.trusted(self.fence):
            raise GivenUp("the lease may not be acted on")

    def check_reach(self) -> None:
        self._reach.check()

    def note_unreachable(self, error: Unreachable) -> None:
        self._reach.lost(error)
        self._look.set()

    def lost_contact(self, error: Unreachable) -> None:
        self.note_unreachable(error)
        self._reach.wait(error)

    def check_mounts(self, run: RunSpec) -> None:
        for mount in run.mounts:
            allowed = self.site.mount_allow_list
            if not mount_allowed(allowed, mount.source, read_only=mount.read_only):
                raise Rejected(
                    "rejected",
                    f"{self.site.name} does not allow the mount {mount.source} (any more)",
                )

    def credential(self, image: str) -> Credential | None:
        registry = image.split("/", 1)[0] if "/" in image else ""
        hub = not ("." in registry or ":" in registry or registry == "localhost")
        wanted = "docker.io" if hub else registry
        return next((c for c in self.site.credentials if c.registry == wanted), None)

    def progress(self, attempt: int, progress: PullProgress) -> None:
        told = {
            "text": progress.text,
            "done_bytes": progress.done_bytes,
            "total_bytes": progress.total_bytes,
        }
        about = ("progress", attempt)
        self._desk.post(lambda store: store.progress(self.fence, attempt, told), about)

    def remove_later(self, attempt: int, handle: Handle) -> None:
        self._removals.begin(attempt, handle)

    def in_stopping(self, work: Callable[[], None]) -> None:
        if not self._ending.is_set():
            self._stops.begin(partial(self._guarded, work))

    def in_background(self, work: Callable[[], None]) -> None:
        """Do this beside everything else: a removal, an answer to web."""
        if not self._ending.is_set():
            self._pool.begin(partial(self._guarded, work))

    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None:
        self._desk.post(work, about)

    def engine_time(self, at: datetime) -> datetime:
        self._probed.wait(CLOCK_SECONDS)
        return at + (self._clock_offset or timedelta())

    def engine_now(self) -> datetime:
        return self.engine_time(datetime.now(UTC))

    # --- its own threads ---

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            logger.exception("provider %s: work in the background failed", self.site.name)

    def _drive(self, attempt: int, run: AttemptRun) -> None:
        try:
            run.run()
        except Exception as error:
            # Dropped from hand, it is found by the next check and driven anew, but not for ever.
            logger.exception("attempt %d: its thread failed", attempt)
            self._failures[attempt] += 1
            if self._failures[attempt] >= MOST_FAILURES:
                run.give_up(f"Gantry failed {MOST_FAILURES} times to go on with it: {error}")
        finally:
            with self._guard:
                self._runs.pop(attempt, None)
                self._guard.notify_all()

    def look_over(self) -> int:
        """Compare now, and try again to remove what is left; how much of ours is there.
        Raises Unreachable."""
        owned = self.driver.list_owned()
        compare = ("compare", self.fence)
        self._desk.post(lambda store: self._compare(store, owned), compare)
        return len(owned)

    def _watch(self) -> None:
        """Probe, check and sweep, until the host closes."""
        failures = 0
        check_at = 0.0
        while not self._ending.is_set():
            self._look.clear()
            probe = self._probe()
            self.probed(probe)
            if probe.health is Health.UNREACHABLE:
                pause = PROBE_BACKOFF[min(failures, len(PROBE_BACKOFF) - 1)]
                failures += 1
                check_at = 0.0  # whoever comes back is compared at once
                self._ending.wait(pause)
                continue
            failures = 0
            if monotonic() >= check_at:
                self._guarded(self._check)
                check_at = monotonic() + CHECK_SECONDS
            self._look.wait(PROBE_SECONDS)

    def _probe(self) -> Probe:
        """The driver's look; one that breaks its promise never to raise found no engine."""
        try:
            return self.driver.probe()
        except Exception as error:
            logger.exception("provider %s: its probe failed", self.site.name)
            return Probe(Health.UNREACHABLE, detail=f"its probe failed: {error}")

    def probed(self, probe: Probe) -> None:
        """Take in what a probe said: whoever waits for the engine goes on, the store is told."""
        up = probe.health is not Health.UNREACHABLE
        if up:
            self._clock_offset = timedelta(milliseconds=probe.clock_offset_ms or 0)
        self._probed.set()
        self._reach.probed(None if up else probe.detail)
        with self._guard:
            in_hand = [n for n, run in self._runs.items() if not (up and run.not_seen)]
            to_mark = bool(in_hand) and (not up or self._out_of_sight)
            self._out_of_sight = not up
        site, fence = self.site.id, self.fence
        self._desk.post(lambda store: store.save_probe(fence, site, probe), ("probe", fence))
        if to_mark:
            why = probe.detail
            self._desk.post(
                lambda store: store.unseen(fence, in_hand, unseen=not up, why=why),
                ("unseen", fence),
            )

    def _check(self) -> None:
        """Compare what is live with what is there: take up, look again, sweep."""
        try:
            self.look_over()
        except Unreachable as error:
            self.note_unreachable(error)

    def _compare(self, store: Store, owned: Sequence[Owned]) -> None:
        """In the desk's thread: it reads the live attempts."""
        live = store.wanted(self.site.id)
        with self._guard:
            in_hand = dict(self._runs)
        wanted = [_as_driven(w, in_hand.get(w.attempt)) for w in live]
        seen = [Seen(o.uid, o.state, o.created_at) for o in owned]
        actions = reconcile(wanted, seen, self.engine_now())
        if actions.attempts:
            self.take(store.orders(actions.attempts))
        for attempt in in_hand.keys() - {w.attempt for w in live}:
            in_hand[attempt].detach()  # ended by another hand: force-finished
        for attempt in actions.look_again:
            in_hand[attempt].look_again()
        if actions.sweep:
            kept = store.live_uids(actions.sweep)
            for thing in owned:
                if thing.uid in actions.sweep and thing.uid not in kept:
                    self._removals.sweep(thing)
        store.strays_gone(self.fence, self.site.id, [thing.uid for thing in owned])
        for left in store.leftovers(self.site.id):
            self.remove_later(left.attempt, left.handle)


def _as_driven(wanted: Wanted, run: AttemptRun | None) -> Wanted:
    """Of one in hand its thread knows best where it is."""
    return wanted if run is None else replace(wanted, phase=run.phase, in_hand=True)
