"""Driving one attempt, in a thread of its own: pull, create, start, follow, finish.

The order of the commits around create and start is what keeps a program from starting
twice (design: "At most one start"): commit `creating` → create → commit `starting` with
the handle → start, once → observe. A commit that is refused ends the thread at once: the
attempt belongs to somebody else, or has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jobs.endings import (
    Ending,
    StopCause,
    classify,
    lost_with,
    overdue,
    refused,
    restarted_outside,
)
from jobs.notes import Note, late_start
from jobs.states import NEVER_STARTED, STARTED_PHASES, Outcome, Phase
from orchestrator.loop.attempt_contact import AttemptContact
from orchestrator.loop.attempt_log import AttemptLog
from orchestrator.loop.attempt_moves import AttemptMoves
from orchestrator.loop.attempt_stop import AttemptStop
from orchestrator.loop.crash_points import crash_point
from orchestrator.loop.host_view import GivenUp, HostView, ProviderLost
from orchestrator.loop.log_writer import LogLost, LogSink
from orchestrator.loop.service import logger, monotonic
from orchestrator.reconcile import Action, decide
from orchestrator.store import CancelWish, Order
from providers.driver import (
    DriverError,
    Forgetful,
    Handle,
    NoCapacity,
    Observation,
    PullProgress,
    RegistryUnreachable,
    Rejected,
    RunState,
    StillRunning,
    Unreachable,
)

SETTLE_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
PROGRESS_SECONDS = 1.0
CREATE_TRIES = 5
ENDED_UNSEEN = "it ended while its engine was away, so what it wrote last may be missing"


class EngineFailed(Exception):
    """The engine answers, and still does not make the container."""


class AttemptRun:
    """One attempt in hand."""

    def __init__(self, order: Order, host: HostView, sink: LogSink) -> None:
        self.order = order
        self.started_at = order.started_at
        self._host = host
        self._driver = host.driver
        self._moves = AttemptMoves(order, host)
        self._fencing = order.fencing
        self._log = AttemptLog(order, host, sink)
        self._handle: Handle | None = order.handle
        self._stop = AttemptStop(order, host, self._moves)
        self._adopted = order.phase in STARTED_PHASES
        self._contact = AttemptContact(order.attempt, host, self._log.pause)
        self._told_progress = 0.0
        if order.cancel is not None:
            self.cancel(order.cancel)

    @property
    def phase(self) -> Phase:
        """Where it is, as far as the store was told."""
        return self._moves.phase

    @property
    def not_seen(self) -> bool:
        """Whether its engine, which may answer all else, does not tell of it."""
        return self._contact.marked

    # --- asked from outside ---

    def cancel(self, wish: CancelWish) -> None:
        """Somebody wants the job cancelled: end it now where that is possible, else stop it."""
        self._stop.ask(StopCause("cancelled", {"by": wish.by}, wish.at))

    def check_time(self, now: datetime) -> None:
        """Stop it when its run time is over; `now` on the engine's clock."""
        started, limit = self.started_at, self.order.timeout_seconds
        if started is not None and overdue(started, limit, now):
            due = started + timedelta(seconds=limit)
            self._stop.ask(StopCause("timeout", {"limit": f"{limit:g} s"}, due))

    def look_again(self) -> None:
        """End the present reading, so that the engine is asked what is there."""
        self._log.interrupt()

    def give_up(self, message: str) -> None:
        """End it as it is: going on has failed again and again. What runs is removed."""
        try:
            self._end(Ending(Outcome.FAILED, "gantry_failed", {"message": message}), complete=False)
        except (GivenUp, LogLost) as error:
            logger.info("attempt %d of job %d let go: %s", *self._names(), error)

    def detach(self) -> None:
        """Leave it running: the process ends or the lease is lost."""
        self._stop.let_go()
        self._log.detach()

    # --- the thread ---

    def run(self) -> None:
        """From wherever the attempt is, to its end."""
        crash_point("taken_up")
        try:
            try:
                self._drive()
            except ProviderLost as lost:
                self._handle = None  # what is there, if ever, is swept as left over
                ran = self._moves.phase not in NEVER_STARTED
                ending = lost_with(lost.provider, str(lost), may_run=ran)
                self._end(ending, complete=False if ran else None)
        except (GivenUp, LogLost) as error:
            logger.info("attempt %d of job %d let go: %s", *self._names(), error)
        finally:
            self._stop.let_go()

    def _names(self) -> tuple[int, int]:
        return self.order.run.attempt, self.order.job

    def _drive(self) -> None:
        if self._moves.phase in (Phase.PLACED, Phase.PULLING):
            if self.order.unfit is not None:
                self._end(self.order.unfit)
                return
            self._moves.taken_up(None)
            if self._bring():
                self._follow()
            return
        found = self._find()
        self._contact.well()
        crash_point("adopting")
        action = decide(self._moves.phase, found, fencing=self._fencing)
        if action is Action.RETRY:
            self._end(Ending(Outcome.FENCED, "fenced", {"message": "nothing was made yet"}))
        elif action is Action.LOST:
            self._moves.taken_up(RunState.GONE)
            self._finish(Observation(RunState.GONE))
        elif action is Action.FENCE:
            if self._fence():
                self._follow()
        else:
            self._moves.taken_up(found)
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
                found = self._driver.observe(self._handle).state
            except Unreachable as error:
                self._contact.away(error)
                self._contact.untold(error)
                continue
            self._contact.told()
            return found

    def _fence(self) -> bool:
        """Made, not started: removed without force, and ended. True when it has started after
        all, and is to be followed."""
        assert self._handle is not None
        if not self._fencing:
            self._moves.fencing()
            self._fencing = True
        # Asked again each time: between two calls a start that was under way may arrive.
        while (found := self._find()) is RunState.CREATED:
            self._host.check_trust()
            crash_point("before_fence")
            try:
                self._driver.remove(self._handle, force=False)
                break
            except StillRunning:
                continue
            except Unreachable as error:
                self._contact.away(error)
        if found in (RunState.RUNNING, RunState.EXITED):
            self._moves.note(late_start())
            return True
        crash_point("after_fence")
        words = "its container was made but not started, and was removed"
        ending = Ending(Outcome.FENCED, "fenced", {"message": words})
        self._end(self._stop.ending() if self._stop.asked else ending)
        return False

    def _bring(self) -> bool:
        """Pull, create and start. False when the attempt has ended on the way."""
        image = self.order.run.image
        try:
            self._pull()
            with self._host.starts:
                self._host.check_trust()
                self._unless_stopped()
                self._host.check_mounts(self.order.run)
                crash_point("before_creating")
                self._moves.move(Phase.CREATING)
                crash_point("after_creating")
                self._handle = self._create()
                crash_point("after_create")
                if not self._stop.asked:
                    self._moves.move(Phase.STARTING, handle=self._handle)
                if self._stop.asked:
                    return self._fence()
                self._host.check_trust()
                crash_point("after_starting")
                self._start()
                crash_point("after_start")
        except Rejected as error:
            self._end(refused(error.reason, str(error), image, at=self._moves.phase))
        except RegistryUnreachable as error:
            self._end(refused("registry_unreachable", str(error), image, at=self._moves.phase))
        except EngineFailed as error:
            self._end(Ending(Outcome.FAILED, "engine_failed", {"message": str(error)}))
        except NoCapacity as error:
            self._end(Ending(Outcome.FENCED, "no_capacity_left", {"message": str(error)}))
        else:
            return True
        return False

    def _pull(self) -> None:
        image = self.order.run.image
        self._host.check_trust()
        crash_point("before_pull")
        try:
            self._host.check_reach()
            self._driver.pull(image, self._host.credential(image), self._pulling)
            crash_point("after_pull")
        except Unreachable as error:
            # Nothing was made: the job is better off in the queue, where it may go elsewhere.
            self._host.note_unreachable(error)
            self._end(Ending(Outcome.FENCED, "fenced", {"message": str(error)}))
            raise GivenUp("its provider does not answer") from error

    def _pulling(self, progress: PullProgress) -> None:
        if self._moves.phase is Phase.PLACED:
            self._moves.move(Phase.PULLING)
        self._unless_stopped()
        if monotonic() >= self._told_progress + PROGRESS_SECONDS:
            self._told_progress = monotonic()
            self._host.progress(self.order.attempt, progress)

    def _unless_stopped(self) -> None:
        if self._stop.asked:
            raise GivenUp("stopped before it was made")

    def _create(self) -> Handle:
        for _ in range(CREATE_TRIES):
            try:
                return self._driver.create(replace(self.order.run, term=self._host.fence.term))
            except Unreachable as error:
                # Create is idempotent by uid: asking again finds what the lost call made.
                self._host.lost_contact(error)
                why = str(error)
        raise EngineFailed(why)

    def _start(self) -> None:
        assert self._handle is not None
        try:
            self._driver.start(self._handle)
        except Unreachable as error:
            # It may have started; it is never started again. What is there decides.
            self._host.lost_contact(error)
            if self._find() is RunState.CREATED and not self._fence():
                raise GivenUp("its start did not get through") from error

    def _follow(self) -> None:
        """Read its log until it has ended, whatever the connection does meanwhile."""
        seen = self._settled()
        assert self._handle is not None
        self._stop.allow(self._handle)
        while seen.state is RunState.RUNNING:
            self._contact.runs()
            if again := restarted_outside(seen, self.started_at):
                self._stop.ask(again)
            try:
                self._log.read(self._handle, follow=True)
                self._contact.well()
                seen = self._look()
                if seen.state is RunState.RUNNING:
                    self._log.pause(0.2)
            except Unreachable as error:
                # Perhaps only its log cannot be read; whether it runs is asked all the same.
                self._contact.lost(error)
                seen = self._observed()
        self._finish(seen)

    def _settled(self) -> Observation:
        """The state after start, told to the store as `running` once it is known."""
        seen = self._observed()
        self.started_at = self.started_at or seen.started_at
        if self._moves.phase is Phase.CREATING:
            # Started by a hand that is not ours, before we asked: it runs all the same.
            self._moves.move(Phase.STARTING, handle=self._handle)
        if self._moves.phase is Phase.STARTING and not seen.could_not_start:
            # Of a program that has ended by now, start and end are one write.
            over = seen.state is not RunState.RUNNING
            self._moves.move(Phase.RUNNING, started_at=seen.started_at, wait=False, keep=over)
            crash_point("running_told")
        return seen

    def _observed(self) -> Observation:
        """What the engine says, however long that takes."""
        handle = self._handle
        assert handle is not None
        return self._contact.observed(lambda: self._driver.observe(handle))

    def _look(self) -> Observation:
        """Its state after the end of a reading, which an engine may tell before the exit."""
        assert self._handle is not None
        for pause in SETTLE_SECONDS:
            seen = self._driver.observe(self._handle)
            if seen.state is not RunState.RUNNING:
                return seen
            self._log.pause(pause)
        return seen

    def _finish(self, seen: Observation) -> None:
        crash_point("exit_seen")
        ending = classify(
            seen,
            self._stop.delivered(seen) or restarted_outside(seen, self.started_at),
            memory_mb=self.order.run.memory_mb,
            lost_at=self._contact.lost_at,
        )
        if self._moves.phase is Phase.RUNNING:
            self._moves.move(
                Phase.FINISHING,
                started_at=seen.started_at,
                finished_at=seen.finished_at,
                # Told by a drain that lasts; where none is to be expected the end comes at once.
                keep=not self._log.lags,
                wait=False,
            )
        assert self._handle is not None
        there = seen.state is not RunState.GONE
        crash_point("before_drain")
        complete = self._log.drain(self._handle, there=there, lasting=self._moves.tell)
        if complete and self._ended_unseen(seen):
            self._log.note, complete = ENDED_UNSEEN, False
        crash_point("after_drain")
        self._end(ending, seen=seen, complete=complete, notes=self._stop.notes(ending))

    def _ended_unseen(self, seen: Observation) -> bool:
        """Whether the program may have ended while its engine was away: what it wrote last
        is then lost, and nothing in its log tells."""
        contact = self._contact
        since = contact.lost_at
        if since is None and self._adopted and not contact.seen_running:
            since = seen.started_at
        if since is None or seen.finished_at is None or not isinstance(self._driver, Forgetful):
            return False
        assert self._handle is not None
        if contact.back_at is not None and seen.finished_at > contact.back_at:
            return False
        try:
            seen_to_end = self._driver.saw_end(self._handle, since)
        except DriverError:
            seen_to_end = None
        # Where nobody knows, an outage that was seen counts, and a mere absence does not.
        return contact.lost_at is not None if seen_to_end is None else not seen_to_end

    # --- telling ---

    def _end(
        self,
        ending: Ending,
        *,
        seen: Observation | None = None,
        complete: bool | None = None,
        notes: Sequence[Note] = (),
    ) -> None:
        note = self._log.note
        self._moves.end(ending, seen=seen, log_complete=complete, log_note=note, notes=notes)
        crash_point("after_ended")
        if self._handle is not None:
            self._host.remove_later(self.order.attempt, self._handle)
