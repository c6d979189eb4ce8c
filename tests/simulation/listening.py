"""What the loop logs: an error is a mistake of the loop's, the rest is for a trace."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_logger = logging.getLogger("gantry.engine")


class _Ear(logging.Handler):
    def __init__(self, failed: Callable[[str], None], said: Callable[[str], None] | None) -> None:
        super().__init__(logging.ERROR if said is None else logging.DEBUG)
        self._failed = failed
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        sentence = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            sentence += f": {type(error).__name__}: {error}"
        if self._said is not None:
            self._said(f"    {record.levelname.lower()}: {sentence}")
        if record.levelno >= logging.ERROR:
            self._failed(sentence)


@contextmanager
def listening(
    failed: Callable[[str], None], said: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hear of every error that is logged, and with `said` of everything."""
    ear = _Ear(failed, said)
    level = logging.ERROR if said is None else logging.DEBUG
    before, propagated = _logger.level, _logger.propagate
    if before != level:
        _logger.setLevel(level)
    _logger.propagate = False
    _logger.addHandler(ear)
    try:
        yield
    finally:
        _logger.removeHandler(ear)
        _logger.propagate = propagated
        if before != level:
            _logger.setLevel(before)


@contextmanager
def quiet() -> Iterator[None]:
    """For many runs: only errors are logged, so that nothing else is put into words."""
    before = _logger.level
    _logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        _logger.setLevel(before)
