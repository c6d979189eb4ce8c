"""The ratios that a run is held against, so that speed once reached is not lost unseen.

`baseline.json` names each with its value, whether `more` or `less` of it is better, and the
margin that a shared machine's noise is given. A run fails where its whole interval lies beyond.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.intervals import Estimate

KEPT = Path(__file__).parent / "baseline.json"


def compared(found: Mapping[str, Estimate], kept: Path = KEPT) -> set[str]:
    """The names of those that are kept."""
    return found.keys() & _read(kept).keys()


def worse(found: Mapping[str, Estimate], kept: Path = KEPT) -> Iterator[str]:
    """A line for each ratio that is worse than the one that is kept, beyond its margin."""
    for name, entry in _read(kept).items():
        one = found.get(name)
        if one is None:
            continue
        value, margin = entry["value"], entry["margin"]
        bound = value - margin if entry["better"] == "more" else value + margin
        if (one.high < bound) if entry["better"] == "more" else (one.low > bound):
            told = f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"
            yield f"{name}: {told} is worse than {value:.2f} by more than {margin:.2f}"


def keep(found: Mapping[str, Estimate], kept: Path = KEPT) -> None:
    """Make these the values that later runs are held against; of ratios that are named there."""
    entries = _read(kept)
    for name, entry in entries.items():
        if name in found:
            entry["value"] = round(found[name].value, 3)
    kept.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")


def _read(kept: Path) -> dict[str, Any]:
    return dict(json.loads(kept.read_text()))
