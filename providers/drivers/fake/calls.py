"""One call to a fake provider: its lock, its scripted delay, its scripted fault."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from providers.driver import NoCapacity, Rejected, Unreachable
from providers.drivers.fake.script import SECOND, Script
from providers.drivers.fake.world import World


def answer(world: World) -> None:
    """Raises Unreachable during an outage of the whole provider."""
    if outage := world.outage():
        raise Unreachable(outage)


@contextmanager
def scripted_call(
    world: World,
    closed: threading.Event,
    call: str,
    uid: str,
    script: Script | None = None,
) -> Iterator[None]:
    """Holds the world's lock while the call does its work.

    Before it: the delay, and the fault that keeps it from having an effect. After it: the
    fault `lost`, where the effect is there and its answer is not.
    """
    if script is None:
        with world.locked():
            run = world.get(uid)
            script = run.script if run else None
    if script and call in script.delays:
        closed.wait(script.delays[call] / SECOND)
    with world.locked():
        answer(world)
        lost = script is not None and _fault(world, call, uid, script)
        yield
    if lost:
        raise Unreachable(f"scripted: the answer to {call} was lost")


def stream_is_cut(world: World, uid: str, script: Script) -> bool:
    """Whether the script cuts this log stream now, after a batch was delivered."""
    fault = script.faults.get("logs")
    if fault is None or fault.kind != "cut":
        return False
    with world.locked():
        return fault.times is None or world.note_call(uid, "cut") <= fault.times


def _fault(world: World, call: str, uid: str, script: Script) -> bool:
    """Raises the scripted fault of this call; true when its *answer* shall be lost."""
    fault = script.faults.get(call)
    if fault is None or fault.kind == "cut":
        return False
    if fault.times is not None and world.note_call(uid, call) > fault.times:
        return False
    message = f"scripted: {call} fails"
    match fault.kind:
        case "unreachable":
            raise Unreachable(message)
        case "no_capacity":
            raise NoCapacity(message)
        case "rejected" | "could_not_start":
            raise Rejected(fault.kind, message)
    return fault.kind == "lost"
