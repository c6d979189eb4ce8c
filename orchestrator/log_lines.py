"""What the processes' own log lines tell beside their words: the request that they are about."""

from __future__ import annotations

import logging
from contextvars import ContextVar

request_number: ContextVar[str] = ContextVar("request_number", default="")
"""Of the request at work here: what its error page shows and an operator looks for."""


class RequestNumber(logging.Filter):
    """Gives every line the number of its request; a refusal is one line, without its ways."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let all of them pass."""
        number = request_number.get()
        record.number = f" (request {number})" if number else ""
        if record.name == "django.request" and record.levelno < logging.ERROR:
            record.exc_info = None  # nothing broke: somebody was told no
        return True
