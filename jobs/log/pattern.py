"""What a line is searched for: plain text, or a regular expression between slashes. Pure.

RE2 needs time linear in the text whatever the expression, so that nobody can keep a web
process busy with `(a+)+$`. But it is linear for one match: the next one begins anew, and a
large expression costs each byte up to as many steps as it has instructions. So an expression
may be only so large, is looked for near the beginning of a line only, and ends its search
for more places when they have cost enough.
"""

from __future__ import annotations

import re

import re2

MOST_CHARACTERS = 400
MOST_PLACES = 20
"""So many places are marked in one line."""
EXPRESSION_BYTES = 4 * 1024
"""Of a longer line an expression sees the beginning, as if the line ended there."""
_MEMORY = 256 * 1024
_MOST_STEPS = 20_000_000
"""Instructions times bytes for one line: some quarter of a second where it is at its worst."""
_TOO_LARGE = "too large an expression: repeat less often, or less of it"
_SLASHES = re.compile(r"/(.+)/(i?)", re.S)


class BadPattern(ValueError):
    """It is no regular expression (yet); the text says in what way."""


def typed_pattern(text: str, *, match_case: bool) -> LogPattern:
    """The pattern that somebody typed. Raises BadPattern."""
    if not text:
        raise BadPattern("nothing to look for")
    if len(text) > MOST_CHARACTERS:
        raise BadPattern(f"longer than {MOST_CHARACTERS} characters")
    return LogPattern(text, match_case=match_case)


class LogPattern:
    """`needle`, or `/regex/` (`/regex/i` whatever the case). Raises BadPattern."""

    def __init__(self, text: str, *, match_case: bool = False) -> None:
        expression = _SLASHES.fullmatch(text)
        self._match_case = match_case and not (expression and expression[2])
        options = re2.Options()
        options.literal = expression is None
        options.case_sensitive = self._match_case
        options.max_mem = _MEMORY
        options.log_errors = False
        try:
            self._compiled = re2.compile(expression[1] if expression else text, options)
        except re2.error as error:
            raise BadPattern(_words(error)) from None
        self._is_expression = expression is not None
        # Plain text has no way to look far ahead for a short match.
        self._size = self._compiled.programsize if expression else 0
        if self._size * EXPRESSION_BYTES > _MOST_STEPS:
            raise BadPattern(_TOO_LARGE)
        # Most lines have no such text, which Python finds out many times faster.
        self._needle = "" if expression or not text.isascii() else self._folded(text)

    def places(self, text: str) -> list[int] | None:
        """Where it is in the text: begin, end, begin, end, … counted as a browser counts
        (in UTF-16). None where it is not; empty where it matches nothing at a place."""
        if self._needle not in self._folded(text):
            return None
        if self._is_expression:
            text = _beginning(text)
        found: list[int] = []
        matches = steps = 0
        for match in self._compiled.finditer(text.encode() if text.isascii() else text):
            matches += 1
            steps += self._size * (len(text) - match.start())
            if match.end() > match.start():
                found += match.span()
            # An empty match counts: the engine begins anew after it like after any other.
            if matches >= MOST_PLACES or steps >= _MOST_STEPS:
                break
        if not matches:
            return None
        if not text.isascii() and max(text) > "\uffff":
            return [len(text[:at].encode("utf-16-le")) // 2 for at in found]
        return found

    def _folded(self, text: str) -> str:
        return text if self._match_case else text.lower()


def _beginning(text: str) -> str:
    if len(text) <= EXPRESSION_BYTES // 4:
        return text
    return text.encode()[:EXPRESSION_BYTES].decode("utf-8", "ignore")


def _words(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    words = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    return _TOO_LARGE if "too large" in words else words
