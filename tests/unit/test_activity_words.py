"""What an event says has changed."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.activity_words import Change, changes
from projects.models import Event


def event(kind: str = "provider", **columns: Any) -> Event:
    return Event(subject_kind=kind, subject_id=1, type=f"{kind}.x", **columns)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (event("job", source="pending", target="cancelled"), [("", "pending", "cancelled")]),
        (event("job", source="running", target="running", reason="cancelled"), []),
        (Event(subject_kind="job", type="job.submitted", target="pending"), []),
        (
            event("project", target="viewer", detail={"user": "bo"}),
            [("bo", "none", "viewer")],
        ),
        (event("project", source="admin", detail={"user": "bo"}), [("bo", "admin", "none")]),
        (
            event(detail={"fields": ["slots"], "changes": {"slots": [None, 3]}}),
            [("slots", "none", "3")],
        ),
        (
            event(detail={"fields": ["memory_mb", "options"], "changes": {"memory_mb": [64, 128]}}),
            [("memory mb", "64", "128"), ("options", "", "changed")],
        ),
        (event("job", detail={"changes": {"priority": [10, 90]}}), [("priority", "10", "90")]),
        (
            event("job", detail={"changes": {"provider": [None, "node-1"]}}),
            [("provider", "none", "node-1")],
        ),
        (event(detail={"fields": ["labels"]}), [("labels", "", "changed")]),
        (
            event(detail={"changes": {"labels": [{}, {"zone": "b"}]}}),
            [("labels", "{}", '{"zone": "b"}')],
        ),
        (event(detail={"kind": "docker"}), [("kind", "", "docker")]),
        (event("job", reason="exit_code", detail={"exit_code": 3}), []),
        (event(detail={"changes": "odd", "why": ""}), [("why", "", "none")]),
    ],
)
def test_a_change_is_told_from_what_to_what(told: Event, said: list[tuple[str, str, str]]) -> None:
    assert list(changes(told)) == [Change(*one) for one in said]


def test_what_is_very_long_is_cut_and_shows_it() -> None:
    (change,) = changes(event(detail={"message": "x" * 5000}))
    assert len(change.after) == 200
    assert change.after.endswith("…")
