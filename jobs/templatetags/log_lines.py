"""What the log viewer must know beforehand: whose lines they are, which tell of trouble."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from jobs.log.levels import ERROR, WARNING
from jobs.models import Attempt

register = template.Library()


@register.simple_tag
def error_lines() -> str:
    """The pattern of a line that tells of an error, as a browser reads it too."""
    return ERROR


@register.simple_tag
def warning_lines() -> str:
    """The pattern of a line that warns."""
    return WARNING


@register.filter
def attempt_numbered(attempts: Iterable[Attempt], number: int) -> Attempt | None:
    """The one of that number, if it is there yet."""
    return next((attempt for attempt in attempts if attempt.number == number), None)
