"""Driving one attempt, in a thread of its own: pull, create, start, follow, finish.

The order of the commits around create and start is what keeps a program from starting
twice (design: "At most one start"): commit `creating` → create → commit `starting` with
the handle → start, once → observe. A commit that is refused ends the thread at once: the
attempt belongs to somebody else, or has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Protocol

from jobs.endings import Ending, StopCause, classify, overdue
from jobs.masking import Masker
from jobs.states import STARTED_PHASES, Outcome, Phase
from jobs.transitions import Move, Written
from orchestrator.loop.log_writer import LogLost, LogSink
from orchestrator.loop.service import logger, monotonic
from orchestrator.reconcile import Action, decide
from orchestrator.store import CancelWish, Order
from providers.driver import (
    Credential,
    Driver,
    Handle,
    LogStream,
    NoCapacity,
    Observation,
    PullProgress,
    RegistryUnreachable,
    Rejected,
    RunSpec,
    RunState,
    StillRunning,
    Unreachable,
)
from providers.leases import Fence

STOP_GRACE_SECONDS = 10.0
DRAIN_SECONDS = 30.0
SETTLE_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
PROGRESS_SECONDS = 1.0


class GivenUp(Exception):
    """This thread's attempt is not its own any more: lease lost, ended by another, or exit."""


class ProviderLost(Exception):
    """The provider was given up for lost while this attempt could not be seen."""


class HostView(Protocol):
    """What an attempt asks of its host."""

    driver: Driver
    fence: Fence
    starts: threading.Semaphore

    def submit(self, move: Move) -> Future[Written]: ...
    def check_trust(self) -> None:
        """Raises GivenUp when the lease may not be acted on, or the process ends."""
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
    def in_background(self, work: Callable[[], None]) -> None: ...
    def engine_now(self) -> datetime:
        """Now on the engine's clock, by the offset the last probe measured."""
        ...


class AttemptRun:
    """One attempt in hand."""

    def __init__(self, order: Order, host: HostView, sink: LogSink) -> None:
        self.order = order
        self.phase = order.phase
        self.started_at = order.started_at
        self._host = host
        self._driver = host.driver
        self._sink = sink
        self._handle: Handle | None = order.handle
        self._cursor = order.cursor
        self._stream: LogStream | None = None
        self._stop: StopCause | None = None
        self._stop_taken = False
        # Of an attempt that is adopted, its former driver may have delivered the stop.
        self._stop_delivered = order.phase in STARTED_PHASES
        self._unconfirmed: list[Future[Written]] = []
        self._may_be_stopped = False
        self._guard = threading.Lock()
        self._detached = threading.Event()
        self._told_progress = 0.0
        self._log_note = ""
        if order.cancel is not None:
            self.cancel(order.cancel)

    # --- asked from outside ---

    def cancel(self, wish: CancelWish) -> None:
        """Somebody wants the job cancelled: end it now where that is possible, else stop it."""
        self._ask_stop(StopCause("cancelled", {"by": wish.by}, wish.at))

    def check_time(self, now: datetime) -> None:
        """Stop it when its run time is over; `now` on the engine's clock."""
        started, limit = self.started_at, self.order.timeout_seconds
        if started is not None and overdue(started, limit, now):
            due = started + timedelta(seconds=limit)
            self._ask_stop(StopCause("timeout", {"limit": f"{limit:g} s"}, due))

    def look_again(self) -> None:
        """End the present reading, so that the engine is asked what is there."""
        stream = self._stream
        if stream is not None:
            stream.close()

    def detach(self) -> None:
        """Leave it running: the process ends or the lease is lost."""
        self._detached.set()
        self.look_again()

    def _ask_stop(self, cause: StopCause) -> None:
        with self._guard:
            if self._stop is not None:
                return
            self._stop = cause
            send = self._may_be_stopped
            early = self.phase in (Phase.PLACED, Phase.PULLING)
        if send:
            self._host.in_background(self._send_stop)
        elif early:
            self._host.in_background(self._end_early)

    def _end_early(self) -> None:
        """Before anything was made: the first of this and `creating` wins."""
        assert self._stop is not None
        try:
            self._end(self._stopped_ending(), expect=frozenset({Phase.PLACED, Phase.PULLING}))
        except GivenUp:
            return

    def _send_stop(self) -> None:
        with self._guard:
            if self._stop_taken or self._handle is None:
                return
            self._stop_taken = True
        assert self._stop is not None
        while not self._detached.is_set():
            try:
                self._host.check_trust()
                if self._driver.observe(self._handle).state is RunState.RUNNING:
                    at = self._host.engine_now()
                    self._stop = StopCause(self._stop.reason, self._stop.detail, at)
                    self._stop_delivered = True
                    self._driver.stop(self._handle, STOP_GRACE_SECONDS)
                return
            except Unreachable as error:
                self._host.note_unreachable(error)
                self._detached.wait(1.0)
            except GivenUp:
                return

    # --- the thread ---

    def run(self) -> None:
        """From wherever the attempt is, to its end."""
        try:
            try:
                self._drive()
            except ProviderLost as lost:
                detail = {"message": str(lost)}
                self._handle = None  # what is there, if ever, is swept as left over
                self._end(Ending(Outcome.FAILED, "provider_lost", detail), log_complete=False)
        except (GivenUp, LogLost) as error:
            logger.info("attempt %d of job %d let go: %s", *self._names(), error)

    def _names(self) -> tuple[int, int]:
        return self.order.run.attempt, self.order.job

    def _drive(self) -> None:
        if self.order.broken and self.phase in (Phase.PLACED, Phase.PULLING):
            detail = {"message": self.order.broken}
            self._end(Ending(Outcome.FAILED, "rejected", detail))
            return
        if self.phase in (Phase.PLACED, Phase.PULLING):
            if self._bring():
                self._follow()
            return
        found = self._find()
        action = decide(self.phase, found)
        if action is Action.RETRY:
            self._end(Ending(Outcome.FENCED, "fenced", {"message": "nothing was made yet"}))
        elif action is Action.LOST:
            self._end(classify(Observation(RunState.GONE), self._stop, memory_mb=0))
        elif action is Action.FENCE:
            self._fence()
        else:
            self._follow()

    def _find(self) -> RunState | None:
        """What the engine has of an attempt that another process drove before."""
        uid = self.order.run.uid
        while True:
            try:
                if self._handle is None:
                    owned = {o.uid: o for o in self._driver.list_owned()}
                    if uid not in owned:
                        return None
                    self._handle = owned[uid].handle
                return self._driver.observe(self._handle).state
            except Unreachable as error:
                self._host.lost_contact(error)

    def _fence(self) -> None:
        """Made, not started: removed without force, or adopted when it has started after all."""
        assert self._handle is not None
        self._host.check_trust()
        try:
            self._driver.remove(self._handle, force=False)
        except StillRunning:
            self._follow()
            return
        except Unreachable as error:
            self._host.lost_contact(error)
            self._drive()
            return
        ending = Ending(Outcome.FENCED, "fenced", {"message": "its engine process had ended"})
        self._end(self._stopped_ending() if self._stop else ending)

    def _bring(self) -> bool:
        """Pull, create and start. False when the attempt has ended on the way."""
        try:
            self._pull()
            with self._host.starts:
                self._host.check_trust()
                self._unless_stopped()
                self._host.check_mounts(self.order.run)
                self._move(Phase.CREATING)
                self._handle = self._create()
                if self._stop is None:
                    self._move(Phase.STARTING, handle=self._handle)
                if self._stop is not None:
                    self._fence()
                    return False
                self._host.check_trust()
                self._start()
        except Rejected as error:
            detail = {"message": str(error), "image": self.order.run.image}
            self._end(Ending(Outcome.FAILED, error.reason, detail))
            return False
        except RegistryUnreachable as error:
            detail = {"message": str(error), "image": self.order.run.image}
            self._end(Ending(Outcome.FAILED, "registry_unreachable", detail))
            return False
        except NoCapacity as error:
            self._end(Ending(Outcome.FENCED, "no_capacity_left", {"message": str(error)}))
            return False
        return True

    def _pull(self) -> None:
        image = self.order.run.image
        self._host.check_trust()
        try:
            self._driver.pull(image, self._host.credential(image), self._pulling)
        except Unreachable as error:
            # Nothing was made: the job is better off in the queue, where it may go elsewhere.
            self._host.note_unreachable(error)
            self._end(Ending(Outcome.FENCED, "fenced", {"message": str(error)}))
            raise GivenUp("its provider does not answer") from error

    def _pulling(self, progress: PullProgress) -> None:
        if self.phase is Phase.PLACED:
            self._move(Phase.PULLING)
        self._unless_stopped()
        if monotonic() >= self._told_progress + PROGRESS_SECONDS:
            self._told_progress = monotonic()
            self._host.progress(self.order.attempt, progress)

    def _unless_stopped(self) -> None:
        if self._stop is not None:
            raise GivenUp("stopped before it was made")

    def _create(self) -> Handle:
        while True:
            try:
                return self._driver.create(self.order.run)
            except Unreachable as error:
                # Create is idempotent by uid: asking again finds what the lost call made.
                self._host.lost_contact(error)

    def _start(self) -> None:
        assert self._handle is not None
        try:
            self._driver.start(self._handle)
        except Unreachable as error:
            # It may have started; it is never started again. What is there decides.
            self._host.lost_contact(error)
            if self._find() is RunState.CREATED:
                self._fence()
                raise GivenUp("its start did not get through") from error

    def _follow(self) -> None:
        """Read its log until it has ended, whatever the connection does meanwhile."""
        seen = self._settled()
        with self._guard:
            self._may_be_stopped = True
            send = self._stop is not None
        if send:
            self._host.in_background(self._send_stop)
        while seen.state is RunState.RUNNING:
            try:
                self._read(follow=True)
                seen = self._look()
                if seen.state is RunState.RUNNING:
                    self._detached.wait(0.2)
            except Unreachable as error:
                self._host.lost_contact(error)
                seen = self._look()
        self._finish(seen)

    def _settled(self) -> Observation:
        """The state after start, told to the store as `running` once it is known."""
        assert self._handle is not None
        while True:
            try:
                seen = self._driver.observe(self._handle)
                break
            except Unreachable as error:
                self._host.lost_contact(error)
        self.started_at = seen.started_at or self.started_at
        if self.phase is Phase.STARTING and not seen.could_not_start:
            self._move(Phase.RUNNING, started_at=seen.started_at, wait=False)
        return seen

    def _read(self, *, follow: bool) -> None:
        assert self._handle is not None
        self._check_detached()
        self._masker = Masker(self.order.secrets)  # what was kept back is read again
        stream = self._driver.logs(self._handle, self._cursor, follow=follow)
        self._stream = stream
        try:
            self._check_detached()
            for read in stream:
                for batch in self._masker.feed(read):
                    self._sink.write(batch)
                    self._cursor = batch.cursor
            if not follow:
                for batch in self._masker.finish():
                    self._sink.write(batch)
        finally:
            self._stream = None
            stream.close()
        self._check_detached()

    def _check_detached(self) -> None:
        if self._detached.is_set():
            raise GivenUp("left running")

    def _look(self) -> Observation:
        """Its state after the end of a reading, which an engine may tell before the exit."""
        assert self._handle is not None
        for pause in SETTLE_SECONDS:
            seen = self._driver.observe(self._handle)
            if seen.state is not RunState.RUNNING:
                return seen
            self._detached.wait(pause)
        return seen

    def _finish(self, seen: Observation) -> None:
        stop = self._stop if self._stop_delivered else None
        ending = classify(seen, stop, memory_mb=self.order.run.memory_mb)
        if self.phase is Phase.RUNNING:
            self._move(
                Phase.FINISHING,
                started_at=seen.started_at,
                finished_at=seen.finished_at,
                wait=False,
            )
        complete = self._drain(seen)
        self._end(ending, seen=seen, log_complete=complete)

    def _drain(self, seen: Observation) -> bool:
        """Read what is left of the log; False (with a note) when some of it is lost."""
        deadline = monotonic() + DRAIN_SECONDS
        complete = seen.state is not RunState.GONE
        if not complete:
            self._log_note = "its container was gone before the last of its output was read"
        while complete:
            try:
                self._read(follow=False)
                break
            except Unreachable as error:
                if monotonic() > deadline:
                    self._log_note = f"the engine did not give the rest of it: {error}"
                    complete = False
                else:
                    self._host.lost_contact(error)
        self._sink.flush().result(timeout=DRAIN_SECONDS)
        return complete and not self._sink.gap

    # --- telling ---

    def _stopped_ending(self) -> Ending:
        assert self._stop is not None
        outcome = Outcome.CANCELLED if self._stop.reason == "cancelled" else Outcome.FAILED
        return Ending(outcome, self._stop.reason, self._stop.detail)

    def _move(
        self,
        to: Phase,
        *,
        handle: Handle | None = None,
        started_at: datetime | None = None,
        finished_at: datetime | None = None,
        wait: bool = True,
    ) -> None:
        """Without `wait` the commit's answer is looked at before the next one's."""
        self._write(
            Move(
                attempt=self.order.attempt,
                job=self.order.job,
                fence=self._host.fence,
                to=to,
                handle=handle,
                started_at=started_at,
                finished_at=finished_at,
            ),
            wait=wait,
        )

    def _end(
        self,
        ending: Ending,
        *,
        seen: Observation | None = None,
        log_complete: bool | None = None,
        expect: frozenset[Phase] | None = None,
    ) -> None:
        self._write(
            Move(
                attempt=self.order.attempt,
                job=self.order.job,
                fence=self._host.fence,
                to=Phase.ENDED,
                expect=expect,
                started_at=seen.started_at if seen else None,
                finished_at=seen.finished_at if seen else None,
                ending=ending,
                log_complete=log_complete,
                log_note=self._log_note or None,
            )
        )
        if self._handle is not None:
            self._host.remove_later(self.order.attempt, self._handle)

    def _write(self, move: Move, *, wait: bool = True) -> None:
        self._unconfirmed.append(self._host.submit(move))
        if wait:
            answers, self._unconfirmed = self._unconfirmed, []
            for answer in answers:
                written = answer.result()
                if written is Written.FENCED:
                    raise GivenUp("another process drives its provider now")
                if written is Written.STALE:
                    raise GivenUp(f"it is not where it was: {move.to} was refused")
        self.phase = move.to
