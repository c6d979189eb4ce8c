"""A bounded look at the engine: alive, new enough, how large, which clock."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from providers.driver import DriverError, Health, Probe
from providers.drivers.docker.client import Engine
from providers.drivers.docker.container import MIB
from providers.drivers.docker.states import engine_time
from providers.drivers.docker.translate import translated

MOST_IMAGES = 2000
"""Names of images that are told of one engine."""
OLDEST_API = (1, 41)  # of engine 20.10


def probe_engine(engine: Engine) -> Probe:
    """What the engine says of itself, in three calls. Never raises."""
    try:
        with translated("reach the Docker engine"):
            version = engine.get("/version")
            asked = datetime.now(UTC)
            info = engine.get("/info")
            answered = datetime.now(UTC)
    except DriverError as error:
        return Probe(Health.UNREACHABLE, detail=str(error))
    engine.identity = identity_of(info)
    free, total = _disk(engine, info)
    old = _api(version) < OLDEST_API
    name = str(version.get("Version", ""))
    return Probe(
        health=Health.DEGRADED if old else Health.HEALTHY,
        detail=f"Docker {name} is older than 20.10, the oldest that Gantry knows" if old else "",
        version=name,
        cpu_cores=float(info["NCPU"]) if info.get("NCPU") else None,
        memory_mb=info["MemTotal"] // MIB if info.get("MemTotal") else None,
        gpus=engine.options.gpus,
        disk_free_bytes=free,
        disk_total_bytes=total,
        clock_offset_ms=_offset_ms(info, asked, answered),
        facts=_facts(engine, version, info),
        images=_images(engine),
    )


def identity_of(info: Mapping[str, Any]) -> str:
    """What an engine calls itself, empty where it does not."""
    return str(info.get("ID") or "")


def _images(engine: Engine) -> frozenset[str] | None:
    """The images that it has; an engine that does not list them is no worse for it."""
    try:
        with translated("list the engine's images"):
            return _names(engine.get("/images/json"))
    except DriverError:
        return None


def _names(images: Any) -> frozenset[str]:
    """All names of these images; `latest` may be left out of one."""
    names: set[str] = set()
    for image in images if isinstance(images, list) else ():
        named = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
        names.update(name for name in named if not name.startswith("<none>"))
    names |= {name.removesuffix(":latest") for name in names}
    return frozenset(sorted(names)[:MOST_IMAGES])


def _api(version: Mapping[str, Any]) -> tuple[int, ...]:
    parts = str(version.get("ApiVersion", "0")).split(".")
    return tuple(int(part) for part in parts if part.isdecimal())


def _offset_ms(info: Mapping[str, Any], asked: datetime, answered: datetime) -> int | None:
    """The engine's clock minus ours; it was read about half-way between question and answer.

    Clocks that may agree are taken to agree: what is only a slow answer would stop programs
    before their time.
    """
    engine_now = engine_time(info.get("SystemTime"))
    if engine_now is None:
        return None
    if asked <= engine_now <= answered:
        return 0
    middle = asked + (answered - asked) / 2
    return round((engine_now - middle).total_seconds() * 1000)


def _disk(engine: Engine, info: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Free and total bytes under the engine's root, where that is a folder of this machine.

    A unix socket may also be handed into a container or through a tunnel; the engine's
    host name tells.
    """
    root = str(info.get("DockerRootDir", ""))
    local = engine.endpoint.socket_path and info.get("Name") == socket.gethostname()
    if not local or not Path(root).is_dir():
        return None, None
    try:
        found = os.statvfs(root)
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _facts(engine: Engine, version: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, str]:
    parts = {part["Name"]: part["Version"] for part in version.get("Components") or ()}
    facts = {
        "Address": engine.endpoint.socket_path or engine.endpoint.base_url,
        "Host": info.get("Name"),
        "Operating system": info.get("OperatingSystem"),
        "Kernel": info.get("KernelVersion"),
        "Architecture": info.get("Architecture"),
        "cgroup version": info.get("CgroupVersion"),
        "Storage driver": info.get("Driver"),
        "API version": version.get("ApiVersion"),
        "containerd": parts.get("containerd"),
        "runc": parts.get("runc"),
    }
    return {name: str(value) for name, value in facts.items() if value}
