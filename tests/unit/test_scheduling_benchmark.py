"""The simulation that schedulers are compared in: what it reads, what it measures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.scheduling import load, openb
from benchmarks.scheduling.baselines import best_fit, first_come
from benchmarks.scheduling.measures import jain, measures
from benchmarks.scheduling.openb import Task
from benchmarks.scheduling.simulation import Course, Scheduler, Setting, simulate
from benchmarks.scheduling.svg import Axis, Line, chart
from benchmarks.scheduling.world import Arrival
from orchestrator.scheduling.policy import plan
from orchestrator.scheduling.snapshot import Demand, Requirement
from tests.support.planning import look, place, project, waiting


def tasks(*rows: tuple[float, float, int]) -> list[Task]:
    """Of (when it comes, how long it runs, thousandths of a core)."""
    return [
        Task(Arrival(job, 1, 50, Demand(cpu, 64)), at, lasts)
        for job, (at, lasts, cpu) in enumerate(rows, 1)
    ]


def run(scheduler: Scheduler, *rows: tuple[float, float, int], patience: float = 1e6) -> Course:
    """On one provider of four cores."""
    return simulate(Setting("", tasks(*rows), [place()], [project()], patience), scheduler)


def test_a_large_job_at_the_head_holds_up_all_in_first_come_and_nobody_in_the_others() -> None:
    rows = [(0, 100, 3000), (1, 10, 4000), (2, 10, 1000)]
    assert run(first_come, *rows).started == {1: 0, 2: 100, 3: 110}
    for scheduler in (best_fit, plan):
        assert run(scheduler, *rows).started == {1: 0, 3: 2, 2: 100}


def test_first_come_takes_the_first_provider_and_best_fit_the_tightest() -> None:
    snapshot = look([waiting(1)], place("a", 1), place("b", 2, cpu=1500))
    assert [p.provider_name for p in first_come(snapshot).placements] == ["a"]
    assert [p.provider_name for p in best_fit(snapshot).placements] == ["b"]


def test_what_is_measured_of_a_course() -> None:
    found = measures(run(plan, (0, 100, 4000), (0, 50, 2000), (0, 50, 2000)))
    assert (found.jobs, found.wait_max, found.cpu) == (3, 100, 1.0)
    assert found.wait_mean == pytest.approx(200 / 3)
    assert (found.allocated, found.jain) == (1.0, 1.0)


def test_the_job_that_waited_longest_starts_when_the_provider_kept_for_it_is_free() -> None:
    """Small ones that keep coming would else always be in its way; best fit lets them."""
    small = [(at, 20.0, 2000) for at in range(0, 200, 10)]
    rows = sorted([*small, (5.0, 10.0, 4000)])
    patient = measures(run(plan, *rows, patience=50))
    assert (patient.watched, patient.late) == (1, 0)
    assert patient.wait_max < 100
    late = measures(run(best_fit, *rows, patience=50))
    assert (late.watched, late.late) == (1, 1)


def test_a_job_that_no_provider_is_large_enough_for_is_left_out() -> None:
    course = run(plan, (0, 1, 5000), (0, 1, 100))
    assert (set(course.never), course.started) == ({1}, {2: 0.0})


def test_jains_index() -> None:
    assert jain([3.0, 3.0, 3.0]) == 1.0
    assert jain([6.0, 0.0, 0.0]) == pytest.approx(1 / 3)


def test_a_trace_is_read_with_whole_gpus_and_required_models(tmp_path: Path) -> None:
    (tmp_path / openb.NODES).write_text("sn,cpu_milli,memory_mib,gpu,model\nn-1,8000,1024,2,T4\n")
    (tmp_path / openb.TASKS["default"]).write_text(
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time\n"
        "p-1,4000,512,1,460,T4|P100,50,90\n"
        "p-2,1000,512,0,0,,10,10\n"
    )
    (node,) = openb.nodes(tmp_path, pack=True)
    assert (node.labels, node.free_gpus, node.pack) == ({"gpu_model": "T4"}, 2, True)
    second, first = openb.tasks(tmp_path)
    assert (first.at, first.lasts, first.arrival.demand.gpus) == (50, 40, 1)
    asked = Requirement("gpu_model", "in", ("T4", "P100"))
    assert first.arrival.demand.requires == (asked,)
    assert (second.arrival.job, second.lasts) == (2, 1.0)


def test_a_made_up_load_is_the_same_for_the_same_seed_and_has_so_many_classes() -> None:
    jobs = list(load.jobs(500, 40, seed=3))
    assert jobs == list(load.jobs(500, 40, seed=3))
    assert len({arrival.kind for arrival, _ in jobs}) == 40
    assert load.providers(20, 3) == load.providers(20, 3) != load.providers(20, 4)


def test_a_chart_is_well_formed_and_its_points_are_inside() -> None:
    up = Axis("ms", 1, 1000, [(10, "10")], logarithmic=True)
    text = chart("a < b", Axis("jobs", 0, 10, [(5, "5")]), up, [Line("one", [(0, 0.1), (20, 30)])])
    root = ET.fromstring(text)
    (line,) = [e.get("d", "") for e in root.iter() if e.get("class") == "line c0"][:1]
    assert line == "M64.0 288.0L704.0 167.9"
