"""The steps of an engine request, as its card shows them.

`orchestrate` writes them as objects of name, ok (null while under way) and text.
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.models import EngineRequest

_WORDS = {
    "reach": "Reach it and read its version",
    "pull": "Have the image there",
    "run": "Run a small job",
    "log": "Read its output",
    "compare": "Compare what is there with what runs",
    "failed": "Stopped here",
}

_SHAPES: dict[object, str] = {True: "completed", False: "failed"}


@dataclass(frozen=True, slots=True)
class Step:
    """One check: its state shape, what it is, and what came of it."""

    shape: str
    words: str
    text: str


def steps_of(request: EngineRequest) -> list[Step]:
    """The checks so far; what does not read as one is left out."""
    return [
        Step(
            shape=_SHAPES.get(step.get("ok"), "running"),
            words=_WORDS.get(str(step.get("name")), str(step.get("name", ""))),
            text=str(step.get("text", "")),
        )
        for step in request.steps
        if isinstance(step, dict)
    ]
