"""The suite's ground: an instance of its own, and no test let off.

DJANGO_SETTINGS_MODULE is set here and not in pyproject.toml: pytest-django would read the
settings before this file could say which instance they are about.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module

import django
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, Page
from pytest_django import DjangoDbBlocker

from orchestrator.garbage import settle
from tests.support.chromium import chromium_program, open_browser
from tests.support.connections import others_rest
from tests.support.databases import models_on, name_of, own_database
from tests.support.emptying import empty_again_after_a_deadlock
from tests.support.engine import end_test_engine, ensure_test_engine, ensure_test_image
from tests.support.instance import TestInstance
from tests.support.strictness import NothingLeftOut
from tests.support.waiting import wait_until

INSTANCE = TestInstance()
GROUND = "projects.migrations.0002_ground"
EMPTIED = pytest.StashKey[bool]()
"""Whether a test of this process has emptied the tables."""
for foreign in [name for name in os.environ if name.startswith("GANTRY_")]:
    del os.environ[foreign]
os.environ.update(INSTANCE.environment, DJANGO_SETTINGS_MODULE="orchestrator.settings")


def pytest_configure(config: pytest.Config) -> None:
    """Sets Django up, and registers the plugin that fails a run with a test let off."""
    django.setup()
    # Templates name static files without a collected manifest; `up` has its own test.
    settings.STORAGES["staticfiles"] = {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
    }
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    # The same examples in every run, and no limit on a slow machine: a red run is a new fault.
    hypothesis_settings.register_profile("suite", derandomize=True, deadline=None)
    hypothesis_settings.load_profile("suite")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(NothingLeftOut())
    if _spreads(config):
        # Here, once, before several workers would do it at the same time.
        ensure_test_engine(INSTANCE.data_dir)
        ensure_test_image()
        chromium_program()
        # Workers inherit this environment, and must not read settings before their own
        # instance is there.
        del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_finish() -> None:
    """All tests are loaded, and stay: the collector need not look through them again."""
    settle()


def _spreads(config: pytest.Config) -> bool:
    """True in the process that hands the tests out to workers."""
    return bool(config.getoption("numprocesses", 0)) and not hasattr(config, "workerinput")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leaves nothing behind, also after failures and Ctrl-C."""
    if _spreads(config):
        end_test_engine(INSTANCE.data_dir)
    INSTANCE.destroy()


@pytest.fixture(scope="session")
def instance() -> TestInstance:
    """The instance of this run."""
    return INSTANCE


@pytest.fixture(scope="session")
def database_url(instance: TestInstance) -> str:
    """The address of this run's Postgres, started now if need be. Tests that use Django's
    models need only the `django_db` mark; this is for those that start processes."""
    return instance.start_postgres()


@pytest.fixture(scope="session")
def migrated_database(database_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a database with the present schema and no rows but its own: a template.
    Migrations take seconds, a copy takes a moment."""
    with own_database(database_url) as url:
        with django_db_blocker.unblock(), models_on(url):
            call_command("migrate", interactive=False, verbosity=0)
        yield url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(migrated_database: str) -> None:
    """Starts Postgres before pytest-django makes its test database, as a copy of the template."""
    connection.settings_dict["TEST"]["TEMPLATE"] = name_of(migrated_database)
    empty_again_after_a_deadlock(connection)


@pytest.fixture(autouse=True)
def ground(request: pytest.FixtureRequest) -> Iterator[None]:
    """The rows that migrations make: a test that empties all tables takes them along, so they
    are made anew for each one after it.

    They are emptied once everybody rests: what a browser asked for last may still be read by a
    web process, and Postgres would end one of the two for a deadlock, after a second.
    """
    mark = request.node.get_closest_marker("django_db")
    if mark is None:
        yield
        return
    request.getfixturevalue("_django_db_helper")  # the test's own access comes first
    if request.config.stash.get(EMPTIED, False):
        import_module(GROUND).make_ground(apps, None)
    if mark.kwargs.get("transaction"):
        request.config.stash[EMPTIED] = True
    yield
    if mark.kwargs.get("transaction"):
        wait_until(others_rest, 30, "no other session is at work in the database")


@pytest.fixture(scope="session")
def docker_image(instance: TestInstance) -> Iterator[str]:
    """The name of a busybox image on the suite's Docker engine, which answers from now on."""
    ensure_test_engine(instance.data_dir)
    yield ensure_test_image()
    end_test_engine(instance.data_dir)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of one file: as long as playwright is open its event loop
    holds this thread, and tests of asynchronous code could not run."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile, as if a new person sat down."""
    with browser.new_context() as context:
        yield context.new_page()
