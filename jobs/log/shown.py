"""A stored line as the viewer shows it: what a search finds is what a reader sees. Pure.

The steps are those of `static/js/log-text.js`, so that a place in this text is the same
place on the page. Control characters stay: the page shows one sign for each.
"""

from __future__ import annotations

import re

# Titles, links and device strings; charsets and the like; colours and cursor moves.
_ESCAPES = re.compile(
    r"\x1b[PX^_\]][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b)|$)"
    r"|\x1b(?:[()*+\-./][ -~]?|[0-9=><A-OQ-WYZ\\a-z{|}~])"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
)


def shown(text: str) -> str:
    """The last state of a line that rewrites itself, without escape sequences."""
    if "\r" in text:
        text = text.removesuffix("\r").rpartition("\r")[2]
    return _ESCAPES.sub("", text) if "\x1b" in text else text
