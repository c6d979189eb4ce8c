"""Every way in which a job can end, at once, against a real engine: what is stored is true,
and said in plain words. The table is in tests/e2e/endings/, docs/reasons.md shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.models import Attempt
from providers.models import Provider
from tests.e2e.endings import CASES
from tests.e2e.endings.case import Case
from tests.e2e.endings.play import JobScene, play
from tests.e2e.endings.surroundings import Surroundings, surroundings
from tests.e2e.endings.truth import differences
from tests.support.container_starts import containers_of
from tests.support.engine_process import EngineWorld
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def around(world: EngineWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    with surroundings(world, tmp_path_factory.mktemp("endings")) as made:
        yield made


@pytest.fixture(scope="module")
def played(around: Surroundings) -> dict[str, JobScene]:
    """All cases, each at its end."""
    return {scene.case.how: scene for scene in play(around, CASES)}


@pytest.mark.parametrize("case", CASES, ids=[case.how for case in CASES])
def test_it_is_told_truly(case: Case, world: EngineWorld, played: dict[str, JobScene]) -> None:
    found = differences(world, played[case.how])
    assert not found, "; ".join(found)


def test_no_two_rows_of_the_table_are_the_same() -> None:
    assert len({case.how for case in CASES}) == len(CASES)


def test_nothing_was_started_twice_and_no_container_is_left(
    world: EngineWorld, played: dict[str, JobScene]
) -> None:
    assert world.starts.most() == 1
    lost = Provider.objects.get(name="doomed")
    stays = set(
        Attempt.objects.filter(provider=lost).values_list("handle__id", flat=True)
    )  # nobody can remove it: its engine does not answer
    wait_until(
        lambda: set(containers_of(world.instance)) <= stays, 60, "all containers are removed"
    )
