"""What web asks of an engine beyond running jobs: `probe`; `test`, a run step by step;
`sweep`, to try again to remove what was left there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Protocol

from orchestrator.loop.service import monotonic
from orchestrator.store import Request, Site, Store
from providers.driver import (
    Credential,
    Driver,
    DriverError,
    Handle,
    Health,
    Observation,
    Probe,
    PullProgress,
    RunSpec,
    RunState,
)
from providers.leases import Fence

TEST_SECONDS = 60.0
MOST_OUTPUT = 4096
TEST_JOB = 0
"""Containers of a test belong to no job."""


class Host(Protocol):
    """What is needed of the provider's host."""

    driver: Driver
    fence: Fence
    site: Site
    instance: str

    def probed(self, probe: Probe) -> None: ...
    def look_over(self) -> int: ...
    def credential(self, image: str) -> Credential | None: ...
    def post(self, work: Callable[[Store], None], about: Hashable = None) -> None:
        """Have this done by the thread that speaks to the database, instead of what still
        waits about the same."""
        ...


def answer_request(request: Request, host: Host) -> None:
    """Do it, telling each step as it is done, and how it ended."""
    answer = _Answer(request.id, host)
    try:
        probe = host.driver.probe()
        host.probed(probe)
        if probe.health is Health.UNREACHABLE:
            answer.step("reach", ok=False, text=probe.detail)
            answer.end({"health": probe.health, "message": probe.detail}, failed=True)
            return
        answer.step("reach", ok=True, text=f"{host.site.kind} {probe.version}".strip())
        if request.kind == "test":
            _test(answer, request.args, host)
        elif request.kind == "sweep":
            there = host.look_over()
            words = f"{there} of ours there; those that nobody runs are being removed"
            answer.step("compare", ok=True, text=words)
        answer.end({"health": probe.health, "message": probe.detail}, failed=answer.failed)
    except DriverError as error:
        answer.step("failed", ok=False, text=str(error))
        answer.end({"message": str(error)}, failed=True)


def _test(answer: _Answer, args: Mapping[str, Any], host: Host) -> None:
    driver = host.driver
    image = str(args.get("image") or "gantry/hello:latest")
    if driver.capabilities.pulls:
        driver.pull(image, host.credential(image), lambda progress: _pulling(answer, progress))
        answer.step("pull", ok=True, text=f"{image} is there")
    fake = driver.capabilities.kind == "fake"
    entrypoint = ("lines=1",) if fake else ("/bin/echo", "hello from Gantry")
    spec = RunSpec(
        instance=host.instance,
        job=TEST_JOB,
        attempt=answer.request,
        uid=str(uuid.uuid4()),
        term=0,
        name="provider-test",
        image=image,
        entrypoint=entrypoint,
        cpu_cores=0.25,
        memory_mb=64,
    )
    handle = driver.create(spec)
    try:
        answer.step("run", ok=None, text="its container is made")
        driver.start(handle)
        answer.step("run", ok=None, text="it has started")
        output = b""
        for output in _output(driver, handle):
            answer.step("log", ok=None, text=_words(output))
        seen = driver.observe(handle)
        ok = seen.state is RunState.EXITED and seen.exit_code == 0
        answer.step("run", ok=ok, text=seen.error or _ending(seen))
        answer.step("log", ok=bool(output), text=_words(output))
    finally:
        driver.remove(handle, force=True)


def _output(driver: Driver, handle: Handle) -> Iterator[bytes]:
    """All that it has printed so far, as often as there is more, until it ends; one that goes
    on after TEST_SECONDS is not waited for."""
    deadline = monotonic() + TEST_SECONDS
    output = b""
    stream = driver.logs(handle, None, follow=True)
    try:
        for batch in stream:
            more = b"".join(frame.data for frame in batch.frames)
            if more:
                output = (output + more)[:MOST_OUTPUT]
                yield output
            if monotonic() > deadline:
                return
    finally:
        stream.close()


def _ending(seen: Observation) -> str:
    """How the program ended, or that it did not."""
    if seen.state is RunState.EXITED:
        return f"exit code {seen.exit_code}"
    return f"it has not ended: its container is {seen.state}"


def _words(output: bytes) -> str:
    return output.decode(errors="replace").strip()[:200]


def _pulling(answer: _Answer, progress: PullProgress) -> None:
    answer.often("pull", progress.text)


class _Answer:
    """The steps so far, each told when it begins and when it is done."""

    def __init__(self, request: int, host: Host) -> None:
        self.request = request
        self.failed = False
        self._host = host
        self._steps: dict[str, dict[str, Any]] = {}
        self._told_at = 0.0

    def step(self, name: str, *, ok: bool | None, text: str) -> None:
        """How far one step is; `ok` is None while it is under way."""
        self._steps[name] = {"name": name, "ok": ok, "text": text}
        self.failed = self.failed or ok is False
        self._post(None)

    def often(self, name: str, text: str) -> None:
        """A step under way that has much to tell: at most each half second."""
        if monotonic() > self._told_at + 0.5:
            self._told_at = monotonic()
            self.step(name, ok=None, text=text)

    def end(self, result: Mapping[str, Any], *, failed: bool) -> None:
        """All is done."""
        self._post({k: str(v) for k, v in result.items()}, failed=failed)

    def _post(
        self,
        result: Mapping[str, Any] | None,
        *,
        failed: bool = False,
    ) -> None:
        steps = list(self._steps.values())
        fence, request = self._host.fence, self.request
        self._host.post(
            lambda store: store.answer(fence, request, steps=steps, result=result, failed=failed),
            ("answer", request),
        )
