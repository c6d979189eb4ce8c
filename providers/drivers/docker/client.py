"""One engine's HTTP API: requests with a deadline, answers as JSON.

The SDK's low-level client gives the transport (unix socket, TLS) and negotiates the API
version; the calls themselves are plain requests, because the SDK's wrappers take one
timeout for everything and spend their time on arguments that Gantry never sets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Lock
from typing import Any, cast

import requests
from docker import APIClient
from docker.errors import DockerException
from docker.transport import UnixHTTPAdapter

from providers.drivers.docker.endpoint import Endpoint, find_endpoint
from providers.drivers.docker.options import DockerOptions
from providers.drivers.docker.translate import EngineError

POOL_SIZE = 64


class _OnePool(UnixHTTPAdapter):
    """The SDK keeps a connection pool per URL, so every container would dial anew."""

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        return super().get_connection("http+docker://localhost", proxies)


class Engine:
    """A lazily connected engine. Safe for many threads: all they share is urllib3's pool."""

    def __init__(self, options: DockerOptions) -> None:
        self.options = options
        self._lock = Lock()
        self._endpoint: Endpoint | None = None
        self._client: APIClient | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine is; found at first use, so that a driver can always be built."""
        if self._endpoint is None:
            self._endpoint = find_endpoint(self.options)
        return self._endpoint

    def path(self, path: str) -> str:
        """The path below the negotiated version, connecting first if need be."""
        return f"/v{self._connected().api_version}{path}"

    def get(self, path: str, **query: Any) -> Any:
        """Ask a question; the answer's JSON. Raises EngineError, requests' and SDK errors."""
        seconds = self.options.query_seconds
        return self.send("GET", path, query, seconds=seconds).json()

    def act(
        self, method: str, path: str, body: Any = None, *, extra_seconds: float = 0, **query: Any
    ) -> requests.Response:
        """Change something, with the long deadline."""
        seconds = self.options.effect_seconds + extra_seconds
        return self.send(method, path, query, body=body, seconds=seconds)

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
        client = self._connected()
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            response = client.request(
                method,
                f"{client.base_url}/v{client.api_version}{path}",
                params=dict(query),
                data=None if body is None else json.dumps(body).encode(),
                headers=sent,
                timeout=(min(seconds, self.options.query_seconds), seconds),
                allow_redirects=False,
                stream=stream,
            )
        except requests.ConnectionError:
            self._forget(client)  # another engine, of another version, may answer next
            raise
        if response.status_code >= 400:
            with response:
                raise EngineError(response.status_code, message_of(response.content))
        return response

    def close(self) -> None:
        """Drop idle connections; a later call connects again."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> APIClient:
        client = self._client
        if client is not None:
            return client
        # Not under the lock: an engine that hangs would make callers wait in a row.
        fresh = self._connect()
        with self._lock:
            if self._client is None:
                self._client = fresh
                return fresh
            client = self._client
        fresh.close()
        return client

    def _connect(self) -> APIClient:
        endpoint = self.endpoint
        try:
            client = APIClient(
                base_url=endpoint.base_url,
                version="auto",
                timeout=cast(int, self.options.query_seconds),
                tls=endpoint.tls or False,
                max_pool_size=POOL_SIZE,
            )
        except DockerException as error:
            # The SDK wraps what went wrong in a text; the cause says refused or timed out.
            if isinstance(error.__cause__, requests.RequestException):
                raise error.__cause__ from None
            raise
        if endpoint.socket_path:
            client.trust_env = False  # neither proxies nor .netrc concern a unix socket
            adapter = _OnePool(endpoint.base_url, max_pool_size=POOL_SIZE)
            client.get_adapter(client.base_url).close()
            client.mount("http+docker://", adapter)
        return client

    def _forget(self, client: APIClient) -> None:
        with self._lock:
            if self._client is client:
                self._client = None


def message_of(content: bytes) -> str:
    """The text of an engine's error answer, whatever its form."""
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("message"), str):
        return str(answer["message"]).strip()
    return content.decode(errors="replace").strip()[:500] or "no reason given"
