"""Making an image present: at once where it is, otherwise from its registry."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Any
from urllib.parse import quote

import requests
from urllib3.exceptions import ReadTimeoutError

from providers.driver import (
    Credential,
    DriverError,
    NoCapacity,
    PullProgress,
    RegistryUnreachable,
    Rejected,
    Unreachable,
)
from providers.drivers.docker.client import Engine
from providers.drivers.docker.translate import EngineError, has_no_room

_TELL_EVERY_SECONDS = 0.1

# Whatever a registry answers, the engine's status is 404 or 500, and the rest is text. Only
# what the status leaves open is read from it: the registry protocol's own error codes
# (distribution spec, "Error Codes"), which the engine prints in lower case before a colon,
# and its own phrases for a registry that wants a login when we sent none, for a part of an
# image that is not there, and for an image that is there for other processors only.
_DENIED = re.compile(r"(^|: )(unauthorized|denied|no basic auth credentials)(:|$)")
_MISSING = re.compile(
    r"(^|: )(manifest unknown|name unknown|blob unknown|unknown blob)(:|$)"
    r"|^no matching manifest for "
)


def pull_image(
    engine: Engine,
    image: str,
    credential: Credential | None,
    progress: Callable[[PullProgress], None],
) -> str:
    """The id of the image, fetched if need be.

    Raises Rejected, RegistryUnreachable, and what Engine raises when it does not answer.
    """
    present = _image_id(engine, image)
    if present:
        return present
    layers = Layers()
    told = 0.0
    for line in _pull_lines(engine, image, credential):
        if "error" in line:
            raise refusal(200, str(line["error"]))
        moved = layers.add(line)
        if moved and monotonic() - told >= _TELL_EVERY_SECONDS:
            told = monotonic()
            progress(layers.progress())
    progress(layers.progress())
    fetched = _image_id(engine, image)
    if fetched is None:
        raise Rejected("image_not_found", f"{image} was pulled, but the engine does not have it")
    return fetched


def refusal(status: int, text: str) -> DriverError:
    """The error that an engine's refusal to pull means; `status` 200 when it came mid-way.

    404 is the engine's word for what is not there, and also for a registry that denies,
    since some (Docker Hub) do not tell a private repository from a missing one; then the
    registry's own word counts, and the text says that it may be either.
    """
    if has_no_room(text):
        return NoCapacity(text)
    if status in (401, 403) or _DENIED.search(text):
        return Rejected("image_denied", text)
    if status in (400, 404) or _MISSING.search(text):
        return Rejected("image_not_found", text)
    return RegistryUnreachable(text)


class Layers:
    """Adds up the engine's progress lines, one per layer and moment."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self._finished: set[str] = set()
        self._seen: set[str] = set()

    def add(self, line: Mapping[str, Any]) -> bool:
        """Take one line; true when it changed anything."""
        layer = line.get("id")
        status = str(line.get("status", ""))
        if not layer or status.startswith("Pulling from"):
            return False
        self._seen.add(layer)
        detail = line.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self._done[layer] = int(detail.get("current", 0))
            self._total[layer] = int(detail["total"])
        elif status in ("Verifying Checksum", "Download complete", "Extracting"):
            self._done[layer] = self._total.get(layer, 0)
        elif status in ("Pull complete", "Already exists"):
            self._done[layer] = self._total.get(layer, 0)
            self._finished.add(layer)
        return True

    def progress(self) -> PullProgress:
        """How far it is now."""
        return PullProgress(
            text=f"{len(self._finished)} of {len(self._seen)} layers",
            done_bytes=sum(self._done.values()),
            total_bytes=sum(self._total.values()),
        )


def _image_id(engine: Engine, image: str) -> str | None:
    try:
        return str(engine.get(f"/images/{quote(image, safe='/:@')}/json")["Id"])
    except EngineError as error:
        if error.status == 404:
            return None
        if error.status == 400:
            raise Rejected("image_not_found", error.message) from error
        raise


def _pull_lines(
    engine: Engine, image: str, credential: Credential | None
) -> Iterator[dict[str, Any]]:
    """The engine's progress, line by line, within the deadlines of a pull."""
    options = engine.options
    deadline = monotonic() + options.pull_seconds
    headers = {"X-Registry-Auth": _auth(credential)} if credential else {}
    query = {"fromImage": with_tag(image)}
    silence = min(options.pull_silence_seconds, options.pull_seconds)
    try:
        response = engine.send(
            "POST", "/images/create", query, seconds=silence, headers=headers, stream=True
        )
        with response:
            for line in response.iter_lines():
                if monotonic() > deadline:
                    raise RegistryUnreachable(f"{image} was not pulled in time")
                if line:
                    yield _progress_line(line)
    except EngineError as error:
        raise refusal(error.status, error.message) from error
    except requests.RequestException as error:
        if isinstance(error, requests.ConnectTimeout):
            raise
        _image_id(engine, image)  # raises when the engine itself is gone or hangs
        if isinstance(error, requests.Timeout) or _is_silence(error):
            raise RegistryUnreachable(f"the registry of {image} does not answer") from error
        raise Unreachable(f"the pull of {image} was cut: {error}") from error


def _progress_line(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Unreachable("could not pull the image: what answers is no Docker engine")
    return told


def _is_silence(error: requests.RequestException) -> bool:
    """Whether a stream broke for its silence: requests hides that in a ConnectionError."""
    return bool(error.args) and isinstance(error.args[0], ReadTimeoutError)


def with_tag(image: str) -> str:
    """The reference with `latest` where it names neither tag nor digest: without a tag the
    engine would fetch every tag of the repository."""
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in last else f"{image}:latest"


def _auth(credential: Credential) -> str:
    """The login as the engine's header wants it."""
    login = {
        "username": credential.username,
        "password": credential.password,
        "serveraddress": credential.registry,
    }
    return base64.urlsafe_b64encode(json.dumps(login).encode()).decode()
