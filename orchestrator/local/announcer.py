"""Telling the address once it can be opened."""

from __future__ import annotations

import http.client
import threading
from types import TracebackType
from typing import Self

from orchestrator.local.prefixed_output import PrefixedOutput

PAUSE_SECONDS = 0.1
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Announcer:
    """Asks /ready until it says yes, then prints the address; gives up at the block's end."""

    def __init__(self, bind: str, port: int, public_url: str, output: PrefixedOutput) -> None:
        self._address = (ANY_ADDRESS.get(bind, bind), port)
        self._public_url = public_url
        self._output = output
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="announcer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            if self._ready():
                self._output.say(f"\nGantry is ready: {self._public_url}\n")
                return

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(*self._address, timeout=5)
        try:
            connection.request("GET", "/ready", headers={"Host": "localhost"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
