"""The baseline: create, start, wait, remove with the SDK's low-level client, in threads."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from docker import APIClient

from benchmarks.container import BARE, bare_body
from orchestrator.local.image import SAMPLE
from providers.driver import LABEL_INSTANCE


class BareSide:
    """Containers without anybody in between."""

    def __init__(self, concurrency: int) -> None:
        # The SDK's own annotations are incomplete here.
        self._clients: list[Any] = [
            APIClient(version="auto", timeout=120) for _ in range(concurrency)
        ]

    def run(self, each: int) -> float:
        """Run so many containers in each thread; the seconds until all are gone."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(self._clients)) as threads:
            list(threads.map(lambda client: _cycles(client, each), self._clients))
        return time.perf_counter() - begun

    def start_seconds(self) -> float:
        """From the call of create to the moment at which the engine says it started."""
        client = self._clients[0]
        begun = time.time()
        container = client.create_container_from_config(bare_body())["Id"]
        client.start(container)
        client.wait(container)
        started = client.inspect_container(container)["State"]["StartedAt"]
        client.remove_container(container)
        return moment(started) - begun

    def host_config(self, container: str = "") -> dict[str, Any]:
        """The host options of a container as the engine knows them; by default of one of ours."""
        client = self._clients[0]
        made = container or client.create_container_from_config(bare_body())["Id"]
        try:
            return dict(client.inspect_container(made)["HostConfig"])
        finally:
            if not container:
                client.remove_container(made)

    def left(self, instance: str = BARE) -> list[str]:
        """The containers of an instance that are still there."""
        filters = {"label": f"{LABEL_INSTANCE}={instance}"}
        return [c["Id"] for c in self._clients[0].containers(all=True, filters=filters)]

    def versions(self) -> dict[str, str]:
        """Of the engine and what it starts containers with."""
        told = self._clients[0].version()
        parts = {part["Name"]: part["Version"] for part in told.get("Components", ())}
        image = self._clients[0].inspect_image(SAMPLE)
        return {
            "docker": told["Version"],
            "runc": parts.get("runc", "?"),
            "storage": self._clients[0].info()["Driver"],
            "image": f"{SAMPLE} ({image['Size'] >> 10} KiB)",
        }

    def close(self) -> None:
        """Remove what an interrupted run left, and the clients."""
        for container in self.left():
            self._clients[0].remove_container(container, force=True)
        for client in self._clients:
            client.close()


def moment(text: str) -> float:
    """An engine's or the API's time in seconds; of nanoseconds, the microseconds count."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00").timestamp()


def _cycles(client: Any, count: int) -> None:
    for _ in range(count):
        container = client.create_container_from_config(bare_body())["Id"]
        client.start(container)
        code = client.wait(container)["StatusCode"]
        client.remove_container(container)
        assert code == 0, json.dumps(code)
