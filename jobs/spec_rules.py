"""The rules for single values of a job spec: each returns the value or raises ValueError
with what to do. Most are pydantic's `AfterValidator`s, so the value is a string already."""

from __future__ import annotations

import re
from collections.abc import Callable

from jobs.reasons import RETRYABLE

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)
_LABEL_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?", re.ASCII)

# The grammar of image references as the container engines have it: an optional registry
# host, a lower-case path, an optional tag, an optional digest.
_HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PATH_PART}(?:/{_PATH_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


def at_most_bytes(limit: int) -> Callable[[str], str]:
    """A rule: the text in UTF-8 has at most `limit` bytes."""

    def rule(value: str) -> str:
        if len(value.encode()) > limit:
            raise ValueError(f"Too long: at most {limit // 1024} KiB.")
        return value

    return rule


def one_line(value: str) -> str:
    """Text without control characters."""
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in value):
        raise ValueError("Remove the control characters; keep it on one line.")
    return value


def name(value: str) -> str:
    """A job's name: one line that shows something, without blanks around it."""
    if not value.strip():
        raise ValueError("Give it a name; blanks alone are none.")
    if value != value.strip():
        raise ValueError("Remove the blanks around it.")
    return one_line(value)


def slug(value: str) -> str:
    """The short name of a project or provider."""
    if not _SLUG.fullmatch(value):
        raise ValueError("Use 1 to 63 letters, digits, - or _.")
    return value


def env_name(value: str) -> str:
    """The name of an environment variable."""
    if len(value) > 255 or not _ENV_NAME.fullmatch(value):
        raise ValueError("Begin with a letter or _, then letters, digits, _, . or -; at most 255.")
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


def user(value: str) -> str:
    """Whom the program runs as; empty is the image's own choice."""
    if value and not _USER.fullmatch(value):
        raise ValueError("Use a user name or number, with :group if wanted.")
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


def retry_on(value: object) -> object:
    """An exit code, or a reason that may be retried (jobs/reasons.py)."""
    if isinstance(value, str):
        if value not in RETRYABLE:
            raise ValueError(f"Use exit codes or one of: {', '.join(sorted(RETRYABLE))}.")
    elif type(value) is not int or not 1 <= value <= 255:
        raise ValueError("Use an exit code from 1 to 255, or a reason.")
    return value


def image_reference(value: str) -> str:
    """An image's name as a registry understands it."""
    if not _IMAGE.fullmatch(value):
        raise ValueError(
            "Not an image reference: write name, name:tag, host/name:tag or name@sha256:…, "
            "the name in lower case."
        )
    return value
