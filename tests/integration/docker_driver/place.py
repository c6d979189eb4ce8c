"""A Docker provider for one test: its own instance id, and nothing left behind."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from providers.driver import (
    Handle,
    LogFrame,
    Observation,
    ProviderConfig,
    RunSpec,
    RunState,
    Stream,
)
from providers.drivers.docker import DockerDriver
from tests.support.waiting import wait_until


class Place:
    """A driver of an instance that nobody else has, and short words for using it."""

    def __init__(self, image: str, **options: Any) -> None:
        self.image = image
        self.instance = uuid4().hex
        self.driver = DockerDriver(ProviderConfig("test", self.instance, options))

    def spec(self, *command: str, **fields: Any) -> RunSpec:
        """An attempt of 64 MiB that runs this command."""
        values: dict[str, Any] = {
            "instance": self.instance,
            "job": 7,
            "attempt": 1,
            "uid": str(uuid4()),
            "term": 1,
            "name": "test",
            "image": self.image,
            "entrypoint": command,
            "memory_mb": 64,
        }
        return RunSpec(**values | fields)

    def begin(self, *command: str, **fields: Any) -> Handle:
        """Create and start it."""
        handle = self.driver.create(self.spec(*command, **fields))
        self.driver.start(handle)
        return handle

    def shell(self, script: str, **fields: Any) -> Handle:
        """Create and start a shell script."""
        return self.begin("sh", "-c", script, **fields)

    def finish(self, handle: Handle) -> Observation:
        """Wait until it has exited."""

        def exited() -> Observation | None:
            seen = self.driver.observe(handle)
            return seen if seen.state is RunState.EXITED else None

        found = wait_until(exited, 30, "the container has exited")
        assert found is not None
        return found

    def read(self, handle: Handle) -> list[LogFrame]:
        """All output that is there now."""
        batches = self.driver.logs(handle, None, follow=False)
        return [frame for batch in batches for frame in batch.frames]

    def output(self, handle: Handle, stream: Stream = Stream.STDOUT) -> bytes:
        """What one stream holds now, joined."""
        return joined(self.read(handle), stream)

    def says(self, handle: Handle, text: bytes) -> None:
        """Wait until the output contains this."""
        wait_until(lambda: text in self.output(handle), 30, f"the output contains {text!r}")

    def clean(self) -> None:
        """Remove all containers of this instance."""
        for owned in self.driver.list_owned():
            self.driver.remove(owned.handle, force=True)
        self.driver.close()


def joined(frames: list[LogFrame], stream: Stream) -> bytes:
    """One stream's bytes."""
    return b"".join(frame.data for frame in frames if frame.stream is stream)
