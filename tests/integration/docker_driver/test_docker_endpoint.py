"""Which engine is meant, found as the docker command finds it, and one reached over TLS."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
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
from providers.remedies import remedy

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


def make_certificate(path: Path, address: str = "127.0.0.1") -> Path:
    """A key and a certificate of that address that vouches for itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = datetime.now(UTC)
    of = x509.IPAddress(ipaddress.ip_address(address))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([of]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The engine's."""
    return make_certificate(tmp_path / "engine.pem")


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


@pytest.mark.parametrize(
    ("options", "told", "advice"),
    [
        ({"tls_ca": "{tmp}/none.pem"}, r"TLS: the CA file .*/none.pem is not there", "Mend"),
        ({"tls_ca": "{tmp}/text.pem"}, r"the CA file .*/text.pem holds no certificate", "Mend"),
        ({"tls_cert": "{own}"}, "TLS: a client certificate is given without its key", "both"),
        ({"tls_key": "{own}"}, "TLS: a client key is given without its certificate", "both"),
        (
            {"tls_cert": "{own}", "tls_key": "{tmp}/none.pem"},
            r"TLS: the key file .*/none.pem is not there",
            "Mend the path",
        ),
        (
            {"tls_cert": "{own}", "tls_key": "{other}"},
            r"the certificate file .*engine.pem and the key file .*other.pem are no pair",
            "the key that belongs to it",
        ),
        ({"tls_ca": "{other}"}, "its certificate is not trusted: self-signed", "Give the CA"),
        ({"tls_ca": "{own}"}, "it broke off the TLS handshake", "Give a client certificate"),
    ],
)
def test_what_is_wrong_with_tls_is_named_with_what_to_do(
    tls_engine: str,
    certificate: Path,
    tmp_path: Path,
    options: dict[str, str],
    told: str,
    advice: str,
) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    files = {"tmp": tmp_path, "own": certificate, "other": make_certificate(tmp_path / "other.pem")}
    driver = driver_at(tls_engine, **{n: path.format(**files) for n, path in options.items()})
    words = driver.probe().detail
    driver.close()
    assert re.search(told, words), words
    assert not re.search(r"_ssl\.c|ca_cert|client_cert|docs\.docker|HTTPSConnectionPool", words)
    assert advice in remedy(words)


def test_an_engine_of_another_name_or_without_tls_is_told_so(
    certificate: Path, tmp_path: Path, tls_engine: str
) -> None:
    elsewhere = driver_at(tls_engine.replace("127.0.0.1", "localhost"), tls_ca=str(certificate))
    words = elsewhere.probe().detail
    assert "not valid for 'localhost'" in words
    assert "made for another name" in remedy(words)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = Thread(target=answer)
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        words = driver_at(address, tls_ca=str(certificate)).probe().detail
        thread.join()
    assert "what listens there does not speak TLS" in words
    assert "let the engine listen with TLS" in remedy(words)
