"""What every scenario stands on: the suite's Postgres, a migrated template, the test image.

Under pytest the fixtures of `tests/chaos/conftest.py` lay it; a campaign lays its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.instance import TestInstance


@dataclass(frozen=True, slots=True)
class Ground:
    """`template` is the address of a database with the present schema, to be copied."""

    image: str
    server_url: str
    template: str
    data_dir: Path


_laid: list[Ground] = []


@contextmanager
def laid(ground: Ground) -> Iterator[Ground]:
    """Scenarios stand on this one meanwhile."""
    _laid.append(ground)
    try:
        yield ground
    finally:
        _laid.pop()


def ground() -> Ground:
    """The ground of the scenario that runs now."""
    assert _laid, "a campaign or a fixture has laid the ground"
    return _laid[-1]


@contextmanager
def own_ground(instance: TestInstance) -> Iterator[Ground]:
    """A ground of a campaign's own; Django is set up and reads this instance's settings."""
    from tests.support.databases import migrate, own_database
    from tests.support.engine import end_test_engine, ensure_test_engine, ensure_test_image

    server_url = instance.start_postgres()
    ensure_test_engine(instance.data_dir)
    image = ensure_test_image()
    try:
        with own_database(server_url) as template:
            migrate(template)
            with laid(Ground(image, server_url, template, instance.data_dir)) as made:
                yield made
    finally:
        end_test_engine(instance.data_dir)
