"""The rules for single values that only job specs have; see projects/rules.py for the rest."""

from __future__ import annotations

import math
import re

from jobs.reasons import RETRYABLE
from projects.rules import one_line

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
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


def name(value: str) -> str:
    """A job's name: one line that shows something, without blanks around it."""
    if not value.strip():
        raise ValueError("Give it a name; blanks alone are none.")
    if value != value.strip():
        raise ValueError("Remove the blanks around it.")
    return one_line(value)


def env_name(value: str) -> str:
    """The name of an environment variable."""
    if len(value) > 255 or not _ENV_NAME.fullmatch(value):
        raise ValueError("Begin with a letter or _, then letters, digits, _, . or -; at most 255.")
    return value


def user(value: str) -> str:
    """Whom the program runs as; empty is the image's own choice."""
    if value and not _USER.fullmatch(value):
        raise ValueError("Use a user name or number, with :group if wanted.")
    return value


def retry_on(value: object) -> object:
    """An exit code, or a reason that may be retried (jobs/reasons.py)."""
    if isinstance(value, str):
        if value not in RETRYABLE:
            raise ValueError(f"Use exit codes or one of: {', '.join(sorted(RETRYABLE))}.")
    elif type(value) is not int or not 1 <= value <= 255:
        raise ValueError("Use an exit code from 1 to 255, or a reason.")
    return value


def is_number(value: str) -> bool:
    """Whether a label's value says a number that others can be held against."""
    try:
        return "_" not in value and math.isfinite(float(value))
    except ValueError:
        return False


def image_reference(value: str) -> str:
    """An image's name as a registry understands it."""
    if not _IMAGE.fullmatch(value):
        raise ValueError(
            "Not an image reference: write name, name:tag, host/name:tag or name@sha256:…, "
            "the name in lower case."
        )
    return value
