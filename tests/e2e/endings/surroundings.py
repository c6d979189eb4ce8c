"""What the table is played in: registries, and providers some of which stand behind gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from projects import secrets
from providers.models import RegistryCredential
from tests.e2e.endings.stops import GATES, HASTY, LOST_AFTER
from tests.support.container_starts import engine_client
from tests.support.engine_process import EngineWorld
from tests.support.gate import Gate
from tests.support.odd_registry import OddRegistry
from tests.support.registry import PASSWORD, USERNAME, free_port, running_registry

ENGINE_SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`registries` are addresses by their name in the table, `gates` by provider."""

    world: EngineWorld
    client: docker.APIClient
    registries: Mapping[str, str]
    gates: Mapping[str, Gate]


@contextmanager
def surroundings(world: EngineWorld, folder: Path) -> Iterator[Surroundings]:
    """Laid, with one engine process at work; what was pushed and pulled is taken off the
    engine again."""
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
        yield Surroundings(world, client, registries, gates)
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
