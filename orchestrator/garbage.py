"""The cost of Python's cycle collector in processes that live long.

What was loaded at the start stays for good, so looking through it again and again finds
nothing: without this a third of a web request's processor time is the collector's.
"""

from __future__ import annotations

import gc

YOUNGEST = 10_000
"""New objects between two looks at the youngest generation; Python's 700 is a small script's."""


def settle() -> None:
    """Call it when a process has loaded what it needs: that is left out of all later looks."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNGEST, *gc.get_threshold()[1:])
