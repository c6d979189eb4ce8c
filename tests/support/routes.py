"""Every address of the instance, as the URLconf has it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver


def patterns(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """Every pattern of the instance as it is written, regular expressions made plain."""
    for entry in (resolver or get_resolver()).url_patterns:
        here = prefix + _plain(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from patterns(entry, here)
        else:
            assert isinstance(entry, URLPattern)
            yield here


def _plain(pattern: str) -> str:
    """`^(?P<x>…)/$` as `<x>/`."""
    return re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", pattern).removeprefix("^").removesuffix("$")
