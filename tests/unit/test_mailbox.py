"""When a socket is told that a list has changed: soon, often enough, and not with all others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from projects.hub import (
    LIST_WATCHERS_PER_SECOND,
    RESTLESS_LIST_SECONDS,
    RESTLESS_SECONDS,
    Mailbox,
    list_delay,
    list_seconds,
)

CHANGED = {"t": "jobs", "topic": "jobs"}


def told_after(pause: float, delay: float, *, signals: int) -> list[float]:
    """Seconds from the first to each telling of a list that changes all the time."""

    async def scenario() -> list[float]:
        loop = asyncio.get_running_loop()
        mailbox, told = Mailbox(), []
        begun = loop.time()
        for _ in range(signals):
            mailbox.put("jobs", CHANGED)
            await mailbox.take(_always(pause), _always(delay))
            told.append(loop.time() - begun)
        return told

    return asyncio.run(scenario())


def _always(seconds: float) -> Callable[..., float]:
    return lambda *_: seconds


def test_after_a_quiet_time_a_change_is_told_after_its_delay() -> None:
    (told,) = told_after(0.0, 0.2, signals=1)
    assert 0.2 <= told < 2.0


def test_a_pause_that_is_longer_than_the_delay_is_not_made_longer_by_it() -> None:
    first, second = told_after(0.5, 0.5, signals=2)
    assert 0.5 <= second - first < 0.5 + 0.5


def test_a_topic_is_restless_while_many_signals_a_second_come() -> None:
    heard: list[float] = []
    at: list[float] = []

    def pause(topic: str, restless: float) -> float:
        heard.append(restless)
        at.append(asyncio.get_running_loop().time())
        return 0.3

    async def scenario() -> None:
        mailbox = Mailbox()
        for signals in (1, 10, 10, 1, 10):
            for _ in range(signals):
                mailbox.put("jobs", CHANGED)
            await mailbox.take(pause, _always(0.0))

    asyncio.run(scenario())
    first, second, third, few, again = heard
    assert first == few == 0.0
    assert 0.3 <= second < third
    assert 0.3 <= again < at[4] - at[2], "counted anew from the few"


def test_a_list_that_never_rests_is_fetched_less_often_and_never_more_often_than_by_many() -> None:
    assert list_seconds(1, RESTLESS_SECONDS - 1) == list_seconds(1) < RESTLESS_LIST_SECONDS
    assert list_seconds(1, RESTLESS_SECONDS) == RESTLESS_LIST_SECONDS
    assert list_seconds(1000, RESTLESS_SECONDS) == list_seconds(1000) > RESTLESS_LIST_SECONDS


def test_the_newest_signal_is_told_once_however_many_came() -> None:
    async def scenario() -> None:
        mailbox = Mailbox()
        for rev in range(3):
            mailbox.put("job:1", {"t": "job", "id": 1, "rev": rev})
        (message,) = await mailbox.take(_always(0.0), _always(0.0))
        assert message["rev"] == 2

    asyncio.run(scenario())


def test_a_thousand_are_spread_over_the_time_in_which_each_fetches_once() -> None:
    delays = [list_delay(1000) for _ in range(1000)]
    assert max(delays) <= list_seconds(1000)
    each_second = [sum(n <= delay < n + 1 for delay in delays) for n in range(20)]
    assert max(each_second) < 2 * LIST_WATCHERS_PER_SECOND


def test_one_alone_hears_of_a_change_at_once() -> None:
    assert max(list_delay(1) for _ in range(100)) <= 0.02
