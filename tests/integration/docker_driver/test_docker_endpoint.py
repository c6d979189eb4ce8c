"""Which engine is meant, found as the docker command finds it, and one reached over TLS."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from providers.driver import ProviderConfig, Unreachable
from providers.drivers.docker import DockerDriver
from providers.drivers.docker.endpoint import find_endpoint
from providers.drivers.docker.options import DockerOptions

HANDLE = {"v": 1, "id": "0" * 64}
LINE = b"2026-11-23T15:28:07.666608051Z over TLS\n"
LOG = bytes([1, 0, 0, 0]) + len(LINE).to_bytes(4, "big") + LINE


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker configuration folder with a context named `far`."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"far").hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"docker": {"Host": "tcp://far.example:2375", "SkipTLSVerify": False}}
    told = {"Name": "far", "Metadata": {}, "Endpoints": endpoint}
    (meta / "meta.json").write_text(json.dumps(told))
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_without_a_word_the_local_socket_is_meant(config: Path) -> None:
    assert find_endpoint(DockerOptions(), {}).socket_path == "/var/run/docker.sock"


def test_the_nearer_word_wins(config: Path) -> None:
    environ = {"DOCKER_CONTEXT": "far"}
    assert find_endpoint(DockerOptions(), environ).base_url == "http://far.example:2375"
    environ["DOCKER_HOST"] = "unix:///run/other.sock"
    assert find_endpoint(DockerOptions(), environ).socket_path == "/run/other.sock"
    named = DockerOptions(context="far")
    assert find_endpoint(named, environ).base_url == "http://far.example:2375"
    given = DockerOptions(base_url="tcp://near.example:2375", context="far")
    assert find_endpoint(given, environ).base_url == "http://near.example:2375"


def test_the_current_context_counts(config: Path) -> None:
    (config / "config.json").write_text('{"currentContext": "far"}')
    assert find_endpoint(DockerOptions(), {}).base_url == "http://far.example:2375"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate of 127.0.0.1 that vouches for itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "engine.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_engine(certificate: Path) -> Iterator[str]:
    """The address of an engine behind TLS that takes only clients with the same certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    server = socket.create_server(("127.0.0.1", 0))

    def answer(request: bytes) -> bytes:
        if b"/version" in request:
            body = b'{"ApiVersion": "1.41"}'
        else:
            body = LOG if b"/logs" in request else b"[]"
        head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def serve() -> None:
        while True:
            try:
                plain, _ = server.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.sendall(answer(connection.recv(65536)))
            except OSError:
                plain.close()  # a client that was turned away, or went away

    thread = Thread(target=serve)
    thread.start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def driver_at(address: str, **options: str) -> DockerDriver:
    return DockerDriver(ProviderConfig("test", "x", {"base_url": address} | options))


def test_calls_and_logs_go_over_tls_with_both_sides_known(
    tls_engine: str, certificate: Path
) -> None:
    path = str(certificate)
    driver = driver_at(tls_engine, tls_ca=path, tls_cert=path, tls_key=path)
    assert driver.list_owned() == []
    frames = [f for batch in driver.logs(HANDLE, None, follow=False) for f in batch.frames]
    assert [frame.data for frame in frames] == [b"over TLS\n"]
    driver.close()


def test_an_engine_that_nobody_vouches_for_is_not_spoken_to(
    tls_engine: str, certificate: Path
) -> None:
    address = tls_engine.replace("tcp", "https")
    stranger = driver_at(address)
    with pytest.raises(Unreachable, match=r"(?i)certificate"):
        stranger.list_owned()
    stranger.close()
