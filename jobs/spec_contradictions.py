"""Fields of a job spec that are right alone and wrong together, each named. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from projects.errors import FieldProblem

if TYPE_CHECKING:
    from jobs.spec import JobSpec, Requirement


def contradictions(spec: JobSpec) -> Iterator[FieldProblem]:
    """What is wrong between the fields of a spec; nothing where they go together."""
    if spec.command is not None and spec.script is not None:
        yield FieldProblem("/script", "Give either command or script, not both.")
    if spec.provider is not None and spec.requires:
        yield FieldProblem("/requires", "Give either provider or requires, not both.")
    for name in sorted(spec.env.keys() & spec.secret_env.keys()):
        yield FieldProblem(f"/secret_env/{name}", "Also in env; keep one of the two.")
    yield from _mounts(spec)
    yield from _anti_affinity(spec)
    yield from _empty_ranges(spec.requires)


def _mounts(spec: JobSpec) -> Iterator[FieldProblem]:
    seen: set[str] = set()
    for index, mount in enumerate(spec.mounts):
        if mount.target == "/":
            yield FieldProblem(f"/mounts/{index}/target", "Mount below /, not over it.")
        if mount.target in seen:
            yield FieldProblem(f"/mounts/{index}/target", "Used twice; keep one.")
        seen.add(mount.target)


def _anti_affinity(spec: JobSpec) -> Iterator[FieldProblem]:
    for index, key in enumerate(spec.anti_affinity):
        if key not in spec.labels:
            words = f"The job has no label {key!r}; add it to labels, or leave it out here."
            yield FieldProblem(f"/anti_affinity/{index}", words)
        elif key in spec.anti_affinity[:index]:
            yield FieldProblem(f"/anti_affinity/{index}", "Named twice; keep one.")


def _empty_ranges(requires: list[Requirement]) -> Iterator[FieldProblem]:
    """No number is more than the one and less than the other."""
    above: dict[str, float] = {}
    below: dict[str, float] = {}
    for index, one in enumerate(requires):
        if one.op not in ("gt", "lt"):
            continue
        number = float(one.values[0])
        if one.op == "gt":
            above[one.key] = max(number, above.get(one.key, number))
        else:
            below[one.key] = min(number, below.get(one.key, number))
        if one.key in above and one.key in below and above[one.key] >= below[one.key]:
            words = f"No number is more than {above[one.key]:g} and less than {below[one.key]:g}."
            yield FieldProblem(f"/requires/{index}/values", words)
