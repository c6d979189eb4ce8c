"""The ground under the short runs: the suite's own Postgres, engine and image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.chaos.ground import Ground, laid
from tests.support.instance import TestInstance


@pytest.fixture(scope="module")
def chaos_ground(
    docker_image: str,
    database_url: str,
    migrated_database: str,
    instance: TestInstance,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Ground]:
    """What scenarios stand on; within it they may use the database as processes do."""
    made = Ground(docker_image, database_url, migrated_database, instance.data_dir)
    with django_db_blocker.unblock(), laid(made):
        yield made
