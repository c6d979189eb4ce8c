"""A Docker engine that answers an error of its own about one container."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from providers.driver import EngineFault, NoCapacity, ProviderConfig, Rejected, RunState
from providers.drivers.docker import DockerDriver
from providers.drivers.docker.looking import look
from providers.drivers.docker.options import DockerOptions
from providers.drivers.docker.translate import EngineError

LABELS = {
    "gantry.instance": "test",
    "gantry.job": "7",
    "gantry.attempt": "1",
    "gantry.term": "1",
}


class Engine:
    """Answers by path: a value, or an error to raise."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.options = DockerOptions()

    identity = ""

    def get(self, path: str, **query: Any) -> Any:
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lines(self, path: str, extra_seconds: float, **query: Any) -> Iterator[bytes]:
        for event in self.get(path):
            if isinstance(event, Exception):
                raise event
            yield event if isinstance(event, bytes) else json.dumps(event).encode()

    def act(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return self.get(path)

    def act_slowly(self, method: str, path: str, extra_seconds: float, **query: Any) -> None:
        self.get(path)


def driver_of(**answers: Any) -> DockerDriver:
    driver = DockerDriver(ProviderConfig("test", "test", {}))
    paths = {f"/containers/{name.replace('_', '/')}": answer for name, answer in answers.items()}
    driver._engine = Engine(paths)  # type: ignore[assignment]
    return driver


def listed(container: str, state: str = "exited") -> dict[str, Any]:
    labels = {**LABELS, "gantry.uid": f"uid of {container}"}
    return {"Id": container, "Labels": labels, "State": state, "Created": 1_800_000_000}


def is_now(status: str, code: int = 0) -> dict[str, Any]:
    return {"State": {"Status": status, "ExitCode": code}, "HostConfig": {}}


FULL = EngineError(500, "write /run/x: no space left on device")
HANDLE = {"v": 1, "id": "c"}


def test_one_container_that_cannot_be_looked_at_hides_no_other() -> None:
    driver = driver_of(
        json=[listed("sick"), listed("half", "dead"), listed("on", "running")],
        sick_json=FULL,
    )
    assert [(one.uid, one.state) for one in driver.list_owned()] == [
        ("uid of sick", RunState.EXITED),
        ("uid of half", RunState.EXITED),  # a removal failed half-way: it is to be swept
        ("uid of on", RunState.RUNNING),
    ]


def test_what_is_being_removed_or_is_not_whole_is_not_listed() -> None:
    stranger = listed("stranger") | {"Labels": {"gantry.instance": "test"}}
    driver = driver_of(json=[listed("leaving", "removing"), stranger, listed("well")])
    assert [one.uid for one in driver.list_owned()] == ["uid of well"]


@pytest.mark.parametrize("status", ["running", "exited"])
def test_a_start_that_a_full_disk_refused_is_no_reason_to_run_what_did_start_again(
    status: str,
) -> None:
    driver_of(c_start=FULL, c_json=is_now(status)).start(HANDLE)


def test_a_start_that_a_full_disk_refused_goes_back_to_the_queue_when_nothing_runs() -> None:
    with pytest.raises(NoCapacity, match="no space left"):
        driver_of(c_start=FULL, c_json=is_now("created", 128)).start(HANDLE)


def test_a_start_whose_container_cannot_be_looked_at_may_have_started() -> None:
    with pytest.raises(EngineFault):
        driver_of(c_start=FULL, c_json=FULL).start(HANDLE)


def test_a_start_of_what_is_gone_says_so_also_on_a_full_disk() -> None:
    gone = EngineError(404, "no such container")
    with pytest.raises(Rejected) as refused:
        driver_of(c_start=FULL, c_json=gone).start(HANDLE)
    assert refused.value.reason == "removed_outside"


@pytest.mark.parametrize(
    "call",
    [
        lambda driver: driver.observe(HANDLE),
        lambda driver: driver.remove(HANDLE, force=False),
        lambda driver: driver.stop(HANDLE, 1),
        lambda driver: driver.list_owned(),
    ],
)
def test_a_full_disk_says_of_a_look_or_a_removal_only_that_it_failed(
    call: Callable[[DockerDriver], object],
) -> None:
    paths: dict[str, Any] = {"json": FULL, "c": FULL, "c_json": FULL, "c_stop": FULL}
    with pytest.raises(EngineFault):
        call(driver_of(**paths))


def killed(*, flagged: bool = False, memory: int = 16 << 20) -> dict[str, Any]:
    state = {"Status": "exited", "ExitCode": 137, "OOMKilled": flagged}
    return {
        "State": state | {"FinishedAt": "2026-01-01T00:00:00Z"},
        "HostConfig": {"Memory": memory},
    }


def event(action: str, **attributes: str) -> dict[str, Any]:
    return {"Action": action, "Actor": {"Attributes": attributes}}


HUP, KILL, OOM = event("kill", signal="1"), event("kill", signal="9"), event("oom")


@pytest.mark.parametrize(
    ("found", "told", "lacked"),
    [
        (killed(), [OOM], True),
        (killed(), [HUP, OOM], True),
        (killed(), [], False),
        (killed(), [KILL], False),
        (killed(), [KILL, OOM], False),
        (killed(), EngineError(403, "the front lets nobody ask"), False),
        (killed(), requests.ConnectionError("a front that hangs"), False),
        (killed(), [HUP, requests.ConnectionError("broken off")], False),
        (killed(), [b"<html>"], False),
        (killed(), [{"Action": "kill", "Actor": {"Attributes": None}}, OOM], True),
        (killed(flagged=True), AssertionError("asked for what it knows"), True),
        (killed(memory=0), AssertionError("asked for what cannot be"), False),
    ],
    ids=repr,
)
def test_a_kill_for_memory_that_the_engine_tells_of_after_the_exit_is_known_as_one(
    found: dict[str, Any], told: Any, lacked: bool
) -> None:
    engine = Engine({"/containers/c/json": found, "/events": told})
    assert look(engine, "c").oom_killed is lacked  # type: ignore[arg-type]
