"""Rules for single values: each returns the value, or raises ValueError with what to do.

Pydantic runs them as validators; unless the rule says otherwise the value is a string
already.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SLUG = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)
_TURNS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_LABEL_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?", re.ASCII)


def at_most_bytes(limit: int) -> Callable[[str], str]:
    """A rule: the text in UTF-8 has at most `limit` bytes."""

    def rule(value: str) -> str:
        if len(value.encode()) > limit:
            raise ValueError(f"Too long: at most {limit // 1024} KiB.")
        return value

    return rule


def one_line(value: str) -> str:
    """Text without control characters, those that turn the writing direction included."""
    if any(ord(char) < 32 or 127 <= ord(char) < 160 or char in _TURNS for char in value):
        raise ValueError("Remove the control characters; keep it on one line.")
    return value


def slug(value: str) -> str:
    """The short name of a project or provider."""
    if not _SLUG.fullmatch(value):
        raise ValueError("Use 1 to 63 letters, digits, - or _.")
    return value


def label_key(value: str) -> str:
    """A label's name; `gantry.` is ours."""
    if len(value) > 63 or not _LABEL_KEY.fullmatch(value):
        raise ValueError(
            "Use 1 to 63 letters, digits, _, ., / or -, a letter or digit at each end."
        )
    if value.startswith("gantry."):
        raise ValueError("Names that begin with gantry. are reserved; choose another.")
    return value


def absolute_path(value: str) -> str:
    """A path from the root in its normal form, so that what is compared is what is used.

    A colon is refused because engines separate source, target and options with it.
    """
    one_line(value)
    if len(value) > 1024:
        raise ValueError("Too long: at most 1024 characters.")
    if ":" in value:
        raise ValueError("Remove the colon.")
    if not value.startswith("/"):
        raise ValueError("Give an absolute path.")
    parts = value.split("/")[1:]
    if value != "/" and any(part in ("", ".", "..") for part in parts):
        raise ValueError("Write the path plainly: no '..', no '.', no double or last slash.")
    return value


def absolute_path_or_none(value: str) -> str:
    """A path as above, or the empty string for none."""
    return absolute_path(value) if value else value


def whole_number(value: object) -> object:
    """Exactly an integer: pydantic's literals would take true and 1.0 for 1."""
    if type(value) is not int:
        raise ValueError("Send a whole number.")
    return value
