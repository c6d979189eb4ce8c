"""Errors of the engine, the SDK and the wire → the errors of the contract."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from docker.errors import DockerException, InvalidVersion, TLSParameterError

from providers.driver import EngineFault, NoCapacity, Rejected, Unreachable
from providers.drivers.docker.tls import tls_words

# The kernel's own words for ENOSPC and ENOMEM as Go prints them: the engine answers 500
# with a free text for every internal error, so its status alone cannot tell.
_NO_ROOM = ("no space left on device", "cannot allocate memory", "disk quota exceeded")


class EngineError(Exception):
    """The engine answered, with a status of 400 or more. Never leaves this package."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def has_no_room(message: str) -> bool:
    """Whether an engine's text says that the host is out of disk or memory."""
    lowered = message.lower()
    return any(words in lowered for words in _NO_ROOM)


@contextmanager
def translated(doing: str, *, takes_room: bool = False) -> Iterator[None]:
    """Run a call to the engine; whatever it raises leaves as an error of the contract.

    `doing` completes "could not …" for the reader. What a call knows better (404 of a
    create is a missing image) it handles inside, as EngineError. Only of a call that
    `takes_room` a full disk means that nothing was made: the job may go elsewhere. Of a
    look or a removal it says nothing about the program, which may well run.
    """
    try:
        yield
    except EngineError as error:
        if takes_room and has_no_room(error.message):
            raise NoCapacity(error.message) from error
        if error.status >= 500:
            raise EngineFault(f"could not {doing}: {error.message}") from error
        raise Rejected("rejected", error.message) from error
    except TLSParameterError as error:
        words = "the CA, certificate or key of DOCKER_CERT_PATH or the context is not there"
        raise Rejected("rejected", f"could not {doing}: TLS: {words}") from error
    except InvalidVersion as error:
        raise Rejected("rejected", f"could not {doing}: {error}") from error
    except requests.JSONDecodeError as error:
        raise Unreachable(f"could not {doing}: what answers is no Docker engine") from error
    except requests.Timeout as error:
        raise Unreachable(f"could not {doing}: the engine did not answer in time") from error
    except (requests.RequestException, DockerException, ssl.SSLError, OSError) as error:
        raise Unreachable(f"could not {doing}: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """The innermost operating-system error's words: those above it only repeat class names."""
    if words := tls_words(error):
        return words
    found = error
    seen: set[int] = set()
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        if isinstance(inner, OSError) and inner.strerror:
            found = inner
        inner = inner.__cause__ or inner.__context__
    return str(getattr(found, "strerror", None) or found)
