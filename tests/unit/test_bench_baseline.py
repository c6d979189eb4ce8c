"""What `make bench` makes of ratios that are worse than those that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.baseline import KEPT, keep, worse
from benchmarks.intervals import Estimate


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    file = tmp_path / "kept.json"
    entries = {
        "rate": {"value": 0.9, "better": "more", "margin": 0.1},
        "added": {"value": 0.2, "better": "less", "margin": 0.1},
    }
    file.write_text(json.dumps(entries))
    return file


@pytest.mark.parametrize(
    ("name", "low", "high", "told"),
    [
        ("rate", 0.7, 0.79, True),
        ("rate", 0.7, 0.81, False),  # perhaps it is not worse
        ("rate", 1.2, 1.3, False),
        ("added", 0.31, 0.4, True),
        ("added", 0.29, 0.4, False),
        ("added", 0.0, 0.1, False),
        ("not kept", 0.0, 0.0, False),
    ],
)
def test_only_what_lies_wholly_beyond_the_margin_is_worse(
    kept: Path, name: str, low: float, high: float, told: bool
) -> None:
    found = {name: Estimate((low + high) / 2, low, high)}
    assert bool(list(worse(found, kept))) is told


def test_a_run_that_is_kept_is_what_the_next_one_is_held_against(kept: Path) -> None:
    keep({"rate": Estimate(0.5, 0.4, 0.6), "new": Estimate(1, 1, 1)}, kept)
    entries = json.loads(kept.read_text())
    assert entries["rate"] == {"value": 0.5, "better": "more", "margin": 0.1}
    assert entries["added"]["value"] == 0.2
    assert set(entries) == {"rate", "added"}


def test_the_kept_ratios_can_be_read() -> None:
    for entry in json.loads(KEPT.read_text()).values():
        assert entry["better"] in ("more", "less")
        assert 0 < entry["margin"] <= 0.5 * max(1, entry["value"])
