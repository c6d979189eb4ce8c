"""Contract: a stop asks first, kills after the grace, and is never an error twice."""

from __future__ import annotations

import time

from providers.driver import RunState, Stream
from tests.contract.stage import Stage, read


class StoppingContract:
    def test_a_stopped_program_may_say_goodbye(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.answering_term(b"goodbye\n"))

        stage.driver.stop(handle, 10)

        seen = stage.driver.observe(handle)
        assert (seen.state, seen.exit_code) == (RunState.EXITED, 0)
        output = read(stage.driver.logs(handle, None, follow=True)).text(Stream.STDOUT)
        assert output == b"ready\ngoodbye\n"

    def test_a_program_without_a_handler_dies_of_the_signal(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.sleeping())

        stage.driver.stop(handle, 10)

        seen = stage.driver.observe(handle)
        assert (seen.state, seen.exit_code) == (RunState.EXITED, 143)

    def test_what_ignores_the_signal_is_killed_after_the_grace(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.ignoring_term())

        begun = time.monotonic()
        stage.driver.stop(handle, 1)
        took = time.monotonic() - begun

        assert stage.ended(handle).exit_code == 137
        assert 0.9 <= took <= 15

    def test_no_grace_kills_at_once(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.answering_term(b"goodbye\n"))

        stage.driver.stop(handle, 0)

        assert stage.ended(handle).exit_code == 137
        output = read(stage.driver.logs(handle, None, follow=True)).text(Stream.STDOUT)
        assert output == b"ready\n"

    def test_a_follower_of_a_stopped_program_reaches_the_end(self, stage: Stage) -> None:
        handle = stage.start_ready(stage.sleeping())
        stream = stage.driver.logs(handle, None, follow=True)

        stage.driver.stop(handle, 0)

        assert read(stream).text(Stream.STDOUT) == b"ready\n"

    def test_stopping_what_does_not_run_is_no_error(self, stage: Stage) -> None:
        created = stage.create(stage.sleeping())
        exited = stage.run(stage.printing((Stream.STDOUT, b"here\n"), exit_code=3))
        gone = stage.create(stage.sleeping())
        stage.driver.remove(gone, force=False)

        for handle in (created, exited, gone):
            stage.driver.stop(handle, 10)
            stage.driver.stop(handle, 0)

        assert stage.driver.observe(created).state is RunState.CREATED
        assert stage.driver.observe(exited).exit_code == 3
        assert stage.driver.observe(gone).state is RunState.GONE
