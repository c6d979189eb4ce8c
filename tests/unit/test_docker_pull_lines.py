"""What an engine says while it pulls, also when it is no engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from providers.driver import Unreachable
from providers.drivers.docker.client import Engine
from providers.drivers.docker.options import DockerOptions
from providers.drivers.docker.pulling import pull_image
from providers.drivers.docker.translate import EngineError


class Answer:
    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def iter_lines(self) -> Iterator[bytes]:
        yield from self._lines

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class Silly:
    """An engine that has no image, and answers a pull with these lines."""

    options = DockerOptions()

    def __init__(self, *lines: bytes) -> None:
        self._lines = lines

    def get(self, path: str) -> Any:
        raise EngineError(404, "no such image")

    def send(self, *args: object, **kwargs: object) -> Answer:
        return Answer(list(self._lines))


@pytest.mark.parametrize("line", [b"<html>", b"7", b"\xff\xfe", b'"text"'])
def test_what_is_no_progress_reads_as_an_engine_out_of_reach(line: bytes) -> None:
    engine = cast(Engine, Silly(b'{"status": "Pulling"}', line))
    with pytest.raises(Unreachable, match="no Docker engine"):
        pull_image(engine, "busybox", None, lambda progress: None)
