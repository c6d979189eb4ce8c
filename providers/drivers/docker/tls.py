"""TLS to an engine: its files, checked before they are used, and what its errors mean.

The SDK names its own parameters, and the TLS library its own lines; a person needs to know
which file or which side is wrong.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from docker.tls import TLSConfig

from providers.driver import Rejected
from providers.drivers.docker.options import DockerOptions

NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


def own_tls(options: DockerOptions) -> TLSConfig | None:
    """What these options say of TLS; None where they say nothing. Raises Rejected."""
    ca, cert, key = options.tls_ca, options.tls_cert, options.tls_key
    if not (ca or cert or key):
        return None
    if bool(cert) != bool(key):
        missing = "key" if cert else "certificate"
        given = "certificate" if cert else "key"
        raise _wrong(f"a client {given} is given without its {missing}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        _check_file("CA", ca)
        try:
            context.load_verify_locations(ca)
        except (ssl.SSLError, ValueError) as error:
            raise _wrong(f"the CA file {ca} holds no certificate in PEM") from error
    if cert:
        _check_file("certificate", cert)
        _check_file("key", key)
        try:
            context.load_cert_chain(cert, key, password=lambda: b"")  # else it asks a terminal
        except (ssl.SSLError, ValueError) as error:
            match = getattr(error, "reason", "") == "KEY_VALUES_MISMATCH"
            wrong = "are no pair" if match else "are no certificate and open key in PEM"
            raise _wrong(f"the certificate file {cert} and the key file {key} {wrong}") from error
    pair = (cert, key) if cert else None
    return TLSConfig(client_cert=pair, ca_cert=ca or None, verify=options.tls_verify)


def tls_words(error: BaseException) -> str:
    """What an error of a TLS connection means; empty where it is none."""
    for one in _within(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {one.verify_message.rstrip('.')}"
        if isinstance(one, ssl.SSLError):
            if one.reason in NO_TLS:
                return "what listens there does not speak TLS"
            return "it broke off the TLS handshake, as one that wants another client certificate"
    return ""


def _check_file(what: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            return
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        why = "is not there" if absent else f"cannot be read ({error.strerror})"
        raise _wrong(f"the {what} file {path} {why}") from error


def _wrong(words: str) -> Rejected:
    return Rejected("rejected", f"TLS: {words}")


def _within(error: BaseException) -> Iterator[BaseException]:
    """An error and those within it: libraries chain them, or only hand them on."""
    found, seen = [error], set[int]()
    while found:
        one = found.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        found += [each for each in inner if isinstance(each, BaseException)]
