"""An image registry that has no image: `missing/…` is not there, `slow/…` never answers."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.support.waiting import wait_until

NOT_THERE = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'


class FakeRegistry:
    """Speaks enough of the registry protocol to be asked for a manifest."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self._asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry._answer(self)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def wait_for_puller(self, name: str) -> None:
        """Wait until an engine has asked for that image."""
        wait_until(lambda: any(name in path for path in self._asked), 20, f"a pull of {name}")

    def let_go(self) -> None:
        """Answer what was kept waiting."""
        self._released.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self._asked.append(request.path)
        body = b"{}" if request.path == "/v2/" else NOT_THERE
        if "/slow/" in request.path:
            self._released.wait(60)
        request.send_response(200 if request.path == "/v2/" else 404)
        request.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
