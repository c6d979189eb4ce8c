"""From Postgres to this process's hub: one LISTEN connection in each web process.

Daphne tells an application neither of its start nor of its end, so the relay starts when
the hub is first used and is looked after by itself: a lost connection is replaced with
backoff, and whoever listens is then told to fetch anew, because what was said in between
is lost. Notices are hints: with the relay down, pages and log readers poll.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import socket
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
from django.db import connections

from projects.hub import Hub, Key, hub
from projects.notify import LIVE_CHANNEL
from projects.pool import look_over_pool

logger = logging.getLogger(__name__)

FIRST_BACKOFF, MOST_BACKOFF = 0.25, 5.0
QUIET_SECONDS = 15.0
"""After so long without a notice the connection is asked whether it still lives."""
ANSWER_SECONDS = 5.0
"""What does not answer in that time hears nothing either, and is replaced."""


class Relay:
    """Feeds a hub for as long as its event loop runs."""

    def __init__(self, target: Hub) -> None:
        self._hub = target
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def until_listening(self) -> None:
        """Wait until notices arrive: what commits from now on is heard of."""
        await self._listening.wait()

    def ensure_running(self) -> None:
        """Start on the running loop, unless it runs there already."""
        loop = asyncio.get_running_loop()
        task = self._task
        if task is None or task.done() or task.get_loop() is not loop:
            self._listening = asyncio.Event()  # an event belongs to one loop
            self._task = loop.create_task(self._supervise(), name="live relay")

    async def stop(self) -> None:
        """End it, and its connection."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _supervise(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                logger.warning("live relay: no connection to the database: %s", error)
            except Exception:
                logger.exception("live relay: failed; starting it again")
            finally:
                was_listening = self._listening.is_set()
                self._listening.clear()
                self._hub.hears(False)
            backoff = FIRST_BACKOFF if was_listening else min(backoff * 2, MOST_BACKOFF)
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(**_address(), autocommit=True) as link:
            with suppress(TimeoutError):  # before everybody asks anew; one that hangs is no reason
                async with asyncio.timeout(ANSWER_SECONDS):
                    await asyncio.to_thread(look_over_pool)
            await _ask(link, f"LISTEN {LIVE_CHANNEL}")
            self._listening.set()
            self._hub.hears(True)
            self._hub.resync()
            while True:
                async for notice in link.notifies(timeout=QUIET_SECONDS):
                    self._pass_on(notice.payload)
                await _ask(link, "SELECT 1")

    def _pass_on(self, payload: str) -> None:
        try:
            announce(self._hub, json.loads(payload))
        except (ValueError, TypeError, KeyError, AttributeError):
            logger.exception("live relay: a notice that cannot be read: %.200s", payload)
            self._hub.resync()


def announce(target: Hub, notice: dict[str, Any]) -> None:
    """Tell the hub what one notice on `gantry_live` says (its shape: projects/notify.py). However
    many jobs it names, a list has changed once: thousands may watch it."""
    lists: set[Key] = set()
    for job_id, rev, project_id, *ended in notice.get("jobs", ()):
        message = {"t": "job", "id": job_id, "rev": rev} | ({"ended": True} if ended else {})
        target.signal(message, ("job", job_id))
        lists |= {("jobs", project_id), ("jobs", None)}
    target.signal({"t": "lists"}, *lists)
    for provider_id, rev in notice.get("providers", ()):
        message = {"t": "provider", "id": provider_id, "rev": rev}
        target.signal(message, ("provider", provider_id), ("providers", None))
    for request_id in notice.get("requests", ()):
        target.signal({"t": "request", "id": request_id}, ("request", request_id))
    for attempt_id, seq in notice.get("logs", ()):
        target.signal({"t": "log", "attempt": attempt_id, "seq": seq}, ("log", attempt_id))
    if "resync" in notice:
        target.resync(notice["resync"])


async def _ask(link: psycopg.AsyncConnection[Any], statement: LiteralString) -> None:
    """Run it, for so long. What is cancelled would wait for the server to agree; a connection
    that is shut at this end fails at once."""
    giving_up = asyncio.get_running_loop().call_later(ANSWER_SECONDS, _shut, link)
    try:
        await link.execute(statement)
    finally:
        giving_up.cancel()


def _shut(link: psycopg.AsyncConnection[Any]) -> None:
    with socket.socket(fileno=os.dup(link.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _address() -> dict[str, Any]:
    """How to reach the database directly, past any pool, as Django does."""
    params = connections["default"].get_connection_params()
    for only_for_django in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(only_for_django, None)
    keepalive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    return {**params, **keepalive, "application_name": "gantry-relay", "connect_timeout": 10}


relay = Relay(hub)
"""The one of this process; asgi.py ties it to the hub."""
