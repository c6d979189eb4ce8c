"""Worlds of real processes: one per file, so that its tests share what is costly.

Imports of ours stand inside, because this file is read before Django is set up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

if TYPE_CHECKING:
    from tests.support.engine_process import EngineWorld


@pytest.fixture(scope="session")
def migrated_database(database_url: str) -> Iterator[str]:
    """The address of a database with the present schema and no rows but its own: a template."""
    from tests.support.databases import migrate, own_database

    with own_database(database_url) as url:
        migrate(url)
        yield url


@pytest.fixture(scope="module")
def world(
    docker_image: str,
    database_url: str,
    migrated_database: str,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[EngineWorld]:
    """An instance on a database of its own and the suite's engine, without any process yet."""
    from tests.support.engine_process import engine_world

    with (
        django_db_blocker.unblock(),
        engine_world(docker_image, database_url, migrated_database) as made,
    ):
        yield made
