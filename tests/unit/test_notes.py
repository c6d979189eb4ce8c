"""What recovery notes reads as a sentence, and has an event type of its own."""

from __future__ import annotations

import pytest

from jobs import notes
from jobs.notes import Note
from jobs.reasons import NOTES, reason_text

ONE_OF_EACH = [
    notes.adopted("host/1/ab", 7, "its program runs"),
    notes.late_start(),
    notes.former_stop("timeout", {"limit": "30 s"}),
    notes.not_seen("connection refused"),
    notes.seen_again(34.2),
    notes.log_gap("its container was gone"),
]


@pytest.mark.parametrize("note", ONE_OF_EACH, ids=lambda note: note.code)
def test_a_note_s_words_lack_nothing(note: Note) -> None:
    words = reason_text(note.code, note.detail)
    assert "–" not in words
    assert words[0].isupper()
    assert note.event == f"attempt.{note.code}"


def test_every_note_of_the_table_can_be_made() -> None:
    assert [note.code for note in ONE_OF_EACH] == [reason.code for reason in NOTES]


def test_a_gap_without_a_known_cause_still_says_something() -> None:
    assert "could not be read" in reason_text("log_gap", notes.log_gap("").detail)
