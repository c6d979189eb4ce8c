"""Log bytes as a browser gets them: hostile bytes become harmless text, whole characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.log.frames import Piece
from jobs.log.text import ENDS, STARTS, STDERR, LogText
from providers.driver import LogFrame, Stream


def piece(data: bytes, line: int = 1, *, starts: bool = True, err: bool = False) -> Piece:
    stream = Stream.STDERR if err else Stream.STDOUT
    return Piece(line, LogFrame(stream, 5_000_000, data, starts, data.endswith(b"\n")))


def test_a_row_has_number_flags_time_and_text_without_the_newline() -> None:
    rows = LogText().rows([piece(b"hello\n"), piece(b"oops", 2, err=True)])
    assert rows == [(1, STARTS | ENDS, 5, "hello"), (2, STDERR | STARTS, 5, "oops")]


@given(st.text(alphabet=st.characters(exclude_characters="\n", codec="utf-8")), st.data())
def test_a_character_cut_by_a_border_is_whole_again(text: str, data: st.DataObject) -> None:
    encoded = text.encode() + b"\n"
    cut = data.draw(st.integers(0, len(encoded) - 1))
    pieces = [piece(encoded[:cut]), piece(encoded[cut:], starts=False)]
    assert "".join(row[3] for row in LogText().rows(pieces)) == text


def test_the_two_streams_are_decoded_apart() -> None:
    euro = "€".encode()
    pieces = [
        piece(euro[:1]),
        piece(b"x\n", 2, err=True),
        piece(euro[1:] + b"\n", starts=False),
    ]
    assert [row[3] for row in LogText().rows(pieces)] == ["", "x", "€"]


@given(st.binary())
def test_any_bytes_give_text(noise: bytes) -> None:
    data = noise.replace(b"\n", b"") + b"\n"
    ((_, _, _, text),) = LogText().rows([piece(data)])
    assert text == data[:-1].decode("utf-8", "replace")


def test_half_a_character_of_a_broken_off_line_does_not_spoil_the_next() -> None:
    rows = LogText().rows([piece("é".encode()[:1]), piece(b"clean\n", 2)])
    assert rows[1][3] == "clean"
