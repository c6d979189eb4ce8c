"""FakeDriver: the contract of providers/driver.py, played without running anything."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from providers.driver import (
    Capabilities,
    Credential,
    Cursor,
    Handle,
    Health,
    LogStream,
    Observation,
    Owned,
    Probe,
    ProviderConfig,
    PullProgress,
    RegistryUnreachable,
    Rejected,
    RunSpec,
    RunState,
    StatsSample,
    StillRunning,
    Unreachable,
)
from providers.drivers.fake.calls import answer, scripted_call
from providers.drivers.fake.logs import FakeLogStream
from providers.drivers.fake.run import Run, end_of, is_running, moment, observation_of, owned_of
from providers.drivers.fake.script import SECOND, Script, parse
from providers.drivers.fake.world import world_of

MIB = 1024 * 1024
PULL_BYTES = 64 * MIB
CAPABILITIES = Capabilities(
    kind="fake",
    isolation=True,
    pulls=True,
    stats=True,
    gpus=True,
    mounts=True,
    profiles=frozenset({"standard", "restricted"}),
    parallel_starts=256,
)


class FakeDriver:
    """A scripted provider. Options: `cpu_cores` (8), `memory_mb` (16384), `gpus` (0).

    `clock` gives nanoseconds since the epoch; tests may pass their own.
    """

    def __init__(self, config: ProviderConfig, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._config = config
        self._world = world_of(config)
        self._clock = clock
        self._closed = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    # --- the provider as a whole ---

    def probe(self) -> Probe:
        with self._world.locked():
            outage = self._world.outage()
        if outage:
            return Probe(Health.UNREACHABLE, outage)
        options = self._config.options
        return Probe(
            Health.HEALTHY,
            version="1",
            cpu_cores=float(options.get("cpu_cores", 8)),
            memory_mb=int(options.get("memory_mb", 16_384)),
            gpus=int(options.get("gpus", 0)),
            clock_offset_ms=0,
            facts={"runs": "nothing: a script is played instead"},
        )

    def pull(
        self, image: str, credential: Credential | None, progress: Callable[[PullProgress], None]
    ) -> str:
        """The image's tag is its script: `pull-2.5` takes 2.5 s, and there are the tags
        `not-found`, `denied`, `registry-unreachable`, `unreachable`. Others are there already."""
        tag = image.rpartition(":")[2]
        if tag == "not-found":
            raise Rejected("image_not_found", f"{image}: no such image")
        if tag == "denied":
            raise Rejected("image_denied", f"{image}: the registry wants a login")
        if tag == "registry-unreachable":
            raise RegistryUnreachable(f"{image}: the registry does not answer")
        if tag == "unreachable":
            raise Unreachable("the fake engine does not answer")
        with self._world.locked():
            answer(self._world)
        if tag.startswith("pull-") and image not in self._world.pulled:
            try:
                seconds = float(tag.removeprefix("pull-"))
            except ValueError:
                raise Rejected("image_not_found", f"{image}: no such image") from None
            steps = 10
            for step in range(1, steps + 1):
                self._closed.wait(seconds / steps)
                progress(PullProgress("downloading", PULL_BYTES * step // steps, PULL_BYTES))
            self._world.pulled.add(image)
        return f"fake:{image}"

    def list_owned(self) -> Sequence[Owned]:
        with self._world.locked():
            answer(self._world)
            runs = [run for uid in self._world.uids() if (run := self._world.get(uid))]
            now = self._clock()
        return [owned_of(run, now) for run in runs if run.instance == self._config.instance]

    def close(self) -> None:
        self._closed.set()
        self._world.wake_all()

    # --- one run ---

    def create(self, spec: RunSpec) -> Handle:
        script = parse(spec.entrypoint + spec.args)
        with self._call("create", spec.uid, script):
            if self._world.get(spec.uid) is None:
                self._world.put(Run.of(spec, self._clock()))
        return {"v": 1, "uid": spec.uid}

    def start(self, handle: Handle) -> None:
        uid = _uid(handle)
        try:
            with self._call("start", uid):
                run = self._world.get(uid)
                if run is None:
                    raise Rejected("removed_outside", "the run is gone")
                now = self._clock()
                if is_running(run, now):
                    return
                # An exited run runs again, as containers do: `starts` tells who did that.
                self._world.note_start(uid)
                self._world.put(
                    replace(
                        run, starts=run.starts + 1, started_ns=now, term_ns=None, killed_ns=None
                    )
                )
        except Rejected as refusal:
            if refusal.reason == "could_not_start":
                text = str(refusal)
                self._change(uid, lambda run: replace(run, error=text))
            raise

    def observe(self, handle: Handle) -> Observation:
        uid = _uid(handle)
        with self._call("observe", uid):
            run = self._world.get(uid)
            now = self._clock()
        return observation_of(run, now) if run else Observation(RunState.GONE)

    def stop(self, handle: Handle, grace_seconds: float) -> None:
        uid = _uid(handle)
        with self._call("stop", uid):
            now = self._clock()
            run = self._world.get(uid)
            if run is None or not is_running(run, now):
                return
            if grace_seconds > 0 and run.term_ns is None:
                run = replace(run, term_ns=now)
                self._world.put(run)
        over = now + round(grace_seconds * SECOND)
        if grace_seconds > 0 and (self._ends_by(uid, over) or self._closed.is_set()):
            return  # ended; or it is the driver that dies here: what was not killed runs on
        self._change(uid, lambda run: replace(run, killed_ns=self._clock()))

    def remove(self, handle: Handle, *, force: bool) -> None:
        uid = _uid(handle)
        with self._call("remove", uid):
            run = self._world.get(uid)
            if run is None:
                return
            if not force and is_running(run, self._clock()):
                raise StillRunning(f"{uid} runs")
            self._world.delete(uid)

    def logs(self, handle: Handle, cursor: Cursor | None, *, follow: bool) -> LogStream:
        return FakeLogStream(
            self._world, self._clock, self._closed, _uid(handle), cursor, follow=follow
        )

    def stats(self, handle: Handle) -> StatsSample | None:
        uid = _uid(handle)
        with self._world.locked():
            answer(self._world)
            run = self._world.get(uid)
            now = self._clock()
        if run is None or run.started_ns is None or not is_running(run, now):
            return None
        # A slow wave between half and full use, so that a graph looks like one.
        wave = 0.75 + 0.25 * math.sin((now - run.started_ns) / (5 * SECOND))
        return StatsSample(
            moment(now), run.cpu_cores * wave, round(run.memory_mb * MIB * wave * 0.8)
        )

    # --- for tests and demos ---

    def starts(self, uid: str) -> int:
        """How many times the program of this attempt was begun, ever, removed or not."""
        with self._world.locked():
            return self._world.starts(uid)

    def set_outage(self, detail: str) -> None:
        """Let every driver of this provider fail with these words; empty ends the outage."""
        with self._world.locked():
            self._world.set_outage(detail)

    # --- inside ---

    def _call(
        self, call: str, uid: str, script: Script | None = None
    ) -> AbstractContextManager[None]:
        return scripted_call(self._world, self._closed, call, uid, script)

    def _change(self, uid: str, change: Callable[[Run], Run]) -> None:
        with self._world.locked():
            run = self._world.get(uid)
            if run is not None and (not run.started_ns or is_running(run, self._clock())):
                self._world.put(change(run))

    def _ends_by(self, uid: str, over_ns: int) -> bool:
        """Wait until the run has ended (true) or the time is over (false)."""
        changed = threading.Event()
        with self._world.watched(uid, changed):
            while not self._closed.is_set():
                changed.clear()
                with self._world.locked():
                    run = self._world.get(uid)
                    now = self._clock()
                end = end_of(run, run.script) if run else None
                if end is None or now >= end.at_ns:
                    return True
                if now >= over_ns:
                    return False
                ahead = (min(end.at_ns, over_ns) - now) / SECOND
                changed.wait(min(ahead, self._world.poll_seconds))
        return False


def _uid(handle: Handle) -> str:
    return str(handle["uid"])
