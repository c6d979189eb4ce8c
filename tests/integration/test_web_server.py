"""What one HTTP client may do to the process that serves all of them, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead

import pytest
from django.conf import settings

from tests.support.answering import BEGUN, SECONDS, answering, asked
from tests.support.answers import PIECE, PIECES
from tests.support.waiting import wait_until

SOON_SECONDS = 8
"""Less than the server gives an application to end after its client has gone."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server listens, with an application that tries it."""
    with answering() as port:
        yield port


@pytest.mark.parametrize("path", ["/breaks", "/cut-off"])
def test_an_answer_that_breaks_off_is_cut_off_for_its_reader_each_time(
    port: int, path: str
) -> None:
    for _ in range(2):  # the first must not end what looks after the connections
        connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", path)
        with pytest.raises(IncompleteRead) as broken:
            connection.getresponse().read()
        assert broken.value.partial == BEGUN
        connection.close()


def test_an_answer_waits_for_its_reader_and_comes_whole(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    before = int(str(asked(port, "/counted")["sent"]))
    connection.request("GET", "/long")
    answer = connection.getresponse()
    assert answer.read(len(BEGUN)) == BEGUN
    sent = int(str(asked(port, "/counted")["sent"])) - before
    assert sent < PIECES / 2, "what nobody has read yet is kept in memory"
    assert len(answer.read()) == PIECE * PIECES
    connection.request("GET", "/counted")  # and the next one comes on the same connection
    assert json.loads(connection.getresponse().read().removeprefix(BEGUN))["under_way"] == 0
    connection.close()


def test_an_answer_that_waits_for_a_reader_ends_when_he_goes(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", "/long")
    answer = connection.getresponse()
    assert answer.read(len(BEGUN)) == BEGUN
    assert asked(port, "/counted")["under_way"] == 1
    answer.close()
    connection.close()
    wait_until(lambda: asked(port, "/counted")["under_way"] == 0, SOON_SECONDS, "it has ended")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_told_by_its_length_alone(port: int, chunked: bool) -> None:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def tell(size: int) -> dict[str, object]:
        body = bytes(size)
        if not chunked:
            return asked(port, "/told", body=body)
        return asked(port, "/told", body=iter([body]), encode_chunked=True, headers=CHUNKED)

    assert tell(most)["size"] == most
    assert tell(most + 1) == {"length": str(most + 1), "size": 0}


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
def test_a_form_is_left_to_the_application(port: int, kind: str) -> None:
    body = b"no part of a form"  # whoever takes it apart refuses it
    assert asked(port, "/told", body=body, headers={"Content-Type": kind})["size"] == len(body)


CHUNKED = {"Transfer-Encoding": "chunked"}
