"""Worlds of real processes: one per file, so that its tests share what is costly; and browsers
that look at them.

Imports of ours stand inside, because this file is read before Django is set up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from projects.actor import Actor
    from tests.support.browsers import Opens
    from tests.support.engine_process import EngineWorld
    from tests.support.web import WebProcess


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


@pytest.fixture(scope="package")
def web(django_db_setup: None, database_url: str) -> Iterator[WebProcess]:
    """A web process on the tests' own database, for all files with a browser."""
    from tests.support.web import running_web

    with running_web(database_url) as process:
        yield process


@pytest.fixture
def actor() -> Actor:
    """The administrator whose browser it is. There is the default project."""
    from tests.support.builders import make_actor, make_project, make_user

    make_project("default")
    return make_actor(make_user("ada", superuser=True), via="web")


@pytest.fixture
def opens(web: WebProcess, browser: Browser, actor: Actor) -> Iterator[Opens]:
    """Makes browsers in which the administrator has signed in; none may have an error."""
    from tests.support.browsers import browsers_of

    with browsers_of(web, browser, actor) as made:
        yield made
