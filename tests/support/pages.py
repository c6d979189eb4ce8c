"""Reading a page in tests: its text as a person sees it, and its elements by id."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

_UNSEEN = {"script", "style", "title", "noscript"}


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)


def words_of(response: Any) -> str:
    """The text of a response without its markup, blanks drawn together."""
    parser = _Words()
    parser.feed(response.content.decode())
    return re.sub(r"\s+", " ", "".join(parser.words)).strip()


def title_of(response: Any) -> str:
    """The document's title."""
    found = re.search(r"<title>(.*?)</title>", response.content.decode(), re.S)
    assert found is not None, "the page has no title"
    return html.unescape(found[1].strip())


def signed_in(user: User) -> Client:
    """A browser in which this person has signed in."""
    client = Client()
    client.force_login(user)
    return client
