"""What a search takes for a pattern, what it finds where, and which lines tell of errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs.log.assembly import LINE_BYTES, Assembly
from jobs.log.frames import Piece
from jobs.log.levels import ERROR, WARNING
from jobs.log.pattern import (
    EXPRESSION_BYTES,
    MOST_PLACES,
    BadPattern,
    LogPattern,
    typed_pattern,
)
from jobs.log.shown import shown
from providers.driver import LogFrame, Stream
from tests.support.log_levels import LEVELS


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        ("plain", "plain"),
        ("10%\r50%\r100%\r", "100%"),
        ("\r", ""),
        ("a\rb", "b"),
        ("\x1b[1;31mred\x1b[0m end", "red end"),
        ("\x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b(Bset \x1b=mode \x1b[2Jgone", "set mode gone"),
        ("bell \x07 stays", "bell \x07 stays"),
    ],
)
def test_a_line_is_searched_as_it_is_shown(stored: str, seen: str) -> None:
    assert shown(stored) == seen


@pytest.mark.parametrize(
    ("typed", "case", "text", "places"),
    [
        ("b.", False, "aB. b. ab", [1, 3, 4, 6]),
        ("b.", True, "aB. b.", [4, 6]),
        ("/b./", False, "aB. bc", [1, 3, 4, 6]),
        ("/B./i", True, "ab.", [1, 3]),
        ("/^$/", False, "", []),
        ("/^$/", False, "x", None),
        ("/usr/bin", False, "in /usr/bin/env", [3, 11]),
        ("ä", False, "Ä ä", [0, 1, 2, 3]),
        ("x", False, "\U0001f600 x é x", [3, 4, 7, 8]),
        ("none", False, "nothing", None),
    ],
)
def test_places_are_counted_as_a_browser_counts(
    typed: str, case: bool, text: str, places: list[int] | None
) -> None:
    assert typed_pattern(typed, match_case=case).places(text) == places


@pytest.mark.parametrize("typed", ["", "/(/", "/a{2/(?=b)/", "/(?=b)/", "x" * 401])
def test_what_is_no_pattern_is_told_in_words(typed: str) -> None:
    with pytest.raises(BadPattern, match=r"\w+"):
        typed_pattern(typed, match_case=False)


def test_an_expression_that_others_choke_on_finds_its_end() -> None:
    assert LogPattern("/(a+)+$/").places("a" * 4000 + "b") is None
    assert LogPattern("/(x+x+)+y/").places("x" * LINE_BYTES) is None


@pytest.mark.parametrize(
    "typed",
    [
        "/.*(?:[a-p].{0,985}[Q-S]|[b-q].{0,985}[R-T]|[c-r].{0,985}[S-U]|[d-s].{0,985}[T-V])|/",
        "/" + ".{0,990}" * 7 + "Z/",
        "/.*(?:[a-p].{0,750}[Q-S]|[b-p].{0,750}[Q-S])|/",
    ],
)
def test_an_expression_that_costs_too_much_for_each_byte_is_refused(typed: str) -> None:
    with pytest.raises(BadPattern, match="too large an expression"):
        typed_pattern(typed, match_case=False)


class CountedMatches:
    """A compiled expression that counts how often its engine was asked."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.programsize = compiled.programsize
        self.asked = 0

    def finditer(self, text: str | bytes) -> Iterator[Any]:
        for match in self._compiled.finditer(text):
            self.asked += 1
            yield match


@pytest.mark.parametrize(
    ("typed", "most", "places"),
    [
        ("/Q*/", MOST_PLACES, []),
        ("/Q*|a/", MOST_PLACES, []),
        ("/a/", MOST_PLACES, [at for n in range(MOST_PLACES) for at in (n, n + 1)]),
        ("a", MOST_PLACES, [at for n in range(MOST_PLACES) for at in (n, n + 1)]),
        ("/a.{0,400}Q|a/", 2, [0, 1, 1, 2]),
    ],
)
def test_a_line_has_the_engine_asked_so_often_also_where_it_matches_nothing(
    typed: str, most: int, places: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = typed_pattern(typed, match_case=True)
    counted = CountedMatches(pattern._compiled)
    monkeypatch.setattr(pattern, "_compiled", counted)
    assert pattern.places("a" * LINE_BYTES) == places
    assert counted.asked <= most


def test_an_expression_is_looked_for_in_the_beginning_of_a_line_and_text_in_all_of_it() -> None:
    line = "é" * (EXPRESSION_BYTES // 2 - 1) + " x" + "é" * EXPRESSION_BYTES + " late"
    assert typed_pattern("/x/", match_case=False).places(line) is not None
    assert typed_pattern("/late/", match_case=False).places(line) is None
    assert typed_pattern("late", match_case=False).places(line) is not None


@pytest.mark.parametrize(("line", "level"), LEVELS)
def test_the_level_of_a_line(line: str, level: str) -> None:
    text = shown(line)
    is_error = LogPattern(f"/{ERROR}/", match_case=True).places(text) is not None
    is_warning = LogPattern(f"/{WARNING}/", match_case=True).places(text) is not None
    assert ("bad" if is_error else "wrn" if is_warning else "") == level


def piece(line: int, data: bytes, stream: Stream = Stream.STDOUT, *, starts: bool = True) -> Piece:
    return Piece(line, LogFrame(stream, 1, data, starts, data.endswith(b"\n")))


def ripe(assembly: Assembly) -> list[tuple[int, str]]:
    return [(line.number, line.text()) for line in assembly.ripe()]


def test_lines_are_given_whole_and_in_their_order() -> None:
    assembly = Assembly(1)
    assembly.take([piece(1, b"one, "), piece(2, b"two\n", Stream.STDERR)])
    assert ripe(assembly) == []
    assembly.take([piece(1, b"whole\n", starts=False), piece(3, b"three\n")])
    assert ripe(assembly) == [(1, "one, whole"), (2, "two"), (3, "three")]
    assert assembly.next_line == 4


def test_a_prompt_that_waits_does_not_hold_up_the_rest() -> None:
    assembly = Assembly(1)
    assembly.take([piece(1, b"ready> ")])
    for number in range(2, 400):
        assembly.take([piece(number, b"x" * 1000 + b"\n", Stream.STDERR)])
    assert ripe(assembly)[0] == (1, "ready> ")
    assembly.take([piece(1, b"late\n", starts=False), piece(400, b"end\n")])
    assert ripe(assembly) == [(400, "end")]


def test_what_began_before_the_first_line_is_passed_over() -> None:
    assembly = Assembly(7)
    assembly.take([piece(6, b"six\n"), piece(5, b"rest\n", starts=False), piece(7, b"seven\n")])
    assert ripe(assembly) == [(7, "seven")]
