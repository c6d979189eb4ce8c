"""The websocket of a page, `/ws/live`: what changed, and the logs that are open.

Signals say that something changed (kind, id, revision); the page fetches it through an
ordinary view. Logs alone are sent as content. Every subscription is checked against the
viewer's roles, and again within each minute, as is the session itself. The messages are
written down in docs/live.md.

A socket that is refused is accepted and closed at once with 4401 or 4403: a browser does
not tell a page with which HTTP status a handshake failed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from orchestrator import live_messages
from orchestrator.build import build_id
from orchestrator.live_messages import (
    Acknowledge,
    BadMessage,
    CloseLog,
    OpenLog,
    Ping,
    Place,
    Pong,
    Subscribe,
    Unsubscribe,
    parse,
)
from orchestrator.log_feed import LogFeed
from orchestrator.topics import Grant, LogGrant, grants_of, log_grant, resync_keys
from orchestrator.viewer import origin_allowed, session_key, viewer_of
from projects.actor import Actor
from projects.hub import (
    LIST_JITTER,
    OBJECT_SECONDS,
    Hub,
    Mailbox,
    Message,
    hub,
    jittered,
    list_delay,
    list_seconds,
)
from projects.offload import in_database

logger = logging.getLogger(__name__)

SIGNED_OUT, FOREIGN_ORIGIN = 4401, 4403
TOO_MUCH, TOO_LARGE, GONE, BROKEN = 1008, 1009, 1001, 1011
MOST_TOPICS, MOST_LOGS = 200, 8
MOST_MESSAGE_CHARACTERS = 32 * 1024
MESSAGES_PER_SECOND, BURST = 50, 300
HEARTBEAT_SECONDS = 20.0
SILENCE_SECONDS = 2.25 * HEARTBEAT_SECONDS
RECHECK_SECONDS = 40.0  # ± 50 %: within each minute

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Closing(Exception):
    """The server ends this socket, with that code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def live_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for one websocket."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    if not origin_allowed(scope):
        await send({"type": "websocket.close", "code": FOREIGN_ORIGIN})
        return
    key = session_key(scope)
    viewer = await in_database(viewer_of, key)
    if viewer is None:
        await send({"type": "websocket.close", "code": SIGNED_OUT})
        return
    await LiveSocket(viewer, key, receive, send, hub).run()


async def no_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """For every other path: there is nothing to connect to."""
    await receive()
    await send({"type": "websocket.close"})


class LiveSocket:
    """One signed-in viewer's socket."""

    def __init__(self, viewer: Actor, key: str, receive: Receive, send: Send, fed_by: Hub) -> None:
        self._viewer = viewer
        self._session_key = key
        self._receive = receive
        self._asgi_send = send
        self._hub = fed_by
        self._mailbox = Mailbox()
        self._grants: dict[str, Grant] = {}
        self._feeds: dict[Place, tuple[LogFeed, asyncio.Task[None]]] = {}
        self._heard_at = asyncio.get_running_loop().time()
        self._allowance = float(BURST)

    async def run(self) -> None:
        """Serve until the browser goes, or until the viewer has to."""
        self._subscribe(Grant("resync", resync_keys(self._viewer)))
        await self._tell({"t": "hello", "build": build_id(), "heartbeat_s": HEARTBEAT_SECONDS})
        parts = [self._listen(), self._signal(), self._beat(), self._check_rights()]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await self._close_for(next(iter(done)).exception())
        finally:
            tasks += [task for _, task in self._feeds.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for topic in list(self._grants):
                self._unsubscribe(topic)

    async def _close_for(self, error: BaseException | None) -> None:
        if error is None:
            return  # the browser has gone
        if not isinstance(error, Closing):
            logger.error("live socket of %s failed", self._viewer.name, exc_info=error)
        code = error.code if isinstance(error, Closing) else BROKEN
        await self._asgi_send({"type": "websocket.close", "code": code})

    # what the browser says

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return
            since, self._heard_at = self._heard_at, loop.time()
            earned = (self._heard_at - since) * MESSAGES_PER_SECOND
            self._allowance = min(self._allowance + earned, BURST) - 1
            if self._allowance < 0:
                raise Closing(TOO_MUCH)
            text = event.get("text") or ""
            if len(text) > MOST_MESSAGE_CHARACTERS:
                raise Closing(TOO_LARGE)
            try:
                message = parse(text)
            except BadMessage as problem:
                await self._tell({"t": "error", "detail": str(problem)})
            else:
                await self._obey(message)

    async def _obey(self, message: live_messages.Message) -> None:
        match message:
            case Subscribe(topics):
                await self._sub(topics)
            case Unsubscribe(topics):
                for topic in topics:
                    self._unsubscribe(topic)
            case OpenLog(place, after):
                await self._log(place, after)
            case CloseLog(place):
                if feed := self._feeds.pop(place, None):
                    feed[1].cancel()
            case Acknowledge(place, number):
                if feed := self._feeds.get(place):
                    feed[0].acknowledge(number)
            case Ping():
                await self._tell({"t": "pong"})
            case Pong():
                pass  # it was heard: that is all it is for

    async def _sub(self, topics: tuple[str, ...]) -> None:
        asked = set(topics) - set(self._grants)
        if len(self._grants) + len(asked) > MOST_TOPICS:
            raise Closing(TOO_MUCH)
        granted = {g.topic: g for g in await in_database(grants_of, self._viewer, sorted(asked))}
        for topic in topics:
            if topic in granted:
                self._subscribe(granted[topic])
            elif topic not in self._grants:
                await self._tell({"t": "denied", "topic": topic})
        # The page fetches what is of these now: of what changed before, nobody tells it.
        await self._tell({"t": "subscribed", "topics": sorted(granted)})

    async def _log(self, place: Place, after_seq: int) -> None:
        if old := self._feeds.pop(place, None):
            old[1].cancel()
        if len(self._feeds) >= MOST_LOGS:
            raise Closing(TOO_MUCH)
        grant = await self._may_read(place)
        if grant is None:
            return
        feed = LogFeed(grant, after_seq, self._tell, self._hub)
        task = asyncio.ensure_future(feed.run())
        task.add_done_callback(lambda done: self._feed_ended(place, done))
        self._feeds[place] = (feed, task)

    def _feed_ended(self, place: Place, task: asyncio.Task[None]) -> None:
        if (feed := self._feeds.get(place)) and feed[1] is task:
            del self._feeds[place]
        if not task.cancelled() and (error := task.exception()):
            logger.error("log feed of %s failed", place, exc_info=error)
            failed = {"t": "logerror", "job": place.job, "attempt": place.attempt}
            self._mailbox.put(f"logerror:{place}", failed)

    async def _may_read(self, place: Place) -> LogGrant | None:
        grant = await in_database(log_grant, self._viewer, place.job, place.attempt)
        if grant is None:
            await self._tell({"t": "denied", "topic": f"log:{place.job}/{place.attempt}"})
        return grant

    # what the browser is told

    async def _signal(self) -> None:
        while True:
            for message in await self._mailbox.take(self._pause, self._delay):
                kind = message["t"]
                if kind in ("jobs", "providers"):
                    # The least time between two signals: the page's own bound delays none.
                    every = list_seconds(self._watchers(str(message["topic"]))) * (1 - LIST_JITTER)
                    await self._tell({**message, "every_ms": round(every * 1000)})
                else:
                    await self._tell(message)

    def _pause(self, topic: str, restless: float) -> float:
        if _is_of_list(topic):
            if topic == "resync":  # of all that is shown, also of what changes seldom
                restless = 0.0
            return jittered(list_seconds(self._watchers(topic), restless), LIST_JITTER)
        return OBJECT_SECONDS

    def _delay(self, topic: str) -> float:
        return list_delay(self._watchers(topic)) if _is_of_list(topic) else 0.0

    def _watchers(self, topic: str) -> int:
        grant = self._grants.get(topic)
        return max((self._hub.watchers(key) for key in grant.keys), default=0) if grant else 0

    async def _beat(self) -> None:
        """Tell that we live, and end a socket whose browser does not answer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if loop.time() - self._heard_at > SILENCE_SECONDS:
                raise Closing(GONE)
            await self._tell({"t": "ping"})

    async def _check_rights(self) -> None:
        while True:
            await asyncio.sleep(jittered(RECHECK_SECONDS))
            await self.recheck()

    async def recheck(self) -> None:
        """Ask again who this is and what they may see. Raises Closing when signed out."""
        viewer = await in_database(viewer_of, self._session_key)
        if viewer is None or viewer.id != self._viewer.id:
            raise Closing(SIGNED_OUT)
        self._viewer = viewer
        held = set(self._grants) - {"resync"}
        found = await in_database(grants_of, viewer, sorted(held))
        still = {grant.topic: grant for grant in found}
        still["resync"] = Grant("resync", resync_keys(viewer))
        for topic in set(self._grants) & (held | {"resync"}):
            if topic not in still:
                self._unsubscribe(topic)
                await self._tell({"t": "denied", "topic": topic})
            elif still[topic].keys != self._grants[topic].keys:
                self._unsubscribe(topic)
                self._subscribe(still[topic])
        for place, (_, task) in list(self._feeds.items()):
            if await self._may_read(place) is None:
                task.cancel()

    def _subscribe(self, grant: Grant) -> None:
        self._grants[grant.topic] = grant
        self._hub.subscribe(self._mailbox, grant.topic, grant.keys)

    def _unsubscribe(self, topic: str) -> None:
        if grant := self._grants.pop(topic, None):
            self._hub.unsubscribe(self._mailbox, topic, grant.keys)
            self._mailbox.forget(topic)

    async def _tell(self, message: Message) -> None:
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        await self._asgi_send({"type": "websocket.send", "text": text})


def _is_of_list(topic: str) -> bool:
    """Whether it is one that many pages share, each of which then fetches much."""
    return topic.partition(":")[0] in ("jobs", "providers", "resync")
