"""One reading of a running container's CPU and memory."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event, Lock
from typing import Any

from providers.driver import StatsSample
from providers.drivers.docker.client import Engine
from providers.drivers.docker.states import engine_time
from providers.drivers.docker.translate import EngineError

# The engine tells CPU time used so far; a rate needs two readings. The first reading of a
# container takes its second one so much later, the next ones use the one before.
_FIRST_SPAN_SECONDS = 0.2


class StatsReader:
    """Remembers the last CPU reading of each container. Safe for many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._last: dict[str, StatsReading] = {}

    def read(self, container: str) -> StatsSample | None:
        """One sample, None when it does not run. Raises EngineError."""
        before = self._last.get(container) or self._ask(container)
        if before is None:
            return None
        if container not in self._last:
            Event().wait(_FIRST_SPAN_SECONDS)
        now = self._ask(container)
        with self._lock:
            if now is None:
                self._last.pop(container, None)
                return None
            self._last[container] = now
        return now.since(before)

    def forget(self, container: str) -> None:
        """Drop what is remembered of a container that is removed."""
        with self._lock:
            self._last.pop(container, None)

    def _ask(self, container: str) -> StatsReading | None:
        query = {"stream": "false", "one-shot": "true"}
        try:
            answer = self._engine.get(f"/containers/{container}/stats", **query)
        except EngineError as error:
            if error.status in (404, 409):
                return None
            raise
        return StatsReading.parse(answer)


class StatsReading:
    """CPU nanoseconds used so far and bytes of memory in use, at an engine's time."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        at = engine_time(answer["read"])
        assert at is not None
        self.at = at
        self.cpu_ns = int(answer["cpu_stats"]["cpu_usage"]["total_usage"])
        memory = answer["memory_stats"]
        kept = memory.get("stats", {})
        # Page cache that the kernel drops when asked for room is not in use: its name is
        # total_inactive_file on cgroup v1 and inactive_file on v2.
        cache = kept.get("total_inactive_file", kept.get("inactive_file", 0))
        self.memory_bytes = max(0, int(memory["usage"]) - int(cache))

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> StatsReading | None:
        """The reading, None when the answer is of a container that no longer runs."""
        if not engine_time(answer.get("read")) or "usage" not in answer.get("memory_stats", {}):
            return None
        return cls(answer)

    def since(self, before: StatsReading) -> StatsSample:
        """The sample between an earlier reading and this one."""
        seconds = (self.at - before.at).total_seconds()
        used = max(0, self.cpu_ns - before.cpu_ns) / 1_000_000_000
        return StatsSample(self.at, used / seconds if seconds > 0 else 0.0, self.memory_bytes)
