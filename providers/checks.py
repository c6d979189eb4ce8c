"""A test of a provider as its card shows it: every step there is to be, in order, how far it
is, and what to do about the one that failed.

`orchestrate` writes steps as objects of name, ok (null while under way) and text, when each
begins and when it is done; output is read while the small job still runs. It reaches the engine
and reads its version in one call: the card tells of each separately. An error that ended the
test is a step of the name `failed`; it is told of the first step that was not done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.models import EngineRequest
from providers.remedies import remedy

_WORDS = {
    "reach": "Reach it",
    "version": "Read its version",
    "pull": "Have the image there",
    "run": "Run a small job",
    "log": "Read its output",
    "compare": "Compare what is there with what runs",
}
_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "test": ("reach", "version", "pull", "run", "log"),
    "sweep": ("reach", "compare"),
    "probe": ("reach", "version"),
}
_WITHOUT_IMAGES = ("process",)
"""Kinds of provider to which images mean nothing: nothing is pulled there."""
_SHAPES: Mapping[object, str] = {True: "completed", False: "failed", None: "running"}


@dataclass(frozen=True, slots=True)
class Step:
    """One check: its state shape, that state in a word, what it is, what came of it, and what
    to do about it."""

    name: str
    shape: str
    state: str
    words: str
    text: str = ""
    advice: str = ""


def steps_of(request: EngineRequest, status: str, message: str = "") -> list[Step]:
    """All steps of a request that reads as `status` now, `message` being what it says."""
    told = _told(request.steps)
    over = status in ("done", "failed", "expired")
    ended_by = str((told.get("failed") or {}).get("text") or message)
    steps: list[Step] = []
    broken = under_way = False
    for name in _names(request):
        known = told.get(name)
        if known is not None:
            ok, text = known.get("ok"), str(known.get("text") or "")
            if over and ok is None:
                ok, text = False, ended_by
            steps.append(_step(request, name, ok, text))
            broken = broken or ok is False
            under_way = under_way or ok is None
        elif not over:
            next_one = status == "working" and not under_way
            steps.append(_step(request, name, None) if next_one else _other(name, "pending"))
            under_way = True
        elif status == "done" or broken:
            steps.append(_other(name, "cancelled"))
        else:
            steps.append(_step(request, name, False, ended_by))
            broken = True
    return steps


def _names(request: EngineRequest) -> list[str]:
    kind = request.provider.kind
    names = _OF_KIND.get(request.kind, ("reach",))
    return [n for n in names if not (n == "pull" and kind in _WITHOUT_IMAGES)]


def _told(stored: Any) -> dict[str, Mapping[str, Any]]:
    """The steps that were written, by name; what does not read as one is left out. Reaching
    an engine tells its version too."""
    told: dict[str, Mapping[str, Any]] = {
        str(step.get("name")): step
        for step in (stored if isinstance(stored, list) else ())
        if isinstance(step, dict)
    }
    reached = told.get("reach")
    if reached is not None and reached.get("ok"):
        text = str(reached.get("text") or "")
        told["version"] = {"ok": True, "text": text or "it tells none"}
        told["reach"] = {"ok": True, "text": "it answers"}
    return told


def _other(name: str, shape: str) -> Step:
    """A step that is to come, or was not tried any more."""
    return Step(name, shape, "to come" if shape == "pending" else "not tried", _WORDS[name])


def _step(request: EngineRequest, name: str, ok: bool | None, text: str = "") -> Step:
    words = {True: "done", False: "failed", None: "under way"}[ok]
    advice = ""
    if ok is False:
        advice = remedy(text, step=name, options=request.provider.options)
    return Step(name, _SHAPES[ok], words, _WORDS[name], text, advice)
