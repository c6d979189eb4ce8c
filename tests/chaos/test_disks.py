"""A short run of a full data folder; `make chaos` runs the long ones, and that of the archive."""

from __future__ import annotations

import pytest

from tests.chaos.campaign import Trial
from tests.chaos.scenarios.disks import data_folder_full

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.usefixtures("chaos_ground")]


def test_a_data_folder_without_room_loses_no_job_and_is_used_again_when_there_is_some() -> None:
    verdict = data_folder_full(Trial("whole.data-folder-full", 1, 1), seconds=4, jobs=5)
    assert verdict.broken == []
    assert verdict.figures["jobs"] == 6
