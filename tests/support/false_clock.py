"""A false clock for a program: Debian's libfaketime, loaded before its own libraries.

It shifts what C and Python programs take for the time of day, and leaves their monotonic
clock alone. Go programs ask the kernel themselves, so an engine cannot be fooled by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.local import apt

PACKAGE = "libfaketime"
LIBRARY = "faketime/libfaketime.so.1"


def false_clock(seconds: float) -> Mapping[str, str]:
    """What a program's environment needs for a clock that is so far ahead (or behind)."""
    return {
        "LD_PRELOAD": str(_installed()),
        "FAKETIME": f"{seconds:+g}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",  # a killed program would leave its segment behind
        "NO_FAKE_STAT": "1",
    }


def _installed() -> Path:
    """The library; its Debian package is installed first if need be and we are root."""
    found = _found()
    if found is None and apt.can_install():
        apt.install([PACKAGE], print)
        found = _found()
    assert found, f"the tests need {PACKAGE}: sudo apt-get install {PACKAGE}"
    return found


def _found() -> Path | None:
    return next(Path("/usr/lib").glob(f"*/{LIBRARY}"), None)
