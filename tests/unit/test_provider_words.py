"""What is told of a provider: its tests step by step, its outages, its load, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers.checks import steps_of
from providers.load_chart import area
from providers.models import EngineRequest, Provider
from providers.outages import outages
from providers.remedies import remedy

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
REACHED = {"name": "reach", "ok": True, "text": "docker 27.3"}
PULLED = {"name": "pull", "ok": True, "text": "busybox is there"}


def shown(status: str, *steps: Any, kind: str = "docker", message: str = "") -> list[str]:
    request = EngineRequest(
        kind="test", steps=list(steps), provider=Provider(name="node-1", kind=kind)
    )
    return [f"{step.name} {step.state}" for step in steps_of(request, status, message)]


def test_before_anything_is_done_every_step_is_to_come() -> None:
    names = ("reach", "version", "pull", "run", "log")
    assert shown("waiting") == [f"{name} to come" for name in names]


def test_the_step_after_those_that_are_done_is_under_way() -> None:
    assert shown("working", REACHED) == [
        "reach done", "version done", "pull under way", "run to come", "log to come",
    ]  # fmt: skip
    pulling = {"name": "pull", "ok": None, "text": "downloading"}
    assert shown("working", REACHED, pulling)[2:4] == ["pull under way", "run to come"]


def test_an_error_is_told_of_the_step_at_which_it_came_and_the_rest_was_not_tried() -> None:
    failed = {"name": "failed", "ok": False, "text": "no such image"}
    assert shown("failed", REACHED, failed) == [
        "reach done", "version done", "pull failed", "run not tried", "log not tried",
    ]  # fmt: skip
    assert shown("failed", REACHED, PULLED, failed)[3:] == ["run failed", "log not tried"]


def test_an_engine_that_is_not_reached_is_not_asked_for_more() -> None:
    away = {"name": "reach", "ok": False, "text": "connection refused"}
    assert shown("failed", away)[:2] == ["reach failed", "version not tried"]


def test_a_test_that_nobody_answered_failed_where_it_stood() -> None:
    request = EngineRequest(kind="test", steps=[], provider=Provider(kind="docker"))
    first = steps_of(request, "expired", "No engine process is running.")[0]
    assert (first.state, first.text) == ("failed", "No engine process is running.")
    assert "manage.py orchestrate" in first.advice
    pulling = {"name": "pull", "ok": None, "text": "downloading"}
    assert shown("expired", REACHED, pulling)[2:] == [
        "pull failed",
        "run not tried",
        "log not tried",
    ]


def test_where_images_mean_nothing_none_is_pulled() -> None:
    assert [step.partition(" ")[0] for step in shown("waiting", kind="process")] == [
        "reach", "version", "run", "log",
    ]  # fmt: skip


def test_what_does_not_read_as_a_step_is_left_out() -> None:
    assert shown("working", "nonsense", None, REACHED)[:2] == ["reach done", "version done"]


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("could not reach the Docker engine: Permission denied", "group"),
        ("could not reach the Docker engine: No such file or directory", "no such socket"),
        ("could not reach the Docker engine: Connection refused", "nothing listens"),
        ("could not reach the Docker engine: the engine did not answer in time", "firewall"),
        ("could not reach the Docker engine: certificate verify failed", "CA"),
        ("Docker 19.03 is older than 20.10, the oldest that Gantry knows", "Upgrade"),
    ],
)
def test_the_usual_causes_have_their_advice(words: str, advice: str) -> None:
    assert advice in remedy(words)


def test_an_unknown_cause_has_the_advice_of_its_step() -> None:
    assert "tcp://a:1" in remedy("odd", options={"base_url": "tcp://a:1"})
    assert "log driver" in remedy("odd", step="log")


@dataclass(frozen=True)
class Change:
    at: datetime
    target: str
    detail: Any


def test_an_outage_lasts_until_the_next_change_and_the_newest_may_last_still() -> None:
    def change(minutes: int, target: str, words: str = "") -> Change:
        return Change(NOW - timedelta(minutes=minutes), target, {"message": words})

    newest_first = [
        change(2, "unreachable", "cut"),
        change(30, "healthy"),
        change(44, "degraded", "old"),
        change(50, "unreachable", "reset"),
        change(90, "healthy"),
    ]
    found = [(o.health, o.seconds, o.message) for o in outages(newest_first)]
    assert found == [
        ("unreachable", None, "cut"), ("degraded", 840.0, "old"), ("unreachable", 360.0, "reset"),
    ]  # fmt: skip


def test_an_area_has_a_gap_where_nothing_is_known() -> None:
    assert area([0.5, None, 1.0, 1.0]) == "M0 100V50.0H240V100M480 100V0.0H720V0.0H960V100"
    assert area([None, None]) == ""
