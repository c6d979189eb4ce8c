"""One run as its folder tells: read from files, changed by links and renames only."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from providers.driver import Handle, Observation, Owned, Rejected, RunSpec, RunState
from providers.drivers.process import cgroup, files, tree
from providers.drivers.process.identity import Identity, Stat, this_boot
from providers.drivers.process.launch import Launch

NEW, GONE = ".new-", ".gone-"
KEEPER_KILLED = "its keeper was killed; the program was ended with it, its exit code is unknown"
REBOOTED = "the machine was restarted while it ran; its exit code is unknown"


class RunFolders:
    """All runs of one data folder: one folder each, named by the attempt's uid."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def of(self, handle: Handle) -> Run:
        return Run(self.folder, str(handle["uid"]))

    def all(self) -> Iterator[Run]:
        with suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                if name.startswith(GONE):  # a deletion that was interrupted
                    shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
                elif not name.startswith(NEW):
                    yield Run(self.folder, name)

    def create(self, spec: RunSpec, launch: Launch) -> Run:
        """The run's folder, complete from its first moment. Raises OSError."""
        run = Run(self.folder, spec.uid)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if run.exists():
            return run
        draft = os.path.join(self.folder, NEW + uuid.uuid4().hex)
        os.mkdir(draft, mode=0o700)
        try:
            os.mkdir(os.path.join(draft, files.WORK), mode=0o700)
            launch.cwd = launch.cwd or os.path.join(run.folder, files.WORK)
            launch.env.setdefault("HOME", launch.cwd)
            files.write_json(os.path.join(draft, files.LAUNCH), launch.to_json())
            files.write_json(os.path.join(draft, files.RUN), _labels(spec))
            os.rename(draft, run.folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not run.exists():  # else somebody created it at the same time, as well as we
                raise
        return run


class Run:
    """One run. Nothing is kept in memory: any process may change it at any time."""

    def __init__(self, parent: str, uid: str) -> None:
        """Raises Rejected when this cannot be a run's id."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", uid):
            raise Rejected("rejected", f"{uid!r} cannot be a run's id")
        self._parent = parent
        self.uid = uid
        self.folder = os.path.join(parent, uid)

    @property
    def handle(self) -> Handle:
        return {"v": 1, "uid": self.uid}

    def exists(self) -> bool:
        return os.path.isdir(self.folder)

    def observe(self) -> Observation:
        """The state now. A keeper that died without a word is settled here, for good."""
        claim = self._read(files.CLAIM)
        if claim is None or claim.get("by") != "start":
            return Observation(RunState.CREATED if self.exists() else RunState.GONE)
        end = self._read(files.ENDED)
        keeper = Identity.from_json(claim.get("keeper"))
        if end is None and (keeper is None or not keeper.is_alive()):
            # It may have written the end between our two looks.
            end = self._read(files.ENDED) or self._settle(keeper)
        started = self._read(files.STARTED) or {}
        if end is None:
            return Observation(RunState.RUNNING, started_at=_moment(started.get("started_ns")))
        code = end.get("exit_code")
        return Observation(
            RunState.EXITED,
            exit_code=code if isinstance(code, int) else None,
            could_not_start=end.get("could_not_start") is True,
            error=str(end.get("error", "")),
            started_at=_moment(end.get("started_ns") or started.get("started_ns")),
            finished_at=_moment(end.get("finished_ns")),
        )

    def owned(self) -> Owned | None:
        """What `list_owned` says of it; None when it is gone meanwhile."""
        state = self.observe().state
        match self._read(files.RUN):
            case {
                "instance": str(instance),
                "job": int(job),
                "attempt": int(attempt),
                "term": int(term),
                "created_ns": int(created_ns),
            }:
                return Owned(
                    handle=self.handle,
                    instance=instance,
                    job=job,
                    attempt=attempt,
                    uid=self.uid,
                    term=term,
                    state=state,
                    created_at=_moment(created_ns),
                )
        return None

    def is_over(self) -> bool:
        """A cheap look for readers: the end is written, or the run is gone."""
        return os.path.exists(self._path(files.ENDED)) or not self.exists()

    def loss(self) -> str:
        """Plain words when output is lost because the keeper did not live to write it."""
        end = self._read(files.ENDED) or {}
        return "output after this is lost: the keeper was killed" if end.get("settled") else ""

    def fence(self) -> bool:
        """Claim the run for nobody; true when no start can ever happen any more."""
        try:
            return files.claim_json(self._path(files.CLAIM), {"by": "fence"}) or self._is_fenced()
        except FileNotFoundError:
            return True

    def signal(self, number: int) -> None:
        """Signal the program and all that it has started, not the keeper."""
        tree.send(self._processes(), number)

    def kill(self) -> None:
        started = self._read(files.STARTED) or {}
        if group := str(started.get("cgroup", "")):
            cgroup.kill(group)
        self.signal(signal.SIGKILL)

    def wait_for_end(self, seconds: float) -> bool:
        """Sleep until the keeper is done; false when it is not within that time."""
        keeper = self._keeper()
        if keeper is not None and keeper.is_alive():
            with suppress(OSError):  # it has just ended
                pidfd = os.pidfd_open(keeper.pid)
                try:
                    if keeper.is_alive():  # still the same process, now pinned
                        waiter = select.poll()
                        waiter.register(pidfd, select.POLLIN)
                        waiter.poll(max(seconds, 0) * 1000)
                finally:
                    os.close(pidfd)
        return self.observe().state is not RunState.RUNNING

    def delete(self) -> None:
        """The rename is the deletion: a late shim finds nothing, whatever of it is left."""
        doomed = os.path.join(self._parent, f"{GONE}{self.uid}-{uuid.uuid4().hex}")
        try:
            os.rename(self.folder, doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def _settle(self, keeper: Identity | None) -> dict[str, object] | None:
        """The keeper is dead and has left no word: end what is left, and say so honestly.

        None while something of the run still lives.
        """
        rebooted = keeper is not None and keeper.boot != this_boot()
        left = {} if rebooted else self._processes()
        if left:
            self.kill()
            if self._processes():
                return None
        end: dict[str, object] = {
            "exit_code": None,
            "error": REBOOTED if rebooted else KEEPER_KILLED,
            "finished_ns": time.time_ns(),
            "settled": True,
        }
        with suppress(FileNotFoundError):
            if not files.claim_json(self._path(files.ENDED), end):
                return self._read(files.ENDED) or end
        if group := str((self._read(files.STARTED) or {}).get("cgroup", "")):
            cgroup.remove(group)
        return end

    def _processes(self) -> dict[int, Stat]:
        found: dict[int, Stat] = {}
        keeper = self._keeper()
        if keeper is not None and keeper.is_alive():
            found |= tree.descendants(keeper.pid)
        else:
            found |= tree.with_cookie(self.uid)
        started = self._read(files.STARTED) or {}
        if group := str(started.get("cgroup", "")):
            found |= cgroup.members(group)
        return found

    def _keeper(self) -> Identity | None:
        claim = self._read(files.CLAIM) or {}
        return Identity.from_json(claim.get("keeper"))

    def _is_fenced(self) -> bool:
        claim = self._read(files.CLAIM)
        return claim is None or claim.get("by") == "fence"

    def _read(self, name: str) -> dict[str, object] | None:
        return files.read_json(self._path(name))

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def _labels(spec: RunSpec) -> dict[str, object]:
    return {
        "instance": spec.instance,
        "job": spec.job,
        "attempt": spec.attempt,
        "uid": spec.uid,
        "term": spec.term,
        "name": spec.name,
        "created_ns": time.time_ns(),
    }


def _moment(at_ns: object) -> datetime | None:
    """The aware datetime of a stamp, in whole microseconds (a float would round)."""
    if not isinstance(at_ns, int):
        return None
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
