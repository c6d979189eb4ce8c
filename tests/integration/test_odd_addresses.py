"""Whatever stands in an address: it is answered or refused, and no page breaks of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ALL_VAR, PAGE_VAR
from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.http import QueryDict
from django.test import Client

from tests.support.builders import make_job, make_project, make_user
from tests.support.every_page import paths_of
from tests.support.figures import tell
from tests.support.filled import fill
from tests.support.pages import signed_in
from tests.support.routes import patterns

pytestmark = pytest.mark.django_db

ODD = ("\0", "\n", "½", "9" * 30)
BY_DJANGO = {"_changelist_filters", "_facets", ALL_VAR, IS_POPUP_VAR, PAGE_VAR, TO_FIELD_VAR}
"""Names that Django reads itself in its admin, whatever the model: one page of each kind is asked
with them. What it searches for is asked of each model."""


class Watched(QueryDict):
    """A query that notes the names that are asked of it."""

    names: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.names.add(key)
        return str(super().__getitem__(key))

    def __contains__(self, key: object) -> bool:
        self.names.add(str(key))
        return super().__contains__(key)

    def getlist(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().getlist(key, default)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names that views have asked of their addresses."""

    def query(request: WSGIRequest) -> QueryDict:
        found: QueryDict = request.__dict__.setdefault(
            "_watched", Watched(request.META["QUERY_STRING"])
        )
        return found

    found: set[str] = set()
    monkeypatch.setattr(Watched, "names", found)
    monkeypatch.setattr(WSGIRequest, "GET", property(query))
    return found


def breaks(browser: Client, path: str, query: dict[str, str]) -> bool:
    """Whether it is answered with an error of the server; what that did to the database is taken
    back."""
    with transaction.atomic():
        status = browser.get(path, query).status_code
        if status >= 500:
            transaction.set_rollback(True)
    return status >= 500


def kind_of(pattern: str) -> str:
    """What an admin page does to its model, whichever that is; another page is of its own kind."""
    return re.sub(r"^admin/\w+/\w+/", "admin/", pattern)


def odd_queries(names: set[str], known: set[str]) -> Iterator[dict[str, str]]:
    """Each odd value for each name but those that are known, also for names that are only asked
    for on the way."""
    done = set(known)
    while left := names - done:
        for name in sorted(left):
            done.add(name)
            yield from ({name: odd} for odd in ODD)


def test_no_page_breaks_of_an_odd_address(names: set[str]) -> None:
    filled = fill(1)
    browser = signed_in(filled.user)
    browser.raise_request_exception = False
    broken, asked, kinds = [], 0, set[str]()
    for pattern in sorted(set(patterns())):
        path, missing = next(paths_of(pattern, filled))
        path = path.partition("?")[0]
        names.clear()
        if missing or browser.get(path).status_code == 405:
            continue
        known = BY_DJANGO if kind_of(pattern) in kinds else set[str]()
        kinds.add(kind_of(pattern))
        for query in odd_queries(names, known):
            asked += 1
            if breaks(browser, path, query):
                broken.append((path, query))
    assert not broken
    assert asked > 100
    tell("odd addresses", f"{asked} of them, none broke a page")


def test_an_odd_project_breaks_no_way_back_to_the_queue() -> None:
    user = make_user("ada", project=make_project("etl"))
    job = make_job(project=user.memberships.get().project, held=True)
    answer = signed_in(user).post(f"/queue/{job.pk}/release", {"project": "\0"})
    assert answer.status_code == 302
    job.refresh_from_db()
    assert not job.held
