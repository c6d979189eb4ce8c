"""One process's connection to the database: the twin, behind a wire that may fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from orchestrator.store import Store
from tests.simulation.invariants import Invariants
from tests.simulation.memory_store import MemoryStore
from tests.simulation.travel import Wire

CALLS = [name for name in vars(Store) if not name.startswith("_") and name != "close"]


class StoreLink:
    """A Store whose every call goes to the twin, is checked there, and comes back."""

    def __init__(self, twin: MemoryStore, wire: Wire, invariants: Invariants) -> None:
        self.instance = twin.instance
        self.log_limit = twin.log_limit
        self._twin = twin
        self._wire = wire
        self._invariants = invariants

    def close(self) -> None:
        """Nothing is kept by thread here."""

    def _ask(self, name: str, *args: Any, **kwargs: Any) -> Any:
        work = partial(getattr(self._twin, name), *args, **kwargs)
        return self._wire.call(partial(self._invariants.commit, name, args, work))


def _call(name: str) -> Callable[..., Any]:
    def call(self: StoreLink, *args: Any, **kwargs: Any) -> Any:
        return self._ask(name, *args, **kwargs)

    call.__name__ = name
    return call


for _name in CALLS:
    setattr(StoreLink, _name, _call(_name))
