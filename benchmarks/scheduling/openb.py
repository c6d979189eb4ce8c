"""The Alibaba "openb" trace: nodes and tasks of a GPU cluster, as providers and jobs.

CSV files of hkust-adsl/kubernetes-scheduler-simulator (Apache-2.0); docs/scheduling.md says
where they come from and what is made of them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scheduling.world import Arrival
from orchestrator.scheduling.snapshot import Demand, ProjectView, ProviderView, Requirement

NODES = "openb_node_list_all_node.csv"
TASKS = {"default": "openb_pod_list_default.csv", "cpu250": "openb_pod_list_cpu250.csv"}
PROJECTS = 8
"""The trace names no tenants: its tasks are dealt to so many projects by a hash of their names."""


@dataclass(frozen=True, slots=True)
class Task:
    """A job of the trace: when it comes and how long it runs, in seconds."""

    arrival: Arrival
    at: float
    lasts: float


def nodes(folder: Path, *, pack: bool) -> list[ProviderView]:
    """The 1,523 nodes, idle."""
    return [
        _provider(number, row, pack=pack) for number, row in enumerate(_rows(folder / NODES), 1)
    ]


def tasks(folder: Path, variant: str = "default") -> list[Task]:
    """The tasks in the order of their creation. A share of a GPU is rounded up to a whole one."""
    found = [_task(number, row) for number, row in enumerate(_rows(folder / TASKS[variant]), 1)]
    return sorted(found, key=lambda task: (task.at, task.arrival.job))


def projects() -> list[ProjectView]:
    """Of equal weight, without limits."""
    return [ProjectView(number, f"project-{number}") for number in range(1, PROJECTS + 1)]


def _provider(number: int, row: dict[str, str], *, pack: bool) -> ProviderView:
    cpu, memory, gpus = int(row["cpu_milli"]), int(row["memory_mib"]), int(row["gpu"])
    labels = {"gpu_model": row["model"]} if row["model"] else {}
    return ProviderView(
        number, row["sn"], labels, cpu, memory, gpus, cpu, memory, gpus, None, pack=pack
    )


def _task(number: int, row: dict[str, str]) -> Task:
    models = tuple(model for model in row["gpu_spec"].split("|") if model)
    demand = Demand(
        cpu_millis=int(row["cpu_milli"]),
        memory_mb=int(row["memory_mib"]),
        gpus=int(row["num_gpu"]),
        requires=(Requirement("gpu_model", "in", models),) if models else (),
    )
    project = hashlib.sha256(row["name"].encode()).digest()[0] % PROJECTS + 1
    at, until = float(row["creation_time"]), float(row["deletion_time"])
    return Task(Arrival(number, project, 50, demand), at, max(1.0, until - at))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)
