"""A page of the administrator's, and something to look at.

Imports of ours stand inside, because this file is read before Django is set up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

if TYPE_CHECKING:
    from jobs.models import Attempt
    from tests.support.browsers import Opens


@pytest.fixture
def page(opens: Opens) -> Page:
    return opens().new_page()


@pytest.fixture
def failed() -> Attempt:
    """The try of a job that failed, with a log to look into."""
    from tests.support.attempts import make_attempt
    from tests.support.builders import make_job, make_provider
    from tests.support.log_page import finish, numbered, write

    spec = {"name": "orders-daily-load"}
    job = make_job(spec=spec, state="running", provider=make_provider("node-1"))
    attempt = make_attempt(job=job, provider=job.provider)
    write(attempt, *numbered(1, 40), b"ERROR: no such table: orders\n")
    finish(attempt, "failed", 1)
    return attempt
