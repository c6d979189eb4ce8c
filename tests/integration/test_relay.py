"""The relay and a database that does not answer, without a word of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import relay as relay_module
from orchestrator.relay import Relay
from projects.hub import Hub
from projects.notify import JobChange, LiveChanges, notify_live
from projects.offload import in_database
from tests.support.fault_proxy import Address, FaultProxy

pytestmark = pytest.mark.django_db(transaction=True)
DEADLINE_SECONDS = 20.0


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """What stands between the relay and its database."""
    original = relay_module._address
    direct = original()
    host, port = str(direct.get("host", "")), int(direct.get("port", 5432))
    target: Address = Path(host) / f".s.PGSQL.{port}" if host.startswith("/") else (host, port)
    with FaultProxy(("127.0.0.1", 0), target) as proxy:
        assert isinstance(proxy.address, tuple)
        through = {"host": "127.0.0.1", "port": proxy.address[1]}
        monkeypatch.setattr(relay_module, "_address", lambda: original() | through)
        yield proxy


class Deafness(Hub):
    """A hub that tells when it no longer hears."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    def hears(self, listening: bool) -> None:
        super().hears(listening)
        if not listening:
            self.begun.set()


def test_a_connection_that_no_longer_answers_is_replaced_and_all_told_to_fetch_anew(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(relay_module, "ANSWER_SECONDS", 0.5)

    async def scenario() -> None:
        hub = Deafness()
        relay = Relay(hub)
        bell = hub.watch_job(7)
        relay.ensure_running()
        try:
            assert await bell.wait(DEADLINE_SECONDS) == {"t": "resync"}
            proxy.hang()
            async with asyncio.timeout(DEADLINE_SECONDS):
                await hub.begun.wait()
            proxy.mend()
            assert await bell.wait(DEADLINE_SECONDS) == {"t": "resync"}
            await in_database(notify_live, LiveChanges(jobs={7: JobChange(7, 2, 1)}))
            assert await bell.wait(DEADLINE_SECONDS) == {"t": "job", "id": 7, "rev": 2}
        finally:
            await relay.stop()

    asyncio.run(scenario())
