"""The Docker driver: the contract of providers/driver.py on one engine."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from providers.driver import (
    LABEL_ATTEMPT,
    LABEL_INSTANCE,
    LABEL_JOB,
    LABEL_TERM,
    LABEL_UID,
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
    StatsSample,
)
from providers.drivers.docker.client import Engine, parsed
from providers.drivers.docker.container import container_body, container_name
from providers.drivers.docker.events import saw_end
from providers.drivers.docker.logs import DockerLogStream
from providers.drivers.docker.looking import look
from providers.drivers.docker.options import DockerOptions
from providers.drivers.docker.probing import identity_of, probe_engine
from providers.drivers.docker.pulling import pull_image
from providers.drivers.docker.removing import remove_container
from providers.drivers.docker.restarts import with_engines_part
from providers.drivers.docker.states import run_state
from providers.drivers.docker.stats import StatsReader
from providers.drivers.docker.translate import EngineError, has_no_room, translated

_CAPABILITIES = Capabilities(
    kind="docker",
    isolation=True,
    pulls=True,
    stats=True,
    gpus=True,
    mounts=True,
    profiles=frozenset({"standard", "restricted"}),
)


class DockerDriver:
    """One Docker engine, 20.10 or newer. Connects at first use; safe for many threads."""

    def __init__(self, config: ProviderConfig) -> None:
        """Raises Rejected for options that docker does not have."""
        self._instance = config.instance
        self._options = DockerOptions.parse(config.options)
        self._engine = Engine(self._options)
        self._stats = StatsReader(self._engine)

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def probe(self) -> Probe:
        return probe_engine(self._engine)

    def pull(
        self,
        image: str,
        credential: Credential | None,
        progress: Callable[[PullProgress], None],
    ) -> str:
        with translated("pull the image", takes_room=True):
            return pull_image(self._engine, image, credential, progress)

    def create(self, spec: RunSpec) -> Handle:
        name = container_name(spec)
        body = container_body(spec)
        with translated("create the container", takes_room=True):
            try:
                answer = self._engine.act("POST", "/containers/create", body, name=name)
                return self._handle(parsed(answer)["Id"])
            except EngineError as error:
                if error.status == 404:
                    raise Rejected("image_not_found", error.message) from error
                if error.status == 409:
                    return self._already_made(name, spec, error)
                raise

    def start(self, handle: Handle) -> None:
        container = _container(handle)
        with translated("start the container"):
            try:
                self._engine.act("POST", f"/containers/{container}/start")
            except EngineError as error:
                self._refused_start(container, error)

    def observe(self, handle: Handle) -> Observation:
        container = _container(handle)
        with translated("look at the container"):
            seen = look(self._engine, container)
            if seen.state is RunState.GONE:
                self._unless_elsewhere(handle)
            return with_engines_part(self._engine, container, seen)

    def list_owned(self) -> Sequence[Owned]:
        """Ours, in the engine's order and as its list has them: it keeps that apart from the
        containers, and tells it also while a look at one of them hangs."""
        filters = json.dumps({"label": [f"{LABEL_INSTANCE}={self._instance}"]})
        with translated("list the containers"):
            listed = self._engine.get("/containers/json", all=1, filters=filters)
        found = (_owned(item, self._handle) for item in listed)
        return [owned for owned in found if owned is not None]

    def logs(self, handle: Handle, cursor: Cursor | None, *, follow: bool) -> LogStream:
        return DockerLogStream(self._engine, _container(handle), cursor, follow)

    def stop(self, handle: Handle, grace_seconds: float) -> None:
        path = f"/containers/{_container(handle)}"
        with translated("stop the container"):
            try:
                if grace_seconds > 0:
                    whole = math.ceil(grace_seconds)
                    self._engine.act_slowly("POST", f"{path}/stop", whole, t=whole)
                else:
                    self._engine.act("POST", f"{path}/kill", signal="SIGKILL")
            except EngineError as error:
                if error.status not in (404, 409):  # gone, or not running
                    raise

    def remove(self, handle: Handle, *, force: bool) -> None:
        container = _container(handle)
        self._stats.forget(container)
        with translated("remove the container"):
            remove_container(self._engine, container, force=force)

    def saw_end(self, handle: Handle, lost_at: datetime) -> bool | None:
        with translated("ask the engine what it remembers"):
            return saw_end(self._engine, _container(handle), lost_at)

    def stats(self, handle: Handle) -> StatsSample | None:
        with translated("read the statistics"):
            return self._stats.read(_container(handle))

    def close(self) -> None:
        self._engine.close()

    def _handle(self, container: str) -> Handle:
        identity = self._engine.identity
        return {"v": 1, "id": container} | ({"engine": identity} if identity else {})

    def _unless_elsewhere(self, handle: Handle) -> None:
        """Only the engine that made a container can tell that it is gone. At the same address
        may be another one: that of another machine's socket, where an engine process there has
        taken over, or a new one. Raises EngineFault then."""
        made_on = handle.get("engine")
        if made_on and identity_of(self._engine.get("/info")) not in ("", made_on):
            address = self._engine.endpoint.socket_path or self._engine.endpoint.base_url
            raise EngineFault(
                f"another Docker engine answers at {address} than the one that has its container"
            )

    def _already_made(self, name: str, spec: RunSpec, conflict: EngineError) -> Handle:
        """The handle behind a name that is taken, if it is this attempt's."""
        try:
            found = self._engine.get(f"/containers/{name}/json")
        except EngineError as error:
            if error.status == 404:  # it is just being removed: look again, then create
                raise EngineFault(conflict.message) from error
            raise
        labels = found["Config"]["Labels"] or {}
        if labels.get(LABEL_UID) != spec.uid or labels.get(LABEL_INSTANCE) != spec.instance:
            raise Rejected("rejected", conflict.message) from conflict
        return self._handle(found["Id"])

    def _refused_start(self, container: str, error: EngineError) -> None:
        """Say what a start that the engine answered with an error came to.

        The container's own state decides, not the text: the engine answers 400 for a
        missing program, but 500 for an unknown user and for its own trouble alike. A full
        disk may be told of a program that runs: only one that was not started may be given
        back to the queue. Returns when the program was started after all.
        """
        if error.status == 404:
            raise Rejected("removed_outside", error.message) from error
        seen = look(self._engine, container)
        if seen.state is RunState.GONE:
            raise Rejected("removed_outside", error.message) from error
        if seen.state is RunState.CREATED and has_no_room(error.message):
            raise NoCapacity(error.message) from error
        if seen.could_not_start or (error.status < 500 and error.status != 409):
            raise Rejected("could_not_start", error.message) from error
        if seen.state is RunState.CREATED:
            raise EngineFault(f"could not start the container: {error.message}") from error


def _owned(item: Mapping[str, Any], handle_of: Callable[[str], Handle]) -> Owned | None:
    """One line of the engine's list; None for what is not whole, or is being removed."""
    labels = item["Labels"] or {}
    state = run_state(item["State"])
    if state is RunState.GONE:
        return None
    try:
        return Owned(
            handle=handle_of(item["Id"]),
            instance=labels[LABEL_INSTANCE],
            job=int(labels[LABEL_JOB]),
            attempt=int(labels[LABEL_ATTEMPT]),
            uid=labels[LABEL_UID],
            term=int(labels[LABEL_TERM]),
            state=state,
            created_at=datetime.fromtimestamp(item["Created"], UTC),
        )
    except (KeyError, ValueError):
        return None  # somebody else's container that borrows one of our labels


def _container(handle: Handle) -> str:
    return str(handle["id"])
