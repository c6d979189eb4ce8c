"""What a test has measured, said beside its verdict: a busy machine would fail thresholds."""

from __future__ import annotations

from collections.abc import Sequence


def tell(check: str, what: str) -> None:
    """Print a figure under the name of its acceptance check."""
    print(f"\n{check}: {what}")  # noqa: T201


def p95(values: Sequence[float]) -> float:
    """The value that one in twenty exceeds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)) - 1 if len(ordered) > 1 else 0)]
