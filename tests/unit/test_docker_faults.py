"""A Docker engine that answers an error of its own about one container."""

from __future__ import annotations

from typing import Any

from providers.driver import ProviderConfig, RunState
from providers.drivers.docker import DockerDriver
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
        self.asked: list[str] = []

    def get(self, path: str, **query: Any) -> Any:
        self.asked.append(path)
        answer = self.answers[path]
        if isinstance(answer, EngineError):
            raise answer
        return answer

    def act(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return self.get(path)


def driver_of(**answers: Any) -> DockerDriver:
    driver = DockerDriver(ProviderConfig("test", "test", {}))
    paths = {f"/containers/{name.replace('_', '/')}": answer for name, answer in answers.items()}
    driver._engine = Engine(paths)  # type: ignore[assignment]
    return driver


def listed(container: str, state: str = "exited") -> dict[str, Any]:
    labels = {**LABELS, "gantry.uid": f"uid of {container}"}
    return {"Id": container, "Labels": labels, "State": state, "Created": 1_800_000_000}


def exited(code: int = 0) -> dict[str, Any]:
    return {"State": {"Status": "exited", "ExitCode": code}, "HostConfig": {}}


def test_one_container_that_cannot_be_looked_at_hides_no_other() -> None:
    driver = driver_of(
        json=[listed("sick"), listed("well"), listed("on", "running")],
        sick_json=EngineError(500, "no space left on device"),
        well_json=exited(3),
    )
    sick, well, running = driver.list_owned()
    assert (sick.uid, sick.observation.state) == ("uid of sick", RunState.EXITED)
    assert sick.observation.exit_code is None
    assert well.observation.exit_code == 3
    assert running.observation.state is RunState.RUNNING
