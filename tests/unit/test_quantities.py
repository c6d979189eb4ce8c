"""Numbers as people read them."""

from __future__ import annotations

import pytest

from projects.quantities import age_text, bytes_text, cores_text, duration_text, memory_text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3.0, "0.0 s"),
        (-3, "0 s"),
        (3, "3 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (401, "6 min 41 s"),
        (3600, "1 h"),
        (3720, "1 h 2 min"),
        (86_400 * 3 + 3600 * 4, "3 d 4 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (59.4, "59 s"), (60, "1 min"), (7300, "2 h"), (2e5, "2 d")]
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert age_text(seconds) == words


def test_memory_turns_to_gib_at_one_gib() -> None:
    assert [memory_text(n) for n in (512, 1023, 1024, 11469)] == [
        "512 MiB", "1023 MiB", "1 GiB", "11.2 GiB",
    ]  # fmt: skip


def test_bytes_are_told_in_powers_of_a_thousand() -> None:
    assert [bytes_text(n) for n in (0, 999, 284_000, 3_100_000_000, 412e9, 999.6e9)] == [
        "0 B", "999 B", "284 kB", "3.1 GB", "412 GB", "1 TB",
    ]  # fmt: skip


def test_cores_lose_their_trailing_zeros() -> None:
    assert [cores_text(n) for n in (250, 1000, 1500, 16_000)] == ["0.25", "1", "1.5", "16"]
