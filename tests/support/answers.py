"""An ASGI application whose answers try a server (tests/integration/test_web_server.py,
test_web_sockets.py)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from orchestrator.admission import CUT_OFF, Receive, Scope, Send

PIECE = 64 * 1024
PIECES = 1024
_counted = {"sent": 0, "under_way": 0}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer by the address's name."""
    await _ANSWERS[scope["path"]](scope, receive, send)


async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer that fails after its beginning."""
    await _begin(send)
    raise RuntimeError("broke off")


async def cut_off(scope: Scope, receive: Receive, send: Send) -> None:
    """One that fails and tells the server of it."""
    await _begin(send)
    scope[CUT_OFF](RuntimeError("broke off"))


async def long(scope: Scope, receive: Receive, send: Send) -> None:
    """A long one, which never waits of itself."""
    _counted["under_way"] += 1
    try:
        await _begin(send)
        for _ in range(PIECES):
            await send(_body(bytes(PIECE), more=True))
            _counted["sent"] += 1
        await send(_body(b""))
    finally:
        _counted["under_way"] -= 1


async def counted(scope: Scope, receive: Receive, send: Send) -> None:
    """What became of the long ones."""
    await _begin(send)
    await send(_body(json.dumps(_counted).encode()))


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """What came of a request."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    length = dict(scope["headers"]).get(b"content-length", b"").decode()
    await _begin(send)
    await send(_body(json.dumps({"length": length, "size": size}).encode()))


async def floods(scope: Scope, receive: Receive, send: Send) -> None:
    """A socket that is told much, by one who listens to nothing that it says."""
    _counted["under_way"] += 1
    try:
        await send({"type": "websocket.accept"})
        for _ in range(PIECES):
            await send({"type": "websocket.send", "text": "x" * PIECE})
            _counted["sent"] += 1
    finally:
        _counted["under_way"] -= 1


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    """A socket of which nothing is heard, as while the database hangs."""
    await send({"type": "websocket.accept"})
    await asyncio.get_running_loop().create_future()


async def closes(scope: Scope, receive: Receive, send: Send) -> None:
    """A socket that is closed at once, with the code in its address."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(scope["query_string"])})


async def _begin(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send(_body(b"begun\n", more=True))


def _body(content: bytes, *, more: bool = False) -> Mapping[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


_ANSWERS = {
    "/breaks": breaks,
    "/cut-off": cut_off,
    "/long": long,
    "/counted": counted,
    "/told": told,
    "/floods": floods,
    "/deaf": deaf,
    "/closes": closes,
}
