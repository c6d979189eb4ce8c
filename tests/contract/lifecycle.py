"""Contract: from create to the exit code."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from providers.driver import Driver, Handle, Health, Rejected, RunState, Stream, SupportsStats
from tests.contract.stage import DEADLINE, Stage
from tests.support.waiting import wait_until


class LifecycleContract:
    def test_a_driver_is_what_the_protocol_says(self, stage: Stage) -> None:
        assert isinstance(stage.driver, Driver)
        if stage.driver.capabilities.stats:
            assert isinstance(stage.driver, SupportsStats)

    def test_a_probe_tells_health_and_capacity(self, stage: Stage) -> None:
        probe = stage.driver.probe()

        assert (probe.health, probe.detail) == (Health.HEALTHY, "")
        assert probe.cpu_cores is not None
        assert probe.cpu_cores > 0
        assert probe.memory_mb is not None
        assert probe.memory_mb > 0
        assert probe.clock_offset_ms is None or abs(probe.clock_offset_ms) < 60_000

    def test_creating_runs_nothing(self, stage: Stage) -> None:
        spec = stage.spec(stage.counted())

        handle = stage.driver.create(spec)

        seen = stage.driver.observe(handle)
        assert seen.state is RunState.CREATED
        assert (seen.started_at, seen.finished_at, seen.exit_code) == (None, None, None)
        stage.driver.remove(handle, force=False)
        assert stage.times_run(spec.uid) == 0

    def test_creating_twice_with_one_uid_gives_the_same_handle(self, stage: Stage) -> None:
        spec = stage.spec(stage.sleeping())

        first = stage.driver.create(spec)

        assert stage.driver.create(spec) == first
        assert stage.build().create(spec) == first
        assert [owned.uid for owned in stage.driver.list_owned()] == [spec.uid]

    def test_creating_again_after_the_start_disturbs_nothing(self, stage: Stage) -> None:
        spec = stage.spec(stage.counted())
        handle = stage.driver.create(spec)
        stage.driver.start(handle)

        assert stage.driver.create(spec) == handle

        assert stage.driver.observe(handle).state is RunState.RUNNING
        wait_until(lambda: stage.times_run(spec.uid), DEADLINE, "the program has begun")
        assert stage.times_run(spec.uid) == 1

    @pytest.mark.parametrize("code", [0, 3, 127, 255])
    def test_a_program_ends_with_its_own_exit_code(self, stage: Stage, code: int) -> None:
        # 127 with output is the program's own word: it was executed.
        handle = stage.run(stage.printing((Stream.STDOUT, b"here\n"), exit_code=code))

        seen = stage.driver.observe(handle)

        assert (seen.state, seen.exit_code) == (RunState.EXITED, code)
        assert (seen.oom_killed, seen.could_not_start) == (False, False)

    def test_the_times_of_a_run_are_the_engines_and_in_order(self, stage: Stage) -> None:
        handle = stage.start(stage.ticking(4, 1.0))
        running = stage.driver.observe(handle)
        seen = stage.ended(handle)

        assert running.state is RunState.RUNNING
        assert running.started_at is not None
        assert running.finished_at is None
        assert seen.started_at == running.started_at
        assert seen.finished_at is not None
        assert seen.started_at.utcoffset() == timedelta(0)
        duration = (seen.finished_at - seen.started_at).total_seconds()
        assert 0.9 <= duration <= 15

    def test_a_program_that_does_not_exist_could_not_start(self, stage: Stage) -> None:
        handle = stage.create(stage.missing())

        refusal = refused_start(stage, handle)

        if refusal is None:
            assert stage.ended(handle).could_not_start
        else:
            assert (refusal.reason, bool(str(refusal))) == ("could_not_start", True)
        assert stage.driver.observe(handle).state is not RunState.RUNNING
        stage.driver.remove(handle, force=False)
        assert stage.driver.observe(handle).state is RunState.GONE

    def test_starting_what_runs_changes_nothing(self, stage: Stage) -> None:
        spec = stage.spec(stage.counted())
        handle = stage.driver.create(spec)
        stage.driver.start(handle)
        before = stage.driver.observe(handle)

        stage.driver.start(handle)

        assert stage.driver.observe(handle) == before
        wait_until(lambda: stage.times_run(spec.uid), DEADLINE, "the program has begun")
        stage.driver.stop(handle, 0)
        assert stage.times_run(spec.uid) == 1

    def test_what_a_provider_cannot_do_is_refused_at_creation(self, stage: Stage) -> None:
        can = stage.driver.capabilities
        wishes: list[dict[str, object]] = []
        wishes += [{"network": name} for name in ("bridge", "none") if name not in can.networks]
        wishes += [
            {"profile": name} for name in ("standard", "restricted") if name not in can.profiles
        ]
        if not can.gpus:
            wishes.append({"gpus": 1})

        for wish in wishes:
            with pytest.raises(Rejected) as refusal:
                stage.create(stage.sleeping(), **wish)
            assert refusal.value.reason == "rejected"
        assert list(stage.driver.list_owned()) == []

    def test_runs_side_by_side_keep_their_results_apart(self, stage: Stage) -> None:
        results: dict[int, tuple[int | None, bytes]] = {}

        def one(number: int) -> None:
            text = f"this is {number}\n".encode()
            handle = stage.run(stage.printing((Stream.STDOUT, text), exit_code=number))
            frames = [
                frame
                for batch in stage.driver.logs(handle, None, follow=True)
                for frame in batch.frames
            ]
            code = stage.driver.observe(handle).exit_code
            results[number] = (code, b"".join(frame.data for frame in frames))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * DEADLINE)

        assert results == {n: (n, f"this is {n}\n".encode()) for n in range(1, 9)}

    def test_what_runs_has_readings_and_what_ended_has_none(self, stage: Stage) -> None:
        driver = stage.driver
        if not isinstance(driver, SupportsStats):
            assert not driver.capabilities.stats
            return
        handle = stage.start_ready(stage.sleeping())

        sample = wait_until(lambda: driver.stats(handle), DEADLINE, "a reading")
        assert sample is not None
        assert sample.memory_bytes > 0
        assert sample.cpu_cores >= 0

        stage.driver.stop(handle, 0)
        assert driver.stats(handle) is None


def refused_start(stage: Stage, handle: Handle) -> Rejected | None:
    """Start it, and return the refusal if there was one."""
    try:
        stage.driver.start(handle)
    except Rejected as refusal:
        return refusal
    return None
