"""Short runs of a sick engine: restarted, hung, full, and handled by people.
`make chaos` runs the long ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.chaos.campaign import Trial, Verdict
from tests.chaos.scenarios.by_hand import container_restarted, disk_full, provider_changed
from tests.chaos.scenarios.engine import hang, restart

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.usefixtures("chaos_ground")]

TRIAL = Trial("engine", 0, 1)
SHORT = {"query_seconds": 1.0, "log_idle_seconds": 1.0}


@pytest.mark.parametrize(
    "fault",
    [
        partial(restart, live_restore=False),
        partial(restart, live_restore=True),
        container_restarted,
        provider_changed,
        disk_full,
    ],
    ids=[
        "restarted",
        "restarted with live-restore",
        "container restarted by hand",
        "provider changed",
        "disk full",
    ],
)
def test_every_job_has_its_right_end_whatever_happens_to_its_engine(
    fault: Callable[[Trial], Verdict],
) -> None:
    assert fault(TRIAL).broken == []


def test_an_engine_that_hangs_ends_no_job_and_keeps_no_neighbour_waiting() -> None:
    verdict = hang(TRIAL, seconds=6, options=SHORT)
    assert verdict.broken == []
    assert verdict.figures["longest until noticed s"] < 20
