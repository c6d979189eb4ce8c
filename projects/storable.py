"""Words from outside (engines, registries, programs) made fit for a text or jsonb column.

Postgres takes neither U+0000 nor half of a surrogate pair, and an end that cannot be
written would be tried for ever. What is replaced or cut shows as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_CHARACTERS = 4000


def storable(words: str, most: int = MOST_CHARACTERS) -> str:
    """The words without what a column refuses, and at most so many characters of them."""
    clean = words.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    clean = clean.encode("utf-8", "replace").decode() if not clean.isascii() else clean
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def storable_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """A flat object whose texts are storable."""
    return {
        name: storable(value) if isinstance(value, str) else value for name, value in values.items()
    }
