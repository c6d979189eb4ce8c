"""A short run of the database campaign: restarts, and commits whose replies are lost."""

from __future__ import annotations

import pytest

from tests.chaos.campaign import Trial
from tests.chaos.scenarios.database import lose_replies, restart

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.usefixtures("chaos_ground")]


def test_a_postgres_that_restarts_under_running_jobs_loses_and_doubles_nothing() -> None:
    verdict = restart(Trial("database.restart", 0, 1), restarts=2)
    assert verdict.broken == []
    assert verdict.figures["jobs"] == 10


def test_commits_whose_replies_are_lost_are_neither_lost_nor_doubled() -> None:
    verdict = lose_replies(Trial("database.lost-replies", 0, 1), replies=3)
    assert verdict.broken == []
    assert verdict.figures["lost replies"] >= 3
