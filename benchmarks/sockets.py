"""Browsers' sockets: signed in, as pages open them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import django
from websockets.asyncio.client import ClientConnection, connect
from websockets.sync.client import connect as connect_now
from websockets.typing import Origin

from tests.support.running import RunningGantry


def signed_in(gantry: RunningGantry) -> str:
    """The cookie of the first admin, in a session of its own."""
    os.environ.update(gantry.environment, DJANGO_SETTINGS_MODULE="orchestrator.settings")
    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test.utils import setup_test_environment

    from tests.support.sessions import sign_in

    setup_test_environment()
    return f"{settings.SESSION_COOKIE_NAME}={sign_in(User.objects.get(username='admin'))}"


@contextmanager
def open_page(gantry: RunningGantry, cookie: str, *topics: str) -> Iterator[None]:
    """A page that stands open meanwhile and is told of these; its regions are not fetched."""
    address = f"ws://127.0.0.1:{gantry.port}/ws/live"
    headers = {"Cookie": cookie}
    with connect_now(address, origin=Origin(gantry.url), additional_headers=headers) as socket:
        hello = json.loads(socket.recv())
        assert hello["t"] == "hello", hello
        socket.send(json.dumps({"op": "sub", "topics": topics}))
        told = json.loads(socket.recv())
        assert told == {"t": "subscribed", "topics": sorted(topics)}, told
        yield


async def open_sockets(
    stack: AsyncExitStack, gantry: RunningGantry, cookie: str, many: int
) -> list[ClientConnection]:
    """So many sockets, each of which has heard its hello; they close with the stack."""
    found = []
    for _ in range(many):
        socket = await stack.enter_async_context(
            connect(
                f"ws://127.0.0.1:{gantry.port}/ws/live",
                origin=Origin(gantry.url),
                additional_headers={"Cookie": cookie},
                compression=None,
                max_size=None,
                ping_interval=None,
            )
        )
        hello = json.loads(await socket.recv())
        assert hello["t"] == "hello", hello
        found.append(socket)
    return found


async def say(socket: ClientConnection, **message: Any) -> None:
    """One message to the server."""
    await socket.send(json.dumps(message))
