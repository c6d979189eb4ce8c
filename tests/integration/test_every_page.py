"""Every page of the URLconf opens, and asks the database as often however many rows there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.every_page import Address, UnknownRoute, every_page
from tests.support.figures import tell
from tests.support.filled import Filled, fill, grow
from tests.support.pages import signed_in

pytestmark = pytest.mark.django_db

FEW, TIMES = 3, 4


def test_check_27_no_page_asks_more_often_where_there_is_four_times_as_much() -> None:
    filled = fill(FEW)
    pages = every_page(filled)
    few = queries(filled, pages)
    grow(filled, (TIMES - 1) * FEW)
    many = queries(filled, pages)
    more = {path: (few[path], many[path]) for path in few if many[path] > few[path]}
    assert not more, f"queries with few rows, and with {TIMES} times as many: {more}"
    most = sorted(many.items(), key=lambda one: -one[1])[:3]
    tell("check 27", f"{len(many)} pages and regions; most queries: {most}")


def queries(filled: Filled, pages: list[Address]) -> dict[str, int]:
    """How many each page takes, once what is remembered between requests is."""
    browsers = {
        (True, False): signed_in(filled.user),
        (True, True): signed_in(filled.viewer),
        (False, False): Client(),
    }
    found = {}
    for page in pages:
        browser = browsers[page.signed_in, page.as_viewer]
        browser.get(page.path)
        with CaptureQueriesContext(connection) as captured:
            browser.get(page.path)
        found[page.path] = len(captured)
    return found


@pytest.mark.parametrize("pattern", ["brand-new/<int:thing_id>", "brand-new"])
def test_a_new_route_that_nobody_can_open_is_named(
    monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    """One with a parameter that is not known here, and one that answers 404."""
    monkeypatch.setattr("tests.support.every_page.patterns", lambda: [pattern])
    with pytest.raises(UnknownRoute, match="brand-new"):
        every_page(fill(1))
