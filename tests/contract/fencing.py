"""Contract: removing without force is the fence of a takeover; a program starts at most once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from providers.driver import Driver, DriverError, Handle, Rejected, RunState, StillRunning, Stream
from tests.contract.stage import DEADLINE, Stage
from tests.support.waiting import wait_until


class FencingContract:
    def test_removing_refuses_what_runs_and_leaves_it_running(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.sleeping())

        with pytest.raises(StillRunning):
            stage.driver.remove(handle, force=False)

        assert stage.driver.observe(handle).state is RunState.RUNNING

    def test_removing_by_force_ends_what_runs(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.ignoring_term())

        stage.driver.remove(handle, force=True)

        assert stage.driver.observe(handle).state is RunState.GONE

    @pytest.mark.parametrize("force", [False, True])
    def test_removing_what_ended_or_never_began_and_again_is_fine(
        self, stage: Stage, force: bool
    ) -> None:
        created = stage.create(stage.sleeping())
        exited = stage.run(stage.printing((Stream.STDOUT, b"here\n")))

        for handle in (created, exited, created, exited):
            stage.driver.remove(handle, force=force)
            assert stage.driver.observe(handle).state is RunState.GONE
        assert list(stage.driver.list_owned()) == []

    def test_a_late_start_after_the_fence_runs_nothing(self, stage: Stage) -> None:
        spec = stage.spec(stage.counted())
        late = stage.build()
        handle = late.create(spec)

        stage.driver.remove(handle, force=False)
        with pytest.raises(Rejected) as refusal:
            late.start(handle)

        assert refusal.value.reason == "removed_outside"
        assert stage.driver.observe(handle).state is RunState.GONE
        assert stage.times_run(spec.uid) == 0

    def test_two_starts_at_once_are_one_start(self, stage: Stage) -> None:
        drivers = [stage.build(), stage.build()]
        for _ in range(5):
            spec = stage.spec(stage.counted())
            handle = drivers[0].create(spec)
            both = threading.Barrier(2)
            errors: list[DriverError] = []

            def start(
                driver: Driver,
                handle: Handle = handle,
                both: threading.Barrier = both,
                errors: list[DriverError] = errors,
            ) -> None:
                both.wait(DEADLINE)
                try:
                    driver.start(handle)
                except DriverError as error:
                    errors.append(error)

            threads = [threading.Thread(target=start, args=(driver,)) for driver in drivers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(DEADLINE)

            wait_until(partial(stage.times_run, spec.uid), DEADLINE, "the program has begun")
            assert stage.driver.observe(handle).state is RunState.RUNNING
            stage.driver.remove(handle, force=True)
            assert (stage.times_run(spec.uid), errors) == (1, [])

    def test_when_start_and_removal_race_exactly_one_of_them_wins(self, stage: Stage) -> None:
        starter, fencer = stage.build(), stage.build()
        ran: list[str] = []
        never_ran: list[str] = []

        for number in range(stage.race_rounds):
            spec = stage.spec(stage.counted())
            handle = starter.create(spec)
            # From "the removal comes first" to "the start does", through all in between.
            lead = (2 * number / (stage.race_rounds - 1) - 1) * stage.race_window_seconds
            outcome = race(starter, fencer, handle, lead)

            assert outcome.started != outcome.removed, f"round {number}: {outcome}"
            if outcome.started:
                ran.append(spec.uid)
                assert isinstance(outcome.removal_error, StillRunning)
                began = partial(stage.times_run, spec.uid)
                wait_until(began, DEADLINE, "the program has begun")
                fencer.remove(handle, force=True)
            else:
                never_ran.append(spec.uid)
                assert isinstance(outcome.start_error, Rejected)
                assert outcome.start_error.reason == "removed_outside"
            assert fencer.observe(handle).state is RunState.GONE

        assert [stage.times_run(uid) for uid in ran] == [1] * len(ran)
        assert [stage.times_run(uid) for uid in never_ran] == [0] * len(never_ran)
        assert ran, "no start ever won: the race was none"
        assert never_ran, "no removal ever won: the race was none"


@dataclass(slots=True)
class Outcome:
    """How both sides of one race came back."""

    start_error: DriverError | None = None
    removal_error: DriverError | None = None

    @property
    def started(self) -> bool:
        return self.start_error is None

    @property
    def removed(self) -> bool:
        return self.removal_error is None


def race(starter: Driver, fencer: Driver, handle: Handle, lead_seconds: float) -> Outcome:
    """Start and remove at once; the start goes first by `lead_seconds`, which may be negative."""
    outcome = Outcome()
    both = threading.Barrier(2)
    pause = threading.Event()

    def side(call: Callable[[], None], delay: float) -> DriverError | None:
        both.wait(DEADLINE)
        if delay > 0:
            pause.wait(delay)
        try:
            call()
        except DriverError as error:
            return error
        return None

    def start() -> None:
        outcome.start_error = side(lambda: starter.start(handle), -lead_seconds)

    thread = threading.Thread(target=start)
    thread.start()
    outcome.removal_error = side(lambda: fencer.remove(handle, force=False), lead_seconds)
    thread.join(DEADLINE)
    assert not thread.is_alive(), "the start never came back"
    return outcome
