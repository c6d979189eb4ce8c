"""The suite's Docker engine and its image, made on first use."""

from __future__ import annotations

from pathlib import Path

from orchestrator.local import docker_engine
from orchestrator.local.image import ensure_image
from providers.drivers.docker.host import HostEngine

TEST_IMAGE = "gantry-test/busybox:latest"


def ensure_test_engine(data_dir: Path) -> None:
    """The engine that answers, or (as root) one that is installed and started now."""
    try:
        docker_engine.ensure_engine(data_dir, print)
    except (docker_engine.EngineSilent, docker_engine.EngineUnavailable) as error:
        raise AssertionError(
            f"the tests need a Docker engine: start one, set DOCKER_HOST, or run as root ({error})"
        ) from error


def ensure_test_image() -> str:
    """The name of a local image with busybox, imported when it is absent."""
    ensure_image(TEST_IMAGE)
    return TEST_IMAGE


def end_test_engine(data_dir: Path) -> None:
    """End the engine that this run started, unless somebody else came to use it."""
    if docker_engine.started_engine(data_dir) is None:
        return
    with HostEngine() as engine:
        in_use = engine.running_containers()
    if not in_use:
        docker_engine.stop_engine(data_dir)
