"""What a line is searched for: plain text, or a regular expression between slashes. Pure.

RE2 needs time linear in the text whatever the expression, so that nobody can keep a web
process busy with `(a+)+$`; and its memory is bounded.
"""

from __future__ import annotations

import re

import re2

MOST_CHARACTERS = 400
MOST_PLACES = 20
"""So many places are marked in one line."""
_MEMORY = 2 * 2**20
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
        # Most lines have no such text, which Python finds out many times faster.
        self._needle = "" if expression or not text.isascii() else self._folded(text)

    def places(self, text: str) -> list[int] | None:
        """Where it is in the text: begin, end, begin, end, … counted as a browser counts
        (in UTF-16). None where it is not; empty where it matches nothing at a place."""
        if self._needle not in self._folded(text):
            return None
        found: list[int] = []
        matches = False
        for match in self._compiled.finditer(text.encode() if text.isascii() else text):
            matches = True
            if match.end() > match.start():
                found += match.span()
            if len(found) >= 2 * MOST_PLACES:
                break
        if not matches:
            return None
        if not text.isascii() and max(text) > "\uffff":
            return [len(text[:at].encode("utf-16-le")) // 2 for at in found]
        return found

    def _folded(self, text: str) -> str:
        return text if self._match_case else text.lower()


def _words(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
