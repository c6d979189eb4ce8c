"""Where fake runs live: in this process's memory, or as files that outlive it.

A world belongs to a provider, not to a driver object: a new driver finds what an earlier
one made. With a data folder, a killed and restarted process finds it too.
"""

from __future__ import annotations

import abc
import fcntl
import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

from providers.driver import ProviderConfig, Rejected
from providers.drivers.fake.run import Run

STARTS_REMEMBERED = 100_000
"""How many attempts' start counts a world in memory keeps after their removal."""


class World(abc.ABC):
    """The truth of one fake provider; everything but watching happens inside `locked`."""

    poll_seconds: float
    """How long a reader may sleep without looking: who else may change this world?"""

    def __init__(self) -> None:
        self._watchers: dict[str, set[threading.Event]] = {}
        self._watching = threading.Lock()
        self.pulled: set[str] = set()

    @abc.abstractmethod
    def locked(self) -> AbstractContextManager[None]: ...

    @abc.abstractmethod
    def get(self, uid: str) -> Run | None: ...

    @abc.abstractmethod
    def uids(self) -> list[str]: ...

    @abc.abstractmethod
    def store(self, run: Run) -> None: ...

    @abc.abstractmethod
    def discard(self, uid: str) -> None: ...

    @abc.abstractmethod
    def note_start(self, uid: str) -> None:
        """Count a start; the count outlives the run's removal, for tests to assert on."""

    @abc.abstractmethod
    def starts(self, uid: str) -> int: ...

    @abc.abstractmethod
    def note_call(self, uid: str, call: str) -> int:
        """Count a call that the script wants to fail a number of times; returns its number."""

    @abc.abstractmethod
    def outage(self) -> str:
        """Why the provider does not answer; empty while it does."""

    @abc.abstractmethod
    def set_outage(self, detail: str) -> None: ...

    def put(self, run: Run) -> None:
        self.store(run)
        self.wake(run.uid)

    def delete(self, uid: str) -> None:
        self.discard(uid)
        self.wake(uid)

    @contextmanager
    def watched(self, uid: str, changed: threading.Event) -> Iterator[None]:
        """`changed` is set when this process changes the run."""
        with self._watching:
            self._watchers.setdefault(uid, set()).add(changed)
        try:
            yield
        finally:
            with self._watching:
                events = self._watchers[uid]
                events.discard(changed)
                if not events:
                    del self._watchers[uid]

    def wake(self, uid: str) -> None:
        with self._watching:
            for event in self._watchers.get(uid, ()):
                event.set()

    def wake_all(self) -> None:
        with self._watching:
            for events in self._watchers.values():
                for event in events:
                    event.set()


class MemoryWorld(World):
    poll_seconds = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._starts: OrderedDict[str, int] = OrderedDict()
        self._calls: dict[str, dict[str, int]] = {}
        self._outage = ""

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock:
            yield

    def get(self, uid: str) -> Run | None:
        return self._runs.get(uid)

    def uids(self) -> list[str]:
        return list(self._runs)

    def store(self, run: Run) -> None:
        self._runs[run.uid] = run

    def discard(self, uid: str) -> None:
        self._runs.pop(uid, None)
        self._calls.pop(uid, None)

    def note_start(self, uid: str) -> None:
        self._starts[uid] = self._starts.get(uid, 0) + 1
        if len(self._starts) > STARTS_REMEMBERED:
            self._starts.popitem(last=False)

    def starts(self, uid: str) -> int:
        return self._starts.get(uid, 0)

    def note_call(self, uid: str, call: str) -> int:
        calls = self._calls.setdefault(uid, {})
        calls[call] = calls.get(call, 0) + 1
        return calls[call]

    def outage(self) -> str:
        return self._outage

    def set_outage(self, detail: str) -> None:
        self._outage = detail


class FileWorld(World):
    """One JSON file per run, replaced atomically; one file lock for all processes."""

    poll_seconds = 0.1

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._thread_lock = threading.Lock()

    @contextmanager
    def locked(self) -> Iterator[None]:
        # flock excludes other processes; the thread lock excludes our own threads without
        # making each of them block inside the kernel.
        with self._thread_lock:
            fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                yield
            finally:
                os.close(fd)

    def get(self, uid: str) -> Run | None:
        try:
            return Run.from_json(json.loads(self._file(uid, "json").read_bytes()))
        except FileNotFoundError:
            return None

    def uids(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.json")]

    def store(self, run: Run) -> None:
        path = self._file(run.uid, "json")
        draft = self._file(run.uid, "draft")
        draft.write_text(json.dumps(run.to_json()))
        draft.replace(path)

    def discard(self, uid: str) -> None:
        for kind in ("json", "calls"):
            self._file(uid, kind).unlink(missing_ok=True)

    def note_start(self, uid: str) -> None:
        with self._starts_file.open("a") as file:
            file.write(uid + "\n")

    def starts(self, uid: str) -> int:
        try:
            return self._starts_file.read_text().split("\n").count(uid)
        except FileNotFoundError:
            return 0

    def note_call(self, uid: str, call: str) -> int:
        path = self._file(uid, "calls")
        with path.open("a+") as file:
            file.write(call + "\n")
            file.seek(0)
            return file.read().split("\n").count(call)

    def outage(self) -> str:
        try:
            return (self._folder / "outage").read_text()
        except FileNotFoundError:
            return ""

    def set_outage(self, detail: str) -> None:
        path = self._folder / "outage"
        if detail:
            path.write_text(detail)
        else:
            path.unlink(missing_ok=True)

    @property
    def _starts_file(self) -> Path:
        return self._folder / "starts.log"

    def _file(self, uid: str, kind: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", uid):
            raise Rejected("rejected", f"{uid!r} cannot be a run's id")
        return self._folder / f"{uid}.{kind}"


_worlds: dict[tuple[str, str], World] = {}
_worlds_lock = threading.Lock()


def world_of(config: ProviderConfig) -> World:
    """The one world of this provider in this process; two instances of one name share it."""
    key = (config.data_dir, config.name)
    with _worlds_lock:
        world = _worlds.get(key)
        if world is None:
            # The prefix keeps a name such as ".." from being a path.
            folder = Path(config.data_dir) / "fake" / ("p-" + quote(config.name, safe=""))
            lasting = config.data_dir and config.options.get("lasting", True)
            world = _worlds[key] = FileWorld(folder) if lasting else MemoryWorld()
        return world


def forget_world(config: ProviderConfig) -> None:
    """Let the next driver of this provider begin anew, as a new process would."""
    with _worlds_lock:
        _worlds.pop((config.data_dir, config.name), None)
