"""Daphne, with what one client could do to the whole process put right.

It takes a request's body whole, into memory, however long it is; of a form it takes the fields
apart, which Django then does anew within its bounds, while everybody else waits for seconds; it
keeps what an answer or a websocket sends in memory until its reader has taken it, however slow he
is, and what comes on a websocket until the application hears it, however long that takes; and an
answer that fails after its beginning ends the round in which it looks after all its connections,
so that nothing is ever given back again and the reader waits for ever. It also closes websockets
with none of the codes that the standard has for that. `python -m orchestrator.web_server` takes
the arguments of `daphne`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from daphne import server as daphne_server  # before other parts of it: it sets the reactor
from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings

from orchestrator.admission import CUT_OFF

READER_SECONDS = 60.0
"""The reader of a websocket who takes nothing for so long is given up."""
MOST_UNHEARD_BYTES, UNHEARD_BYTES = 512 * 1024, 512
"""So much may wait for the application; each message costs so much beside its text."""
TOO_MUCH = 1008


class Braked:
    """What waits while its reader has enough to read, as the connection says."""

    _room: asyncio.Event

    async def room(self) -> None:
        """Until the reader has taken so much that there is room for more, or has gone."""
        await self._room.wait()

    def pauseProducing(self) -> None:
        """The connection has enough to send for now."""
        self._room.clear()

    def resumeProducing(self) -> None:
        """It has sent that."""
        self._room.set()

    def stopProducing(self) -> None:
        """It is gone, and nobody is to wait for it."""
        self._room.set()


def _room() -> asyncio.Event:
    room = asyncio.Event()
    room.set()
    return room


class Request(Braked, WebRequest):  # type: ignore[misc]  # daphne has no types
    """A request and its answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, parsePOSTFormSubmission=False, **kwargs)
        self._came = 0
        self._room = _room()

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body came; what is too long is not kept, but for its length."""
        self._came += len(data)
        if not self._is_too_long:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """All of it came. The length is told as it was, and so refused where it is too long, in
        the words that the address has for it."""
        if self._is_too_long:
            self.content.seek(0)
            self.content.truncate()
            self.requestHeaders.setRawHeaders(b"content-length", [b"%d" % self._came])
        return super().process()

    def handle_reply(self, message: Mapping[str, Any]) -> None:
        """A part of the answer."""
        going = not self.finished and self.channel is not None
        if message["type"] == "http.response.start" and going and self.producer is None:
            self.registerProducer(self, True)
            # Of an earlier answer on this connection, which is not read yet.
            if getattr(self.channel, "_waitingForTransport", False):
                self.pauseProducing()
        super().handle_reply(message)

    def finish(self) -> None:
        """The answer is complete."""
        if self.producer is not None:
            self.unregisterProducer()
        self._room.set()
        super().finish()

    def handle_exception(self, exception: Exception) -> None:
        """It failed. Once the answer has begun only a cut connection tells of that: daphne would
        begin another one, which raises."""
        if self._response_started:
            self.loseConnection()
        else:
            super().handle_exception(exception)

    @property
    def _is_too_long(self) -> bool:
        return self._came > settings.DATA_UPLOAD_MAX_MEMORY_SIZE


class Socket(Braked, WebSocketProtocol):  # type: ignore[misc]
    """A websocket."""

    def onConnect(self, request: Any) -> Any:
        """A client asks for one."""
        self._room = _room()
        self._unheard = 0
        return super().onConnect(request)

    def onOpen(self) -> None:
        """It is there. Until now the connection asked what had read the request for patience."""
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        super().onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """The client says something; who says more than is heard has to go."""
        if self.application_queue.empty():
            self._unheard = 0
        self._unheard += len(payload) + UNHEARD_BYTES
        if self._unheard > MOST_UNHEARD_BYTES:
            self.serverClose(TOO_MUCH)
        else:
            super().onMessage(payload, isBinary)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """It is gone."""
        self._room.set()
        super().onClose(wasClean, code, reason)

    async def room(self) -> None:
        """As of every reader, but for so long only: he may go on talking."""
        try:
            async with asyncio.timeout(READER_SECONDS):
                await super().room()
        except TimeoutError:
            self.dropConnection(abort=True)

    def serverClose(self, code: int | None = None) -> None:
        """Close it with this code. What daphne calls for that takes none of 1001 to 2999."""
        self.sendCloseFrame(code=1000 if code is None else code)


class _SocketFactory(WebSocketFactory):  # type: ignore[misc]
    protocol = Socket


class _Factory(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol


class WebServer(daphne_server.Server):  # type: ignore[misc]
    """The server with these requests and sockets."""

    def run(self) -> None:
        """Serve until the process is told to end."""
        daphne_server.HTTPFactory = _Factory  # it asks for them by these names,
        daphne_server.WebSocketFactory = _SocketFactory  # and nobody else
        super().run()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Begin to answer."""
        if isinstance(protocol, Request):
            scope[CUT_OFF] = protocol.handle_exception
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: Mapping[str, Any]) -> None:
        """Send a part of an answer; returns when there is room for the next."""
        await super().handle_reply(protocol, message)
        if isinstance(protocol, Braked) and message["type"] != "websocket.close":
            await protocol.room()


class _CommandLine(CommandLineInterface):  # type: ignore[misc]
    server_class = WebServer


if __name__ == "__main__":
    _CommandLine.entrypoint()
