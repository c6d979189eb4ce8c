"""A driver on the suite's real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.docker_driver.place import Place


@pytest.fixture
def make_place(docker_image: str) -> Iterator[Callable[..., Place]]:
    """Makes providers with options of their own; cleans up after all of them."""
    made: list[Place] = []

    def make(**options: Any) -> Place:
        made.append(Place(docker_image, **options))
        return made[-1]

    yield make
    for place in made:
        place.clean()


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """One provider with the default options."""
    return make_place()
