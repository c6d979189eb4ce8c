"""Counting the starts of an instance's containers, by the engine's own account."""

from __future__ import annotations

import threading
from collections import Counter

import docker
from docker.errors import APIError, NotFound

from providers.driver import LABEL_INSTANCE, LABEL_UID
from providers.drivers.docker.endpoint import find_endpoint
from providers.drivers.docker.options import DockerOptions
from tests.support.waiting import wait_until


def engine_client() -> docker.APIClient:
    """The SDK's client of the suite's engine."""
    return docker.APIClient(base_url=find_endpoint(DockerOptions()).base_url, timeout=60)


class StartCounter:
    """Listens to the engine's `start` events from now on: attempt uid → number of starts."""

    def __init__(self, instance: str) -> None:
        self._starts: Counter[str] = Counter()
        self._client = engine_client()
        self._events = self._client.events(
            decode=True,
            filters={
                "type": "container",
                "event": "start",
                "label": f"{LABEL_INSTANCE}={instance}",
            },
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def of(self, uid: object) -> int:
        """How often the container of that attempt was started."""
        return self._starts[str(uid)]

    def once(self, uid: object) -> bool:
        """True when it was started once. The engine tells of a start a moment after it."""
        wait_until(lambda: self.of(uid), 10, f"the engine tells of the start of {uid}")
        return self.of(uid) == 1

    def all(self) -> dict[str, int]:
        """All starts so far, by attempt uid."""
        return dict(self._starts)

    def most(self) -> int:
        """The greatest number of starts of any one attempt."""
        return max(self._starts.values(), default=0)

    def close(self) -> None:
        """Listen no longer."""
        self._events.close()
        self._thread.join(10)
        self._client.close()

    def _listen(self) -> None:
        for event in self._events:
            self._starts[event["Actor"]["Attributes"][LABEL_UID]] += 1


def containers_of(instance: str) -> list[str]:
    """The ids of all containers of an instance, running or not."""
    client = engine_client()
    try:
        found = client.containers(all=True, filters={"label": f"{LABEL_INSTANCE}={instance}"})
    finally:
        client.close()
    return [str(container["Id"]) for container in found]


def remove_containers(instance: str) -> None:
    """Delete all containers of an instance."""
    client = engine_client()
    try:
        for container in containers_of(instance):
            try:
                client.remove_container(container, force=True, v=True)
            except NotFound:
                continue
            except APIError as error:
                if error.status_code != 409:  # its engine process was just removing it
                    raise
    finally:
        client.close()
