"""A real image registry (Debian's docker-registry) on a port of this machine.

Docker engines trust registries on 127.0.0.0/8 without TLS.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.local import apt
from tests.support.waiting import wait_until

USERNAME, PASSWORD = "puller", "correct-horse"


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry; `address` is the first part of its images' names."""

    address: str


@contextmanager
def running_registry(folder: Path, *, login: bool) -> Iterator[Registry]:
    """A registry that keeps its images in the folder, with USERNAME's login or without."""
    program = _installed("docker-registry", "docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "config.json"  # JSON is YAML
    config.write_text(json.dumps(_config(folder, port, login=login)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
        try:
            wait_until(lambda: _answers(port), 20, "the registry answers")
            yield Registry(f"127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(10)


def _installed(program: str, package: str) -> str:
    """Where the program is; its Debian package is installed first if need be and we are root."""
    if shutil.which(program) is None and apt.can_install():
        apt.install([package], print)
    found = shutil.which(program)
    assert found, f"the tests need {program}: sudo apt-get install {package}"
    return found


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _config(folder: Path, port: int, *, login: bool) -> dict[str, object]:
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if login:
        users = folder / "users"
        hashed = subprocess.run(
            [_installed("htpasswd", "apache2-utils"), "-Bbn", USERNAME, PASSWORD],
            capture_output=True,
            check=True,
        )
        users.write_bytes(hashed.stdout)
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
    return config


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
