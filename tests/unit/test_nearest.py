"""What is said where no provider has the labels that are asked for: who comes nearest."""

from __future__ import annotations

import pytest

from orchestrator.scheduling.policy import plan
from orchestrator.scheduling.snapshot import (
    Demand,
    ProviderView,
    Requirement,
    Snapshot,
    WaitingClass,
)
from providers.nearest import nearest_of

NODES = [
    ("node-1", {"zone": "a", "cores": "16"}),
    ("node-2", {"zone": "b", "gpu_model": "t4", "gpu_memory": "16"}),
    ("node-3", {"zone": "c", "gpu_model": "a100", "gpu_memory": "40"}),
]


def eq(key: str, *values: str) -> Requirement:
    return Requirement(key, "eq" if len(values) == 1 else "in", values)


CASES = [
    (
        [eq("gpu_model", "a800")],
        "no provider has gpu_model = a800; nearest: node-3 has gpu_model = a100",
    ),
    (
        [eq("gpu_model", "A100")],
        "no provider has gpu_model = A100; nearest: node-3 has gpu_model = a100",
    ),
    (
        [Requirement("gpu_memory", "gt", ("80",))],
        "no provider has gpu_memory > 80; nearest: node-3 has gpu_memory = 40",
    ),
    (
        [Requirement("gpu_memory", "lt", ("16",))],
        "no provider has gpu_memory < 16; nearest: node-2 has gpu_memory = 16",
    ),
    (
        [eq("gpu_modle", "a100")],
        "no provider has gpu_modle = a100; none has a label gpu_modle (there is gpu_model)",
    ),
    ([Requirement("rack", "exists")], "no provider has a label rack; none has a label rack"),
    (
        [eq("zone", "b"), eq("gpu_model", "a100")],
        "no provider has zone = b and has gpu_model = a100 together;"
        " nearest: node-2 has gpu_model = t4",
    ),
    (
        [eq("zone", "a"), eq("gpu_model", "a800")],
        "no provider has gpu_model = a800; nearest: node-1 has no gpu_model",
    ),
    (
        [Requirement("zone", "not_exists")],
        "no provider is without zone; nearest: node-1 has zone = a",
    ),
    (
        [Requirement("zone", "not_in", ("a", "b", "c", "d", "e"))],
        "no provider has another zone than a, b, c or 2 more; nearest: node-1 has zone = a",
    ),
]


@pytest.mark.parametrize(("requires", "words"), CASES)
def test_the_nearest_is_named_with_what_it_has_instead(
    requires: list[Requirement], words: str
) -> None:
    assert nearest_of(requires, NODES) == words


@pytest.mark.parametrize(("requires", "words"), CASES)
def test_the_planner_says_the_same(requires: list[Requirement], words: str) -> None:
    places = tuple(
        ProviderView(number, name, labels, 4000, 4096, 0, 4000, 4096)
        for number, (name, labels) in enumerate(NODES, 1)
    )
    waiting = WaitingClass(1, 1, 50, Demand(1000, 512, requires=tuple(requires)), (7,), (0.0,))
    (told,) = plan(Snapshot((waiting,), places)).waits
    assert (told.reason, told.detail) == ("no_match", {"why": words})


@pytest.mark.parametrize(
    ("pin", "requires", "words"),
    [
        ("gone", (), "it may go to gone only, which is switched off or gone"),
        (
            "node-2",
            (eq("gpu_model", "a100"), eq("zone", "b")),
            "it may go to node-2 only, which has gpu_model = t4, and asks for one that"
            " has gpu_model = a100",
        ),
    ],
)
def test_of_a_job_that_may_go_to_one_only_that_one_is_told(
    pin: str, requires: tuple[Requirement, ...], words: str
) -> None:
    places = tuple(
        ProviderView(number, name, labels, 4000, 4096, 0, 4000, 4096)
        for number, (name, labels) in enumerate(NODES, 1)
    )
    demand = Demand(1000, 512, provider=pin, requires=requires)
    (told,) = plan(Snapshot((WaitingClass(1, 1, 50, demand, (7,), (0.0,)),), places)).waits
    assert (told.reason, told.detail) == ("no_match", {"why": words})
