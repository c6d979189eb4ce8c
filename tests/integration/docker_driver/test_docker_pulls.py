"""Pulling from real registries, and from what only looks like one."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import docker
import pytest

from providers.driver import (
    Credential,
    DriverError,
    NoCapacity,
    PullProgress,
    RegistryUnreachable,
    Rejected,
)
from providers.drivers.docker.pulling import Layers, refusal, with_tag
from tests.integration.docker_driver.place import Place
from tests.support.registry import (
    PASSWORD,
    USERNAME,
    Registry,
    free_port,
    running_registry,
)

pytestmark = pytest.mark.docker

LAYER_BYTES = 3_000_000


class Shelf:
    """Puts images into registries and takes them off the engine again."""

    def __init__(self, base: str) -> None:
        self._sdk = docker.APIClient(version="auto")
        self._base = base
        self._names: set[str] = set()

    def put(self, name: str, auth: dict[str, str] | None = None) -> None:
        """Push an image of two layers, one of them of LAYER_BYTES random bytes."""
        made = self._sdk.create_container(
            self._base, ["sh", "-c", f"head -c {LAYER_BYTES} /dev/urandom > /noise"]
        )
        repository, _, tag = name.rpartition(":")
        try:
            self._sdk.start(made["Id"])
            self._sdk.wait(made["Id"])
            self._sdk.commit(made["Id"], repository, tag)
        finally:
            self._sdk.remove_container(made["Id"], force=True)
        self.expect(name)
        answer = self._sdk.push(repository, tag, auth_config=auth or {})
        assert "errorDetail" not in answer, answer
        self._sdk.remove_image(name)

    def expect(self, name: str) -> None:
        """Remove this image at the end, if it is there then."""
        self._names.add(name)

    def has(self, name: str) -> bool:
        return bool(self._sdk.images(name))

    def clear(self) -> None:
        for name in self._names:
            if self.has(name):
                self._sdk.remove_image(name, force=True)
        self._sdk.close()


@pytest.fixture
def shelf(docker_image: str) -> Iterator[Shelf]:
    shelf = Shelf(docker_image)
    yield shelf
    shelf.clear()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "open", login=False) as registry:
        yield registry


@pytest.fixture
def closed_registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "closed", login=True) as registry:
        yield registry


def failure(place: Place, image: str, credential: Credential | None = None) -> DriverError:
    """The error of a pull that must fail without any progress to speak of."""
    with pytest.raises(DriverError) as raised:
        place.driver.pull(image, credential, lambda progress: None)
    assert str(raised.value)
    return raised.value


def reason_of(error: DriverError) -> str:
    assert isinstance(error, Rejected), repr(error)
    return error.reason


def test_an_image_is_pulled_with_progress_and_runs(
    place: Place, shelf: Shelf, registry: Registry
) -> None:
    name = f"{registry.address}/team/tool:1"
    shelf.put(name)
    seen: list[PullProgress] = []
    image_id = place.driver.pull(name, None, seen.append)
    assert image_id.startswith("sha256:")
    assert seen[-1].done_bytes == seen[-1].total_bytes
    done = [progress.done_bytes for progress in seen]
    assert done == sorted(done)
    assert "layers" in seen[-1].text
    assert place.finish(place.shell("test -s /noise", image=name)).exit_code == 0


def test_an_image_that_is_there_is_not_asked_for(
    place: Place, shelf: Shelf, docker_image: str
) -> None:
    seen: list[PullProgress] = []
    first = place.driver.pull(docker_image, None, seen.append)
    assert place.driver.pull(docker_image, None, seen.append) == first
    assert seen == []


def test_a_tag_or_a_repository_that_is_not_there_is_not_found(
    place: Place, shelf: Shelf, registry: Registry
) -> None:
    shelf.put(f"{registry.address}/team/tool:1")
    assert reason_of(failure(place, f"{registry.address}/team/tool:2")) == "image_not_found"
    assert reason_of(failure(place, f"{registry.address}/team/other:1")) == "image_not_found"
    assert reason_of(failure(place, "Not/A:reference")) == "image_not_found"


def test_a_name_without_a_tag_means_latest_and_no_other(
    place: Place, shelf: Shelf, registry: Registry
) -> None:
    for tag in ("latest", "old"):
        shelf.put(f"{registry.address}/team/tool:{tag}")
    place.driver.pull(f"{registry.address}/team/tool", None, lambda progress: None)
    assert shelf.has(f"{registry.address}/team/tool:latest")
    assert not shelf.has(f"{registry.address}/team/tool:old")


def test_a_registry_with_a_login_denies_none_and_a_wrong_one_and_takes_the_right_one(
    place: Place, shelf: Shelf, closed_registry: Registry
) -> None:
    address = closed_registry.address
    name = f"{address}/team/secret:1"
    shelf.put(name, {"username": USERNAME, "password": PASSWORD})
    right = Credential(address, USERNAME, PASSWORD)
    assert reason_of(failure(place, name)) == "image_denied"
    assert reason_of(failure(place, name, Credential(address, USERNAME, "wrong"))) == "image_denied"
    assert reason_of(failure(place, f"{address}/team/none:1", right)) == "image_not_found"
    assert place.driver.pull(name, right, lambda progress: None).startswith("sha256:")


def test_a_registry_that_is_not_there_is_worth_another_try(place: Place) -> None:
    refused = failure(place, f"127.0.0.1:{free_port()}/team/tool:1")
    assert isinstance(refused, RegistryUnreachable)
    assert "refused" in str(refused)
    unknown = failure(place, "registry.invalid/team/tool:1")
    assert isinstance(unknown, RegistryUnreachable)


def test_a_registry_that_never_answers_is_given_up_after_its_silence(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(pull_silence_seconds=0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert isinstance(failure(place, f"{address}/team/tool:1"), RegistryUnreachable)


@contextmanager
def registry_that_answers(status: int, body: bytes) -> Iterator[str]:
    """The address of a registry that answers every question after the greeting like this."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            greeting = self.path == "/v2/"
            self.send_response(200 if greeting else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(2 if greeting else len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(b"{}" if greeting else body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "UNAUTHORIZED", "image_denied"),
        (403, "DENIED", "image_denied"),
        (404, "MANIFEST_UNKNOWN", "image_not_found"),
        (404, "NAME_UNKNOWN", "image_not_found"),
        (429, "TOOMANYREQUESTS", "try again"),
        (500, "UNKNOWN", "try again"),
        (503, "UNAVAILABLE", "try again"),
    ],
)
def test_what_a_registry_answers_decides_what_to_do_next(
    place: Place, status: int, code: str, expected: str
) -> None:
    body = b'{"errors": [{"code": "%s", "message": "so it is"}]}' % code.encode()
    with registry_that_answers(status, body) as address:
        # The repository's name holds a word that a careless look at the text would find.
        error = failure(place, f"{address}/denied/unauthorized:1")
    if expected == "try again":
        assert isinstance(error, RegistryUnreachable)
    else:
        assert reason_of(error) == expected


def test_a_full_disk_of_the_engine_is_not_the_images_fault() -> None:
    text = "failed to register layer: write /noise: no space left on device"
    assert isinstance(refusal(200, text), NoCapacity)


@pytest.mark.parametrize(
    "text",
    [
        "no matching manifest for linux/amd64 in the manifest list entries",
        "error pulling image configuration: download failed after attempts=1: unknown blob",
    ],
)
def test_an_image_of_which_a_part_is_missing_is_not_found(text: str) -> None:
    assert reason_of(refusal(500, text)) == "image_not_found"


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("tool", "tool:latest"),
        ("host:5000/tool", "host:5000/tool:latest"),
        ("host:5000/tool:2", "host:5000/tool:2"),
        ("tool@sha256:abc", "tool@sha256:abc"),
    ],
)
def test_a_reference_gets_the_tag_latest_only_where_it_names_nothing(given: str, full: str) -> None:
    assert with_tag(given) == full


def test_progress_adds_up_over_layers_and_ends_with_everything() -> None:
    layers = Layers()
    lines: list[dict[str, Any]] = [
        {"status": "Pulling from team/tool", "id": "1"},
        {"status": "Pulling fs layer", "id": "a"},
        {"status": "Already exists", "id": "b"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 40}},
    ]
    for line in lines:
        layers.add(line)
    assert layers.progress() == PullProgress("1 of 2 layers", 10, 40)
    layers.add({"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "total": 40}})
    layers.add({"status": "Pull complete", "id": "a"})
    assert layers.progress() == PullProgress("2 of 2 layers", 40, 40)


def test_no_login_of_this_machines_user_is_ever_used(
    make_place: Callable[..., Place],
    shelf: Shelf,
    closed_registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tenant's pull must not borrow what the operator typed into `docker login`."""
    name = f"{closed_registry.address}/team/secret:1"
    shelf.put(name, {"username": USERNAME, "password": PASSWORD})
    login = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    config = tmp_path / "docker"
    config.mkdir()
    auths = {"auths": {closed_registry.address: {"auth": login}}}
    (config / "config.json").write_text(json.dumps(auths))
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    assert reason_of(failure(make_place(), name)) == "image_denied"
