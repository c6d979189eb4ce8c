"""Every page of the URLconf opens, and asks the database as often however many rows there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.builders import look_at_providers
from tests.support.every_page import Address, UnknownRoute, every_page
from tests.support.figures import tell
from tests.support.filled import Filled, fill, grow
from tests.support.pages import signed_in

pytestmark = pytest.mark.django_db

FEW, TIMES = 2, 4


class Visits:
    """Opens pages, each as the person who sees it."""

    def __init__(self, filled: Filled) -> None:
        self._browsers = {
            (True, False): signed_in(filled.user),
            (True, True): signed_in(filled.viewer),
            (False, False): Client(),
        }

    def queries(self, page: Address) -> int:
        """How many one more visit takes."""
        look_at_providers()
        with CaptureQueriesContext(connection) as captured:
            self._browsers[page.signed_in, page.as_viewer].get(page.path)
        return len(captured)


def test_check_27_no_page_asks_more_often_where_there_is_four_times_as_much() -> None:
    filled = fill(FEW)
    pages = every_page(filled)
    visits, few = Visits(filled), {}
    for page in pages:
        visits.queries(page)  # what is remembered between requests is, from now on
        few[page.path] = visits.queries(page)
    grow(filled, (TIMES - 1) * FEW)
    many = {page.path: visits.queries(page) for page in pages}
    # What is not remembered any more only adds to it: those alone are asked once more.
    for page in pages:
        if many[page.path] > few[page.path]:
            many[page.path] = visits.queries(page)
    more = {path: (few[path], many[path]) for path in few if many[path] > few[path]}
    assert not more, f"queries with few rows, and with {TIMES} times as many: {more}"
    most = sorted(many.items(), key=lambda one: -one[1])[:3]
    tell("check 27", f"{len(many)} pages and regions; most queries: {most}")


@pytest.mark.parametrize("pattern", ["brand-new/<int:thing_id>", "brand-new"])
def test_a_new_route_that_nobody_can_open_is_named(
    monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    """One with a parameter that is not known here, and one that answers 404."""
    monkeypatch.setattr("tests.support.every_page.patterns", lambda: [pattern])
    with pytest.raises(UnknownRoute, match="brand-new"):
        every_page(fill(1))
