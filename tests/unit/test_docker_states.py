"""What the engine's own word for a container is taken for."""

from __future__ import annotations

import pytest

from providers.driver import RunState
from providers.drivers.docker.states import observation, run_state

KILLED = {"ExitCode": 137, "OOMKilled": False, "Error": ""}


@pytest.mark.parametrize("status", ["removing", "dead"])
def test_a_container_that_somebody_removes_is_gone_and_its_kill_is_not_the_programs_end(
    status: str,
) -> None:
    seen = observation({"Status": status} | KILLED)
    assert (seen.state, seen.exit_code) == (RunState.GONE, None)


def test_what_a_removal_left_behind_is_still_there_to_be_removed() -> None:
    assert run_state("dead") is RunState.EXITED


def test_a_program_that_was_killed_has_ended_with_that() -> None:
    seen = observation({"Status": "exited"} | KILLED)
    assert (seen.state, seen.exit_code) == (RunState.EXITED, 137)


def test_a_word_the_engine_never_had_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'sleeping'"):
        run_state("sleeping")
