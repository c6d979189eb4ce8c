"""Where the engine listens, and a bare socket to it."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from docker.context import ContextAPI
from docker.errors import DockerException
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env, parse_host

from providers.driver import Rejected
from providers.drivers.docker.options import DockerOptions
from providers.drivers.docker.tls import own_tls

_UNIX = "http+unix://"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's address in the SDK's own spelling: http+unix://…, http://… or https://…"""

    base_url: str
    tls: TLSConfig | None = None

    @property
    def socket_path(self) -> str:
        """The unix socket's path, empty for an engine reached over TCP."""
        if not self.base_url.startswith(_UNIX):
            return ""
        return "/" + self.base_url.removeprefix(_UNIX).lstrip("/")

    def dial(self, seconds: float) -> socket.socket:
        """A new connected socket with this timeout. Raises OSError (ssl.SSLError is one)."""
        if self.socket_path:
            unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                unix.settimeout(seconds)
                unix.connect(self.socket_path)
            except BaseException:
                unix.close()
                raise
            return unix
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        tcp = socket.create_connection((host, parts.port or 2375), timeout=seconds)
        try:
            # A peer that vanished without a word is noticed on a log that is quiet for hours.
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if parts.scheme != "https":
                return tcp
            return self._tls_context().wrap_socket(tcp, server_hostname=host)
        except BaseException:
            tcp.close()
            raise

    def _tls_context(self) -> ssl.SSLContext:
        tls = self.tls
        context = ssl.create_default_context(cafile=(tls.ca_cert or None) if tls else None)
        if tls is not None and not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls is not None and tls.cert:
            context.load_cert_chain(*tls.cert)
        return context


def find_endpoint(options: DockerOptions, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """The engine these options and this environment mean, looked for as the docker command does.

    Raises Rejected for an address, a context or a TLS file that makes no sense.
    """
    if options.base_url:
        return _endpoint(options.base_url, own_tls(options))
    if not options.context and environ.get("DOCKER_HOST"):
        found = kwargs_from_env(dict(environ))
        return _endpoint(found["base_url"], found.get("tls"))
    name = options.context or environ.get("DOCKER_CONTEXT") or None
    context = ContextAPI.get_context(name)
    if context is None:
        raise Rejected("rejected", f"there is no docker context {name!r} on this machine")
    return _endpoint(context.Host or "", context.TLSConfig)


def _endpoint(address: str, tls: TLSConfig | None) -> Endpoint:
    try:
        base_url = str(parse_host(address, tls=tls is not None))
    except DockerException as error:
        raise Rejected("rejected", str(error)) from error
    if not base_url.startswith((_UNIX, "http://", "https://")):
        raise Rejected("rejected", f"{address}: use unix://, tcp:// or https://")
    return Endpoint(base_url, tls)
