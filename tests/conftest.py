"""The suite's ground: an instance of its own, and no test let off.

DJANGO_SETTINGS_MODULE is set here and not in pyproject.toml: pytest-django would read the
settings before this file could say which instance they are about.
"""

from __future__ import annotations

import os

import django
import pytest

from tests.support.instance import TestInstance
from tests.support.strictness import NothingLeftOut

INSTANCE = TestInstance()
for foreign in [name for name in os.environ if name.startswith("GANTRY_")]:
    del os.environ[foreign]
os.environ.update(INSTANCE.environment, DJANGO_SETTINGS_MODULE="orchestrator.settings")


def pytest_configure(config: pytest.Config) -> None:
    """Sets Django up, and registers the plugin that fails a run with a test let off."""
    django.setup()
    config.pluginmanager.register(NothingLeftOut())


def pytest_unconfigure() -> None:
    """Leaves nothing behind, also after failures and Ctrl-C."""
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
def django_db_modify_db_settings(database_url: str) -> None:
    """Starts Postgres before pytest-django makes its test database."""
