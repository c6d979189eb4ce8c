"""ProcessDriver: the contract of providers/driver.py over processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from providers.driver import (
    Capabilities,
    Credential,
    Cursor,
    EngineFault,
    Handle,
    LogStream,
    NoCapacity,
    Observation,
    Owned,
    Probe,
    ProviderConfig,
    PullProgress,
    Rejected,
    RunSpec,
    RunState,
    StillRunning,
)
from providers.drivers.process.logs import ProcessLogStream
from providers.drivers.process.probing import probe_machine
from providers.drivers.process.run import Run, RunFolders
from providers.drivers.process.shim import NO_ROOM
from providers.drivers.process.wishes import launch_of

CODE_ROOT = str(Path(__file__).resolve().parents[3])
SHIM = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    " from providers.drivers.process.shim import main; main(sys.argv[2])"
)
START_SECONDS = 15.0
KILL_SECONDS = 10.0

CAPABILITIES = Capabilities(
    kind="process",
    isolation=False,
    networks=frozenset({"bridge"}),
    profiles=frozenset({"standard"}),
)


class ProcessDriver:
    """This machine, without isolation.

    Options: `log_segment_bytes` (32 MiB), the size at which output goes on in a new file, of
    which the newest eight are kept; `cgroup` (true), whether to hold the processes of a run
    together by a cgroup where that is possible.
    """

    def __init__(self, config: ProviderConfig) -> None:
        """Raises Rejected without a data folder, where runs have to live."""
        if not config.data_dir:
            raise Rejected("rejected", "the process driver needs a data folder")
        self._config = config
        self._runs = RunFolders(os.path.join(config.data_dir, "process"))
        self._closed = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def probe(self) -> Probe:
        return probe_machine(self._runs.folder)

    def pull(
        self, image: str, credential: Credential | None, progress: Callable[[PullProgress], None]
    ) -> str:
        """Images mean nothing here; every one is "there"."""
        return image

    def create(self, spec: RunSpec) -> Handle:
        launch = launch_of(spec, self._config.options)
        try:
            return self._runs.create(spec, launch).handle
        except OSError as error:
            if error.errno in NO_ROOM:
                raise NoCapacity(f"could not create the run: {error.strerror}") from error
            raise EngineFault(f"could not create the run: {error}") from error

    def start(self, handle: Handle) -> None:
        run = self._runs.of(handle)
        if run.observe().state in (RunState.RUNNING, RunState.EXITED):
            return  # it was claimed for good: no second start can ever happen
        argv = [sys.executable, "-I", "-S", "-X", "utf8", "-c", SHIM, CODE_ROOT, run.folder]
        try:
            shim = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={},
                start_new_session=True,
            )
        except OSError as error:
            raise NoCapacity(f"could not begin a process: {error}") from error
        with shim:
            try:
                answer, _ = shim.communicate(timeout=START_SECONDS)
            except subprocess.TimeoutExpired:
                shim.kill()
                raise EngineFault(f"no answer to the start within {START_SECONDS:g} s") from None
        self._judge(run, answer)

    def observe(self, handle: Handle) -> Observation:
        return self._runs.of(handle).observe()

    def list_owned(self) -> Sequence[Owned]:
        owned = (run.owned() for run in self._runs.all())
        return [one for one in owned if one and one.instance == self._config.instance]

    def logs(self, handle: Handle, cursor: Cursor | None, *, follow: bool) -> LogStream:
        return ProcessLogStream(self._runs.of(handle), self._closed, cursor, follow=follow)

    def stop(self, handle: Handle, grace_seconds: float) -> None:
        run = self._runs.of(handle)
        if run.observe().state is not RunState.RUNNING:
            return
        if grace_seconds > 0:
            run.signal(signal.SIGTERM)
            if run.wait_for_end(grace_seconds):
                return
        self._kill(run)

    def remove(self, handle: Handle, *, force: bool) -> None:
        run = self._runs.of(handle)
        try:
            if not run.fence() and run.observe().state is RunState.RUNNING:
                if not force:
                    raise StillRunning(f"{run.uid} was started and still runs")
                self._kill(run)
            run.delete()
        except OSError as error:
            raise EngineFault(f"could not delete the run's folder: {error}") from error

    def close(self) -> None:
        """Ends open log streams; what runs keeps running."""
        self._closed.set()

    def _kill(self, run: Run) -> None:
        """Raises EngineFault when the run outlives SIGKILL: it hangs inside the kernel."""
        deadline = time.monotonic() + KILL_SECONDS
        while time.monotonic() < deadline:
            run.kill()
            if run.wait_for_end(0.5):
                return
        raise EngineFault(f"{run.uid} does not end after SIGKILL")

    def _judge(self, run: Run, answer: bytes) -> None:
        """What came of a start, by the shim's own word."""
        try:
            told = json.loads(answer)
            result, error = str(told["result"]), str(told["error"])
        except (ValueError, TypeError, KeyError):
            raise EngineFault(f"the start broke off: {answer[-500:]!r}") from None
        match result:
            case "running":
                return
            case "could_not_start":
                raise Rejected("could_not_start", error)
            case "no_capacity":
                raise NoCapacity(error)
            case "lost" if run.observe().state in (RunState.RUNNING, RunState.EXITED):
                return  # another start of ours was faster; it is the one start
            case "lost":
                raise Rejected("removed_outside", "the run was removed before it could start")
        raise EngineFault(error)
