"""Playing the whole table at once against a real engine, through one engine process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from jobs.models import Attempt, Job
from jobs.reasons import Blame, blame, reason_text
from jobs.services import job_cancel, job_release
from jobs.states import LIVE_PHASES, TERMINAL
from projects import secrets
from projects.actor import SYSTEM
from providers.models import RegistryCredential
from tests.e2e.endings.case import Case
from tests.e2e.endings.stops import GATES, HASTY, LOST_AFTER
from tests.support.container_starts import engine_client
from tests.support.engine_process import EngineWorld
from tests.support.gate import Gate
from tests.support.odd_registry import OddRegistry
from tests.support.registry import PASSWORD, USERNAME, free_port, running_registry
from tests.support.waiting import wait_until

ENGINE_SOCKET = "/var/run/docker.sock"
SECONDS = 90


class JobScene:
    """One case's job, as its hand sees it."""

    def __init__(self, stage: Stage, case: Case) -> None:
        self.case = case
        self.done = case.hand is None
        self._stage = stage
        spec: dict[str, Any] = {"provider": "local"} | dict(case.spec)
        if "image" in spec:
            spec["image"] = spec["image"].format(**stage.registries)
        command = spec.pop("command", [])
        self.job = stage.world.submit(*command, **spec)
        self.attempt: Attempt | None = None

    def look(self, job: Job, attempt: Attempt | None) -> None:
        """Take in how they are now, and let the hand act."""
        self.job, self.attempt = job, attempt
        if not self.done and self.case.hand is not None:
            self.done = self.case.hand(self)

    @property
    def ended(self) -> bool:
        return self.job.state in TERMINAL

    @property
    def state(self) -> str:
        return self.job.state

    @property
    def reason(self) -> str:
        return self.job.reason

    @property
    def phase(self) -> str:
        live = self.attempt is not None and self.attempt.phase in LIVE_PHASES
        return self.attempt.phase if self.attempt is not None and live else ""

    def said(self, text: bytes) -> bool:
        live = self.attempt is not None and self.attempt.log_seq > 0
        return live and text in self._stage.world.log(self.job)

    def cancel(self) -> None:
        job_cancel(SYSTEM, job_id=self.job.pk)

    def release(self) -> None:
        job_release(SYSTEM, job_id=self.job.pk)

    def damage_secrets(self) -> None:
        sealed = Job.objects.get(pk=self.job.pk).secrets
        assert sealed is not None
        damaged = bytes(sealed)[:-1] + b"?"
        assert secrets.open_values(sealed)
        Job.objects.filter(pk=self.job.pk).update(secrets=damaged)

    def engine(self, method: str, path: str, **query: str | int) -> None:
        assert self.attempt is not None
        assert self.attempt.handle is not None
        client = self._stage.client
        url = f"{client.base_url}/v{client.api_version}{path.format(id=self.attempt.handle['id'])}"
        answer = client.request(method, url, params=query, timeout=30)
        assert answer.status_code < 400, answer.text

    def open(self, gate: str) -> None:
        self._stage.gates[gate].open()

    def cut(self, gate: str) -> None:
        self._stage.gates[gate].cut()


@dataclass(slots=True)
class Stage:
    """Registries, providers behind gates, and one engine process."""

    world: EngineWorld
    client: docker.APIClient
    registries: Mapping[str, str]
    gates: Mapping[str, Gate]

    def play(self, cases: Sequence[Case]) -> list[JobScene]:
        """Submit all, act on each in its moment, and wait until every one has ended."""
        scenes = [JobScene(self, case) for case in cases]
        with suppress(AssertionError):  # each row says for itself what is missing
            wait_until(lambda: self._all_ended(scenes), SECONDS, "all have ended")
        return scenes

    def _all_ended(self, scenes: Sequence[JobScene]) -> bool:
        ids = [scene.job.pk for scene in scenes if not scene.ended]
        jobs = Job.objects.in_bulk(ids)
        attempts = {a.job_id: a for a in Attempt.objects.filter(job__in=ids).order_by("number")}
        for scene in scenes:
            if scene.job.pk in jobs:
                scene.look(jobs[scene.job.pk], attempts.get(scene.job.pk))
        return all(scene.ended for scene in scenes)


@contextmanager
def stage(world: EngineWorld, folder: Path) -> Iterator[Stage]:
    """The table's surroundings; what it pushed and pulled is taken off the engine again."""
    with ExitStack() as held:
        client = held.enter_context(docker_client())
        open_registry = held.enter_context(running_registry(folder / "open", login=False))
        closed = held.enter_context(running_registry(folder / "closed", login=True))
        odd = held.enter_context(OddRegistry())
        registries = {
            "open": open_registry.address,
            "closed": closed.address,
            "odd": odd.address,
            "dead": f"127.0.0.1:{free_port()}",
        }
        login = {"username": USERNAME, "password": PASSWORD}
        held.enter_context(pushed(client, world.image, f"{registries['open']}/team/tool:1", {}))
        held.enter_context(
            pushed(client, world.image, f"{registries['closed']}/team/tool:1", login)
        )
        gates = {}
        for name, calls in GATES.items():
            path = folder / f"{name}.sock"
            gates[name] = held.enter_context(Gate(path, ENGINE_SOCKET, calls))
            world.provider(
                name,
                options={"base_url": f"unix://{path}"} | HASTY.get(name, {}),
                lost_after_seconds=LOST_AFTER.get(name),
            )
        _plain_providers(world, registries["closed"])
        world.engine().start()
        yield Stage(world, client, registries, gates)
        odd.let_go()


def _plain_providers(world: EngineWorld, closed: str) -> None:
    world.provider("local", mount_allow_list=["/nowhere"])
    world.provider("impatient", options={"pull_silence_seconds": 0.5})
    world.provider("short", options={"pull_seconds": 1.5})
    for name, password in (("with-login", PASSWORD), ("wrong-login", "wrong")):
        RegistryCredential.objects.create(
            provider=world.provider(name),
            registry=closed,
            username=USERNAME,
            secret=secrets.encrypt(password.encode()),
        )


@contextmanager
def docker_client() -> Iterator[docker.APIClient]:
    """The SDK's client, closed at the end."""
    client = engine_client()
    try:
        yield client
    finally:
        client.close()


@contextmanager
def pushed(
    client: docker.APIClient, image: str, name: str, login: Mapping[str, str]
) -> Iterator[None]:
    """The image under that name in its registry, and on the engine only when it was pulled."""
    repository, _, tag = name.rpartition(":")
    client.tag(image, repository, tag)
    answer = client.push(repository, tag, auth_config=dict(login))
    assert "errorDetail" not in answer, answer
    client.remove_image(name)
    try:
        yield
    finally:
        if client.images(name):
            client.remove_image(name)


def differences(scene: JobScene) -> list[str]:
    """What of its end is not as the table says; nothing when all is."""
    case, world = scene.case, scene._stage.world
    job = Job.objects.get(pk=scene.job.pk)
    attempts = list(Attempt.objects.filter(job=job).order_by("number"))
    words = reason_text(job.reason, job.reason_detail)
    charged = case.charged
    if charged is None:
        charged = int(case.state == "failed" and blame(case.reason) is Blame.USER)
    pairs: list[tuple[str, object, object]] = [
        ("the hand acted", scene.done, True),
        ("state", job.state, case.state),
        ("reason", job.reason, case.reason),
        ("exit code", job.exit_code, case.exit_code),
        ("attempts", len(attempts), case.attempts),
        ("charged", job.charged, charged),
    ]
    found = [
        f"{what}: {there!r}, not {wanted!r}" for what, there, wanted in pairs if there != wanted
    ]
    if not case.says(words) or "–" in words:
        found.append(f"words: {words!r}, not {case.words!r}")
    if attempts:
        found += _of_last_attempt(case, world, attempts[-1])
    return found


def _of_last_attempt(case: Case, world: EngineWorld, last: Attempt) -> list[str]:
    found = []
    if last.phase != "ended":
        found.append(f"its last attempt is {last.phase}")
    if case.starts is not None and world.starts.of(last.uid) != case.starts:
        found.append(f"starts: {world.starts.of(last.uid)}, not {case.starts}")
    if case.log_complete is not None and last.log_complete is not case.log_complete:
        found.append(f"log_complete: {last.log_complete}, not {case.log_complete}")
    return found
