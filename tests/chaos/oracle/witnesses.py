"""Witnesses of starts that owe Gantry nothing: a file on the host that each program writes
to as its first act, and the engine's own `start` events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from providers.driver import ProviderConfig
from providers.drivers.fake import FakeDriver
from tests.chaos.oracle.program import FOLDER, STARTS
from tests.support.container_starts import StartCounter
from tests.support.waiting import wait_until

AGREE_SECONDS = 15.0


class Witness(Protocol):
    """Somebody who saw programs start."""

    @property
    def name(self) -> str: ...

    def starts(self) -> dict[str, list[str]]:
        """Attempt uid → one nonce for each start (empty where the witness knows none)."""
        ...


class StartsFile:
    """The host's file; its folder is mounted in every container of the campaign."""

    name = "host file"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder

    @property
    def allowed(self) -> str:
        """The entry for the provider's allow-list."""
        return f"{self.folder}:rw"

    @property
    def mount(self) -> dict[str, object]:
        """The mount for a job's spec."""
        return {"source": str(self.folder), "target": FOLDER, "read_only": False}

    def starts(self) -> dict[str, list[str]]:
        path = self.folder / STARTS
        found: dict[str, list[str]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            uid, _, nonce = line.partition(" ")
            found.setdefault(uid, []).append(nonce)
        return found


class EngineEvents:
    """The engine's `start` events, listened to since before the first job."""

    name = "engine events"

    def __init__(self, counter: StartCounter) -> None:
        self._counter = counter

    def starts(self) -> dict[str, list[str]]:
        return {uid: [""] * count for uid, count in self._counter.all().items()}


class FakeEngines:
    """What fake providers remember of their starts, over all processes of one folder."""

    name = "fake engine"

    def __init__(self, instance: str, data_dir: Path, providers: list[str]) -> None:
        self._drivers = [
            FakeDriver(ProviderConfig(name, instance, {}, str(data_dir))) for name in providers
        ]
        self.uids: list[str] = []
        """Whose starts are asked for."""

    def starts(self) -> dict[str, list[str]]:
        counts = {uid: sum(d.starts(uid) for d in self._drivers) for uid in self.uids}
        return {uid: [""] * count for uid, count in counts.items() if count}


def agree(witnesses: Sequence[Witness]) -> bool:
    """True once the last witness, who sees every start, has seen all that the others tell of.

    The others are programs' own testimonies: one that was stopped before its first act gave
    none. An engine tells of a start a moment after it.
    """
    *programs, engine = witnesses

    def same() -> bool:
        seen = {uid: len(nonces) for uid, nonces in engine.starts().items()}
        told = [(uid, len(n)) for witness in programs for uid, n in witness.starts().items()]
        return all(seen.get(uid) == count for uid, count in told)

    try:
        wait_until(same, AGREE_SECONDS, "the witnesses agree")
    except AssertionError:
        return False
    return True
