"""An image registry with whose answers something is wrong: the first part of an image's
name says what.

| name | what it does |
| --- | --- |
| `missing/…` | does not have it |
| `slow/…` | does not answer until `let_go` |
| `refusing/…` | answers 403 |
| `busy/…` | answers 429 |
| `failing/…` | answers 500 |
| `garbled/…` | sends a manifest that is none |
| `foreign/…` | has it for another processor only |
| `hollow/…` | has the manifest, and not what it names |
| `forged/…` | sends other bytes than the manifest names |
| `cut/…` | breaks off in the middle of a layer |
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.waiting import wait_until

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
LAYER_BYTES = 100_000


def _error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": f"so it is: {code}"}]}).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _part(kind: str, data: bytes) -> dict[str, Any]:
    return {
        "mediaType": f"application/vnd.docker.{kind}",
        "size": len(data),
        "digest": _digest(data),
    }


CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
).encode()


def _layer(kind: str) -> bytes:
    """Each kind has a layer of its own: engines fetch one that two images share only once."""
    return b"\x1f\x8b" + kind.encode() * (LAYER_BYTES // len(kind))


def _manifest(kind: str) -> bytes:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _part("container.image.v1+json", CONFIG),
            "layers": [_part("image.rootfs.diff.tar.gzip", _layer(kind))],
        }
    ).encode()


def _foreign() -> bytes:
    platform = {"architecture": "s390x", "os": "linux"}
    entry = {"mediaType": MANIFEST, "size": 7, "digest": _digest(b"foreign"), "platform": platform}
    return json.dumps({"schemaVersion": 2, "mediaType": LIST, "manifests": [entry]}).encode()


JSON = "application/json"
MANIFESTS: dict[str, tuple[int, str, bytes]] = {
    "missing": (404, JSON, _error("MANIFEST_UNKNOWN")),
    "slow": (404, JSON, _error("MANIFEST_UNKNOWN")),
    "refusing": (403, JSON, _error("DENIED")),
    "busy": (429, JSON, _error("TOOMANYREQUESTS")),
    "failing": (500, JSON, _error("UNKNOWN")),
    "garbled": (200, MANIFEST, b"this is no manifest"),
    "foreign": (200, LIST, _foreign()),
    "hollow": (200, MANIFEST, _manifest("hollow")),
    "forged": (200, MANIFEST, _manifest("forged")),
    "cut": (200, MANIFEST, _manifest("cut")),
}


class OddRegistry:
    """Speaks enough of the registry protocol to be asked for an image."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self._asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    registry._answer(self)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

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
        words = request.path.split("/")
        kind = words[2] if len(words) > 3 else ""
        if kind == "slow":
            self._released.wait(60)
        if not kind:
            _send(request, 200, JSON, b"{}")
        elif "/manifests/" in request.path:
            _send(request, *MANIFESTS.get(kind, MANIFESTS["missing"]))
        else:
            _send_part(request, kind)


def _send_part(request: BaseHTTPRequestHandler, kind: str) -> None:
    """A blob: the config or the layer, as this kind of image has it."""
    content = _layer(kind)
    layer = request.path.endswith(_digest(content))
    data = content if layer else CONFIG
    if kind == "hollow":
        _send(request, 404, JSON, _error("BLOB_UNKNOWN"))
    elif kind == "forged":
        _send(request, 200, "application/octet-stream", data[:-1] + b"?")
    elif kind == "cut" and layer:
        _send(request, 200, "application/octet-stream", data[: LAYER_BYTES // 2], len(data))
    else:
        _send(request, 200, "application/octet-stream", data)


def _send(
    request: BaseHTTPRequestHandler, status: int, kind: str, body: bytes, length: int | None = None
) -> None:
    """An answer; `length` is what is promised where less is sent."""
    request.send_response(status)
    request.send_header("Docker-Distribution-Api-Version", "registry/2.0")
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    if "/manifests/" in request.path and status == 200:
        request.send_header("Docker-Content-Digest", _digest(body))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
