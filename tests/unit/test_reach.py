"""The breaker of a provider: who asks it while it does not answer, and who waits."""

from __future__ import annotations

import threading

import pytest

from orchestrator.loop import reach as reach_module
from orchestrator.loop.host_view import GivenUp, ProviderLost
from orchestrator.loop.reach import Reach
from providers.driver import EngineFault, Unreachable
from tests.support.waiting import wait_until

SILENT = Unreachable("could not look at the container: the engine did not answer in time")


class Waiter(threading.Thread):
    """Waits for contact; remembers how that came out."""

    def __init__(self, reach: Reach, error: Unreachable = SILENT) -> None:
        super().__init__(daemon=True)
        self.error = error
        self.reach = reach
        self.outcome: BaseException | str = ""
        self.start()

    def run(self) -> None:
        try:
            self.reach.wait(self.error)
            self.outcome = "answers"
        except (GivenUp, ProviderLost) as error:
            self.outcome = error


@pytest.fixture
def ending() -> threading.Event:
    return threading.Event()


def opened(ending: threading.Event, lost_after: float | None = None) -> Reach:
    reach = Reach("here", lost_after, ending)
    reach.lost(SILENT)
    return reach


def test_while_it_does_not_answer_nobody_asks_and_everybody_learns_why(
    ending: threading.Event,
) -> None:
    reach = opened(ending)
    with pytest.raises(Unreachable, match="did not answer in time"):
        reach.check()
    reach.probed("the probe's own words")
    with pytest.raises(Unreachable, match="the probe's own words"):
        reach.check()
    reach.probed(None)
    reach.check()


def test_an_engine_that_answers_with_an_error_about_one_container_is_asked_about_all_others(
    ending: threading.Event,
) -> None:
    reach = Reach("here", 0.0, ending)
    fault = EngineFault("could not look at the container: no such process")
    reach.lost(fault)
    reach.check()
    reach.wait(fault)  # a moment, then who asked tries again
    reach.check()


def test_who_met_such_an_error_waits_too_while_the_engine_does_not_answer(
    ending: threading.Event,
) -> None:
    reach = opened(ending)
    waiter = Waiter(reach, EngineFault("could not read the log"))
    reach.probed("still silent")
    assert waiter.is_alive()
    reach.probed(None)
    wait_until(lambda: waiter.outcome == "answers", 5, "it goes on")


def test_those_who_wait_go_on_when_a_probe_is_answered(ending: threading.Event) -> None:
    reach = opened(ending)
    waiters = [Waiter(reach) for _ in range(3)]
    reach.probed("still silent")
    assert all(waiter.is_alive() for waiter in waiters)
    reach.probed(None)
    wait_until(lambda: all(w.outcome == "answers" for w in waiters), 5, "all go on")


def test_those_who_wait_give_up_when_their_host_ends(ending: threading.Event) -> None:
    reach = opened(ending)
    waiter = Waiter(reach)
    ending.set()
    reach.let_go()
    wait_until(lambda: isinstance(waiter.outcome, GivenUp), 5, "it gives up")


def test_a_provider_is_lost_after_its_time_counted_from_the_first_silence(
    ending: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(reach_module, "monotonic", lambda: now)
    reach = opened(ending, lost_after=60)
    now = 1050.0
    reach.probed("silent")
    now = 1061.0
    with pytest.raises(ProviderLost, match="not seen for 60 s"):
        reach.wait(SILENT)


def test_a_provider_without_such_a_time_is_never_lost(
    ending: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(reach_module, "monotonic", lambda: now)
    reach = opened(ending)
    waiter = Waiter(reach)
    now = 1e9
    reach.probed("silent")
    assert waiter.is_alive()
    reach.probed(None)
    wait_until(lambda: waiter.outcome == "answers", 5, "it goes on")
