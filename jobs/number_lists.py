"""Lists of jobs by their numbers as people write them: `41-80,83`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

Run = tuple[int, int]
"""From one number to another, both among them."""
_MAX_ID = 2**63 - 1
_LIST = re.compile(r"\d{1,19}(?:-\d{1,19})?(?:,\d{1,19}(?:-\d{1,19})?)*", re.ASCII)


def read_numbers(text: str) -> list[Run] | None:
    """The runs of a list, in its order; None where it is none."""
    if not _LIST.fullmatch(text):
        return None
    ends = [(run[0], run[-1]) for run in (part.split("-") for part in text.split(","))]
    runs = [(int(low), int(high)) for low, high in ends]
    return runs if all(0 < low <= high <= _MAX_ID for low, high in runs) else None


def numbers_text(numbers: Iterable[int]) -> str:
    """These numbers as a list, drawn together where they follow one another."""
    listed = sorted(set(numbers))
    if not listed:
        return ""
    gaps = [(low, high) for low, high in pairwise(listed) if high > low + 1]
    lows, highs = [listed[0], *(high for _, high in gaps)], [*(low for low, _ in gaps), listed[-1]]
    return ",".join(
        str(low) if low == high else f"{low}-{high}" for low, high in zip(lows, highs, strict=True)
    )
