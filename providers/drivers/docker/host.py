"""What only the owner of a machine does with its engine, and no job ever: bring in a
local image, and look whether anything still runs. Used by `manage.py up` and the tests."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from docker import APIClient
from docker.errors import ImageNotFound

from providers.drivers.docker.endpoint import find_endpoint
from providers.drivers.docker.options import DockerOptions

SECONDS = 60


class HostEngine:
    """The engine of this machine and environment. Raises the SDK's and requests' errors."""

    def __init__(self) -> None:
        endpoint = find_endpoint(DockerOptions())
        self._client = APIClient(
            base_url=endpoint.base_url, tls=endpoint.tls or False, version="auto", timeout=SECONDS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def has_image(self, name: str) -> bool:
        """Whether an image of that name (repository:tag) is here."""
        try:
            self._client.inspect_image(name)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return False
        return True

    def import_image(self, root: bytes, name: str, changes: list[str]) -> None:
        """Make an image from the tar of a root folder; `changes` are Dockerfile lines."""
        repository, _, tag = name.partition(":")
        self._client.import_image_from_data(
            root, repository=repository, tag=tag or "latest", changes=changes
        )

    def running_containers(self) -> int:
        """How many containers run, whoever started them."""
        return len(self._client.containers())
