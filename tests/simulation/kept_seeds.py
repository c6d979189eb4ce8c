"""Seeds that once broke something, each with what it found. They are run in every `make test`."""

from __future__ import annotations

KEPT: dict[int, str] = {}
