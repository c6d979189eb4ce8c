"""Searching a log on the server: all of it, exactly, a bounded stretch at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.log import search as log_search
from jobs.log.archive import archive_log
from jobs.models import Attempt
from providers.driver import LogFrame, Stream
from tests.support.attempts import make_attempt
from tests.support.log_rows import append
from tests.support.pages import signed_in
from tests.support.sessions import make_person

pytestmark = pytest.mark.django_db
OUT, ERR = Stream.STDOUT, Stream.STDERR
Asks = Callable[..., dict[str, Any]]


@pytest.fixture
def attempt() -> Attempt:
    return make_attempt(phase="ended")


@pytest.fixture
def client(attempt: Attempt) -> Client:
    return signed_in(make_person(attempt.job.project))


@pytest.fixture
def ask(attempt: Attempt, client: Client) -> Asks:
    """One question, as the page asks it: again and again until it is done."""

    def asked(**query: Any) -> dict[str, Any]:
        whole: dict[str, Any] = {"hits": [], "rows": [], "answers": 0}
        start = 1
        while True:
            address = f"/_/jobs/{attempt.job_id}/log/1/search"
            got = client.get(address, query | {"from": start}).json()
            if "problem" in got:
                return dict(got)
            known = {row[0] for row in whole["rows"]}
            whole["hits"] += got["hits"]
            whole["rows"] += [row for row in got["rows"] if row[0] not in known]
            whole["answers"] += 1
            whole["stderr"] = got["stderr"]
            if got["done"]:
                return whole
            assert got["next"] > start, "a stretch that brings nothing goes on for ever"
            start = got["next"]

    return asked


def frame(data: bytes, stream: Stream = OUT) -> LogFrame:
    return LogFrame(stream, 10**18, data, True, data.endswith(b"\n"))


def write(attempt: Attempt, *texts: bytes, stream: Stream = OUT) -> None:
    append(attempt, [frame(text, stream) for text in texts])


def numbers(answer: dict[str, Any]) -> list[int]:
    return [hit[0] for hit in answer["hits"]]


def test_every_matching_line_is_found_with_its_places(attempt: Attempt, ask: Asks) -> None:
    texts = [b"copy eu-west %d\n" % n if n % 3 else b"read us-east %d\n" % n for n in range(1, 91)]
    write(attempt, *texts)
    answer = ask(q="EU-West")
    expected = [n for n, text in enumerate(texts, 1) if re.search(b"eu-west", text)]
    assert numbers(answer) == expected
    assert answer["hits"][0] == [1, 5, 12]
    assert numbers(ask(q="EU-West", case=1)) == []
    assert numbers(ask(q="/east [12]?5$/")) == [15]


def test_many_small_stretches_find_the_same_as_one(
    attempt: Attempt, ask: Asks, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [b"line %d %s\n" % (n, b"x" * 200) for n in range(1, 2001)]
    write(attempt, *texts)
    archive_log(attempt.pk)
    whole = ask(q="/line \\d*7 /", context=1)
    assert numbers(whole) == [n for n in range(1, 2001) if n % 10 == 7]
    monkeypatch.setattr(log_search, "MOST_HITS", 7)
    parts = ask(q="/line \\d*7 /", context=1)
    assert parts["answers"] > 20
    assert parts["hits"] == whole["hits"]
    assert [row[0] for row in parts["rows"]] == [row[0] for row in whole["rows"]]


def test_a_stretch_that_has_no_time_left_still_goes_on(
    attempt: Attempt, ask: Asks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "SECONDS", 0.0)
    write(attempt, *(b"line %d\n" % n for n in range(1, 31)))
    answer = ask(q="line", context=1)
    assert numbers(answer) == list(range(1, 31))
    assert [row[0] for row in answer["rows"]] == list(range(1, 31))


def test_context_is_three_lines_before_and_after_each_once(attempt: Attempt, ask: Asks) -> None:
    write(attempt, *(b"line %d\n" % n for n in range(1, 41)))
    answer = ask(q="/line (10|14|30)$/", context=1)
    assert [row[0] for row in answer["rows"]] == [*range(7, 18), *range(27, 34)]
    assert answer["rows"][0] == [7, 6, 10**12, "line 7"]


def test_one_stream_alone_can_be_searched(attempt: Attempt, ask: Asks) -> None:
    write(attempt, b"one\n", b"two\n")
    write(attempt, b"one on stderr\n", b"more\n", stream=ERR)
    write(attempt, b"one again\n")
    assert numbers(ask(q="one")) == [1, 3, 5]
    assert numbers(ask(q="one", stream="stderr")) == [3]
    assert ask(q="one")["stderr"] == 4


def test_a_line_that_came_in_pieces_is_one_line(attempt: Attempt, ask: Asks) -> None:
    append(attempt, [LogFrame(OUT, 1, b"begun and ", True, False), frame(b"other\n", ERR)])
    row = Attempt.objects.get(pk=attempt.pk)
    assert row.log_lines == 2
    assert numbers(ask(q="begun and")) == [1]
    assert numbers(ask(q="/and $/")) == [1]


def test_an_enormous_line_costs_no_more_than_its_beginning(attempt: Attempt, ask: Asks) -> None:
    write(attempt, b"needle" + b"y" * 3_000_000 + b"needle\n", b"needle\n")
    began = time.monotonic()
    assert numbers(ask(q="needle")) == [1, 2]
    assert time.monotonic() - began < 10


def test_errors_are_found_without_a_pattern(attempt: Attempt, ask: Asks) -> None:
    write(attempt, b"fine\n", b"Traceback (most recent call last):\n", b"  File x\n")
    write(attempt, b"0 errors\n", b"ValueError: no\n", stream=ERR)
    answer = ask(errors=1)
    assert numbers(answer) == [2, 5]
    assert answer["stderr"] == 5


def test_what_is_no_pattern_is_told(ask: Asks, client: Client, attempt: Attempt) -> None:
    assert "missing )" in ask(q="/(/")["problem"]
    address = f"/_/jobs/{attempt.job_id}/log/1/search"
    assert client.get(address, {"q": "x", "from": "minus one"}).status_code == 400
    assert client.get(address.replace("/1/", "/2/"), {"q": "x"}).status_code == 404
