"""Who in this process wants to hear of what: the fan-out of live signals.

Postgres tells each web process that something changed (orchestrator/relay.py); the hub
tells the sockets and log readers of that process. It carries ids and revisions, never
content, so nothing is lost with it that a page does not fetch anyway. A mailbox keeps only
the newest signal per topic: however slow a socket is, it holds at most one per topic.

Everything here runs on the event loop of the process and is not thread-safe, but for
`revision`, which reads numbers that only grow.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Key = tuple[str, int | None]
"""A kind and an id, or None for all of that kind."""
Message = Mapping[str, Any]

OBJECT_SECONDS = 0.5
"""At most one signal per object and socket in this time, the last one never lost."""
LIST_SECONDS = 0.5
"""A list that one person watches is refetched at most so often; a change is then in its page
within a second."""
RESTLESS_SIGNALS, RESTLESS_SECONDS, RESTLESS_LIST_SECONDS = 5, 5.0, 1.3
"""One of which so many signals a second have come for so long is refetched only so often from then
on: its rows are others before anybody has read them."""
LIST_WATCHERS_PER_SECOND = 50
"""All watchers of a list together refetch it less often than this, however many they are."""
LIST_JITTER = 0.1
"""By so much of that time two of them may differ: whom chance has brought together part again."""

_OF_FEW = ("jobs", "provider", "providers")
"""Kinds of which a process may count the signals by key, for there are few keys."""
_EVERYTHING: Key = ("", None)


@dataclass(slots=True)
class _Told:
    """A topic was told `at` then, so many signals have come since, and until then it had been
    restless since another moment."""

    at: float
    restless_since: float
    signals: int = 0

    @classmethod
    def now(cls, at: float, before: _Told | None) -> _Told:
        """It is told now, after it was told before."""
        if before is None or before.signals < RESTLESS_SIGNALS * (at - before.at):
            return cls(at, at)
        return cls(at, before.restless_since)


class Mailbox:
    """What one socket has still to be told."""

    def __init__(self) -> None:
        self._waiting: dict[str, Message] = {}
        self._not_before: dict[str, float] = {}
        self._told: dict[str, _Told] = {}
        self._begun: set[str] = set()
        """Topics on which something waits that `take` has not seen."""
        self._news = asyncio.Event()

    def put(self, topic: str, message: Message) -> None:
        """Keep this signal, in the place of an older one on that topic: whoever waits for that
        one has no need to wake."""
        if topic not in self._waiting:
            self._begun.add(topic)
            self._news.set()
        self._waiting[topic] = message
        if topic in self._told:
            self._told[topic].signals += 1

    def forget(self, topic: str) -> None:
        """The socket wants no more of this topic."""
        self._waiting.pop(topic, None)
        self._not_before.pop(topic, None)
        self._told.pop(topic, None)
        self._begun.discard(topic)

    async def take(
        self, pause: Callable[[str, float], float], delay: Callable[[str], float]
    ) -> list[Message]:
        """The signals that are due; waits for one. `pause` says for how many seconds a
        topic is then quiet, told for how long it has been restless. What comes meanwhile is kept
        until that time is over; what comes after a longer quiet, for the seconds that `delay`
        says."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for topic in self._begun:
                earliest = self._not_before.get(topic, now)
                self._not_before[topic] = max(earliest, now + delay(topic))
            self._begun.clear()
            due = [t for t in self._waiting if self._not_before.get(t, now) <= now]
            if due:
                for topic in due:
                    told = self._told[topic] = _Told.now(now, self._told.get(topic))
                    self._not_before[topic] = now + pause(topic, now - told.restless_since)
                return [self._waiting.pop(topic) for topic in due]
            self._news.clear()
            next_at = min((self._not_before[t] for t in self._waiting), default=None)
            try:
                async with asyncio.timeout_at(next_at):
                    await self._news.wait()
            except TimeoutError:
                continue


class Wakeup:
    """The bell of one who waits for a job's news or follows its log."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._heard: Message | None = None

    def ring(self, message: Message) -> None:
        """Wake the one who waits with this signal."""
        self._heard = message
        self._event.set()

    async def wait(self, most_seconds: float) -> Message | None:
        """The latest signal since the last call, when there is one; None after that time."""
        try:
            async with asyncio.timeout(most_seconds):
                await self._event.wait()
        except TimeoutError:
            return None
        finally:
            self._event.clear()
        return self._heard


class Hub:
    """The subscriptions of one process."""

    def __init__(self) -> None:
        self._watchers: dict[Key, set[tuple[Mailbox, str]]] = {}
        self._wakeups: dict[Key, set[Wakeup]] = {}
        self._starter: Callable[[], None] = _nothing_to_start
        self._name = secrets.token_hex(4)
        self._heard: Counter[Key] = Counter()
        self._hears = False

    def start_with(self, starter: Callable[[], None]) -> None:
        """Who feeds the hub: called at each use of it, on the event loop."""
        self._starter = starter

    def hears(self, listening: bool) -> None:
        """Whether changes arrive from now on; what was said before is lost."""
        self._hears = listening
        self._heard[_EVERYTHING] += 1

    def revision(self, keys: Iterable[Key]) -> str | None:
        """A text that differs after each signal on one of these keys of lists and providers, and
        in each process; None while no changes arrive."""
        if not self._hears:
            return None
        return f"{self._name}-{sum(self._heard[key] for key in (_EVERYTHING, *keys))}"

    def subscribe(self, mailbox: Mailbox, topic: str, keys: Iterable[Key]) -> None:
        """Let signals on these keys go to the mailbox, as `topic`."""
        self._starter()
        for key in keys:
            self._watchers.setdefault(key, set()).add((mailbox, topic))

    def unsubscribe(self, mailbox: Mailbox, topic: str, keys: Iterable[Key]) -> None:
        """Stop that."""
        for key in keys:
            _discard(self._watchers, key, (mailbox, topic))

    def watch_log(self, attempt_id: int, job_id: int) -> Wakeup:
        """A bell that rings for new output of the attempt and for changes of its job."""
        self._starter()
        wakeup = Wakeup()
        for key in (("log", attempt_id), ("job", job_id)):
            self._wakeups.setdefault(key, set()).add(wakeup)
        return wakeup

    def unwatch_log(self, attempt_id: int, job_id: int, wakeup: Wakeup) -> None:
        """Give the bell back."""
        for key in (("log", attempt_id), ("job", job_id)):
            _discard(self._wakeups, key, wakeup)

    def watch_job(self, job_id: int) -> Wakeup:
        """A bell that rings when the job changes."""
        self._starter()
        wakeup = Wakeup()
        self._wakeups.setdefault(("job", job_id), set()).add(wakeup)
        return wakeup

    def unwatch_job(self, job_id: int, wakeup: Wakeup) -> None:
        """Give the bell back."""
        _discard(self._wakeups, ("job", job_id), wakeup)

    def signal(self, message: Message, *keys: Key) -> None:
        """Tell everybody who is subscribed to one of the keys."""
        for key in keys:
            if key[0] in _OF_FEW:
                self._heard[key] += 1
            for mailbox, topic in self._watchers.get(key, ()):
                mailbox.put(topic, _as_seen(topic, message))
            for wakeup in self._wakeups.get(key, ()):
                wakeup.ring(message)

    def resync(self, project_ids: Iterable[int] = ()) -> None:
        """Tell all who see one of these projects to fetch anew; without ids, everybody."""
        keys: list[Key] = [("project", number) for number in project_ids]
        self._heard.update(("jobs", number) for _, number in keys)
        self._heard[("jobs", None) if keys else _EVERYTHING] += 1
        if keys:
            keys.append(("project", None))
        else:
            keys = [key for key in self._watchers if key[0] == "project"]
        message = {"t": "resync"}
        self.signal(message, *keys)
        for wakeups in self._wakeups.values():
            for wakeup in wakeups:
                wakeup.ring(message)

    def watchers(self, *keys: Key) -> int:
        """How many subscriptions there are to these keys."""
        return sum(len(self._watchers.get(key, ())) for key in keys)

    def bells(self, key: Key) -> int:
        """How many bells hang there."""
        return len(self._wakeups.get(key, ()))

    @property
    def is_idle(self) -> bool:
        """True when nobody listens."""
        return not self._watchers and not self._wakeups


def list_seconds(watchers: int, restless: float = 0.0) -> float:
    """Seconds between two refetches of a list that so many watch, on average, and that has been
    restless for so many seconds."""
    usual = LIST_SECONDS + watchers / LIST_WATCHERS_PER_SECOND
    return max(usual, RESTLESS_LIST_SECONDS) if restless >= RESTLESS_SECONDS else usual


def list_delay(watchers: int) -> float:
    """Seconds after which one of so many is told that a list has changed which had not for long:
    they would else all fetch it at the same moment, and at the same moments from then on."""
    return random.uniform(0.0, watchers / LIST_WATCHERS_PER_SECOND)


def jittered(seconds: float, by: float = 0.5) -> float:
    """That time ± 50 %, or another share of it, so that many do not all come at once."""
    return seconds * random.uniform(1 - by, 1 + by)


def _as_seen(topic: str, message: Message) -> Message:
    """What a socket is told: on a list's topic only that the list changed."""
    kind = topic.partition(":")[0]
    return message if kind == message["t"] else {"t": kind, "topic": topic}


def _discard(index: dict[Key, set[T]], key: Key, item: T) -> None:
    found = index.get(key)
    if found is not None:
        found.discard(item)
        if not found:
            del index[key]


def _nothing_to_start() -> None:
    """Before the relay is set: readers poll."""


hub = Hub()
"""The one of this process."""
