"""One engine's HTTP API: requests with a deadline, answers as JSON.

The SDK's low-level client is the transport (unix socket, TLS); the calls are plain
requests on it, because the SDK's wrappers take one timeout for everything and spend their
time on arguments that Gantry never sets.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import Any

import requests
from docker import APIClient
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError

from providers.drivers.docker.endpoint import Endpoint, find_endpoint
from providers.drivers.docker.options import DockerOptions
from providers.drivers.docker.translate import EngineError

POOL_SIZE = 64
CALLS = 32
"""Calls to one engine at a time; stops, pulls and readings of logs are beside them."""
_PIECE = 1 << 16


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        """As the SDK's, which leaves the socket open when nobody listens."""
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            unix.settimeout(self.timeout)
            unix.connect(self.unix_socket)
        except BaseException:
            unix.close()
            raise
        self.sock = unix


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> UnixHTTPConnection:  # type: ignore[override]
        return _Connection(self.base_url, self.socket_path)


class _OnePoolAdapter(UnixHTTPAdapter):
    """The SDK's keeps a pool of connections per URL, so every container would dial anew."""

    def __init__(self, socket_url: str) -> None:
        super().__init__(socket_url)
        self._pool = _Pool(socket_url, self.socket_path, maxsize=POOL_SIZE)

    def get_connection(self, url: bytes | str, proxies: Any = None) -> UnixHTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


@dataclass(frozen=True, slots=True)
class _Connected:
    """An open client, and the beginning of its URLs with the version agreed on."""

    client: APIClient
    prefix: str
    version: str


class Engine:
    """A lazily connected engine. Safe for many threads: all they share is urllib3's pool."""

    def __init__(self, options: DockerOptions) -> None:
        self.options = options
        self._lock = Lock()
        self._endpoint: Endpoint | None = None
        self._current: _Connected | None = None
        self._turns = BoundedSemaphore(CALLS)
        self.identity = ""
        """Which engine answers here, by the last probe: its own word, which outlives restarts."""

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine is; found at first use, so that a driver can always be built."""
        if self._endpoint is None:
            self._endpoint = find_endpoint(self.options)
        return self._endpoint

    def path(self, path: str) -> str:
        """The path below the negotiated version, connecting first if need be."""
        return f"/v{self._connected().version}{path}"

    def get(self, path: str, **query: Any) -> Any:
        """Ask a question; the answer's JSON. Raises EngineError, requests' and SDK errors."""
        return parsed(self.ask(path, **query))

    def ask(self, path: str, **query: Any) -> bytes:
        """Ask a question; the answer as it is."""
        with self._turn(self.options.query_seconds):
            return self._call("GET", path, query, seconds=self.options.query_seconds)

    def lines(self, path: str, extra_seconds: float, **query: Any) -> Iterator[bytes]:
        """Ask for what is told line by line as it happens, with silences of so long; beside all
        turns, because it waits for what may happen rather than for the engine."""
        seconds = self.options.query_seconds + extra_seconds
        with self.send("GET", path, query, seconds=seconds, stream=True) as response:
            yield from filter(None, response.iter_lines(chunk_size=None))

    def act(self, method: str, path: str, body: Any = None, **query: Any) -> bytes:
        """Change something, with the long deadline; the answer as it is."""
        with self._turn(self.options.effect_seconds):
            seconds = self.options.effect_seconds
            return self._call(method, path, query, body=body, seconds=seconds)

    def act_slowly(self, method: str, path: str, extra_seconds: float, **query: Any) -> None:
        """Change something that takes its time by itself, beside all turns: its callers are
        few, and wait for a program rather than for the engine."""
        self._call(method, path, query, seconds=self.options.effect_seconds + extra_seconds)

    @contextmanager
    def _turn(self, seconds: float) -> Iterator[None]:
        """One of the few calls at a time: an engine that hangs holds no more threads in its
        socket than these, and one that is slow is not made slower by a crowd."""
        if not self._turns.acquire(timeout=seconds):
            raise requests.Timeout(f"{CALLS} other calls are waiting for the engine")
        try:
            yield
        finally:
            self._turns.release()

    def _call(self, method: str, path: str, query: Mapping[str, Any], **how: Any) -> bytes:
        """One request, and its whole answer before twice the deadline is over, however slowly
        that trickles in."""
        give_up_at = monotonic() + 2 * how["seconds"]
        with self.send(method, path, query, stream=True, **how) as response:
            pieces = []
            try:
                while piece := response.raw.read1(_PIECE):
                    pieces.append(piece)
                    if monotonic() > give_up_at:
                        raise requests.Timeout("the answer did not end in time")
            except ReadTimeoutError as error:
                raise requests.Timeout("the answer broke off") from error
            except HTTPError as error:
                raise requests.ConnectionError(error) from error
            return b"".join(pieces)

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        *,
        seconds: float,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """One request. `seconds` bounds connecting and each silence. Raises EngineError ≥ 400."""
        current = self._connected()
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            response = current.client.request(
                method,
                f"{current.prefix}{path}",
                params=dict(query),
                data=None if body is None else json.dumps(body).encode(),
                headers=sent,
                timeout=(min(seconds, self.options.query_seconds), seconds),
                allow_redirects=False,
                stream=stream,
            )
        except requests.ConnectionError:
            self._forget(current)  # another engine, of another version, may answer next
            raise
        if response.status_code >= 400:
            with response:
                raise EngineError(response.status_code, message_of(response.content))
        return response

    def close(self) -> None:
        """Drop idle connections; a later call connects again."""
        with self._lock:
            current, self._current = self._current, None
        if current is not None:
            current.client.close()

    def _connected(self) -> _Connected:
        current = self._current
        if current is not None:
            return current
        # Not under the lock: an engine that hangs would make callers wait in a row.
        fresh = self._connect()
        with self._lock:
            if self._current is None:
                self._current = fresh
                return fresh
            current = self._current
        fresh.client.close()
        return current

    def _connect(self) -> _Connected:
        """A client that speaks the engine's own version of the API, which it tells."""
        endpoint = self.endpoint
        client = APIClient(
            base_url=endpoint.base_url,
            version=DEFAULT_DOCKER_API_VERSION,  # a filler: "auto" would ask here and now
            tls=endpoint.tls or False,
        )
        # Proxies, .netrc and above all REQUESTS_CA_BUNDLE, which would replace the
        # provider's own CA, are not meant for engines.
        client.trust_env = False
        try:
            if endpoint.socket_path:
                client.mount("http+docker://", _OnePoolAdapter(endpoint.base_url))
            seconds = self.options.query_seconds
            with client.get(f"{client.base_url}/version", timeout=seconds) as answer:
                if answer.status_code >= 400:
                    raise EngineError(answer.status_code, message_of(answer.content))
                told = answer.json()
            if not isinstance(told, dict) or "ApiVersion" not in told:
                raise ConnectionError("what answers is no Docker engine")
        except BaseException:
            client.close()
            raise
        version = str(told["ApiVersion"])
        return _Connected(client, f"{client.base_url}/v{version}", version)

    def _forget(self, current: _Connected) -> None:
        with self._lock:
            if self._current is current:
                self._current = None


def parsed(content: bytes) -> Any:
    """The JSON of an answer. Raises requests.JSONDecodeError for what is none."""
    try:
        return json.loads(content)
    except ValueError as error:
        raise requests.JSONDecodeError(str(error), content.decode(errors="replace"), 0) from error


def message_of(content: bytes) -> str:
    """The text of an engine's error answer, whatever its form."""
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("message"), str):
        return str(answer["message"]).strip()
    return content.decode(errors="replace").strip()[:500] or "no reason given"
