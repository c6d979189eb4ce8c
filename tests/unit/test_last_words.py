"""The last lines of a failed job are plain text, whatever the program wrote."""

from __future__ import annotations

import pytest

from jobs.log.words import plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[31merror\x1b[0m: no", "error: no"),
        ("\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07", "click"),
        ("10 %\r50 %\r100 %", "100 %"),
        ("windows\r", "windows"),
        ("a\x00b\x07c\x7f", "abc"),
        ("tab\tstays", "tab\tstays"),
        ("<script>", "<script>"),
        ("\x1b", ""),
    ],
)
def test_escape_codes_and_controls_are_taken_out(written: str, shown: str) -> None:
    assert plain(written) == shown
