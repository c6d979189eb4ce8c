"""Daphne, with one thing that an HTTP answer could do to the whole process put right.

An answer that fails after its beginning would end the round in which it looks after all its
connections, so that nothing is ever given back again and the reader waits for ever. `python -m
orchestrator.web_server` takes the arguments of `daphne`.
"""

from __future__ import annotations

from typing import Any

from daphne import server as daphne_server  # before other parts of it: it sets the reactor
from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory, WebRequest

from orchestrator.admission import CUT_OFF


class Request(WebRequest):  # type: ignore[misc]  # daphne has no types
    """A request and its answer."""

    def handle_exception(self, exception: Exception) -> None:
        """It failed. Once the answer has begun only a cut connection tells of that: daphne would
        begin another one, which raises."""
        if self._response_started:
            self.loseConnection()
        else:
            super().handle_exception(exception)


class _Factory(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol


class WebServer(daphne_server.Server):  # type: ignore[misc]
    """The server with these requests."""

    def run(self) -> None:
        """Serve until the process is told to end."""
        daphne_server.HTTPFactory = _Factory  # it asks for it by this name, and nobody else
        super().run()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Begin to answer."""
        if isinstance(protocol, Request):
            scope[CUT_OFF] = protocol.handle_exception
        return super().create_application(protocol, scope)


class _CommandLine(CommandLineInterface):  # type: ignore[misc]
    server_class = WebServer


if __name__ == "__main__":
    _CommandLine.entrypoint()
