"""Ends that come from outside the program: time limits, cancels in each phase, other hands."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.endings.case import SLEEP, STUBBORN, Case, Hand, Scene, program

CANCELLED = "Cancelled by Gantry."
LIMIT = {"resources": {"timeout_seconds": 1}}
GATES = {
    "placed": r"GET \S+/images/(?!json[ ?])",
    "creating": r"POST \S+/containers/create",
    "starting": r"POST \S+/start",
    "finishing": r"GET \S+/logs\?\S*follow=0",
    "finishing-too": r"GET \S+/logs\?\S*follow=0",
    "vanishing": r"POST \S+/start",
    "doomed": "",
}
"""By provider: the calls that its engine does not get before the gate is opened."""
HASTY = {
    name: {"log_idle_seconds": 0.5, "query_seconds": 0.5} for name in ("finishing", "finishing-too")
}
"""Options of those providers."""
LOST_AFTER = {"doomed": 2}


def when(ready: Callable[[Scene], bool], *deeds: Callable[[Scene], None]) -> Hand:
    """Do the deeds, in their order, when it is time."""

    def hand(scene: Scene) -> bool:
        if not ready(scene):
            return False
        for deed in deeds:
            deed(scene)
        return True

    return hand


def in_turn(*hands: Hand) -> Hand:
    """One after the other, each in its own moment."""
    left = list(hands)

    def hand(scene: Scene) -> bool:
        if left and left[0](scene):
            left.pop(0)
        return not left

    return hand


HEARD_SECONDS = 4.0
"""By then the engine process knows of a cancel, also when its notice was lost."""


def heard(scene: Scene) -> bool:
    return scene.cancelled_for > HEARD_SECONDS


def in_phase(phase: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.phase == phase


def ready(scene: Scene) -> bool:
    """It runs, and has said so."""
    return scene.said(b"ready\n")


def cancel(scene: Scene) -> None:
    scene.cancel()


def opening(gate: str) -> Callable[[Scene], None]:
    return lambda scene: scene.open(gate)


def by_hand(method: str, path: str, **query: str | int) -> Callable[[Scene], None]:
    """Somebody else's call to the engine."""
    return lambda scene: scene.engine(method, f"/containers/{{id}}{path}", **query)


def _cancelled(how: str, hand: Hand, **fields: object) -> Case:
    told = {"spec": SLEEP, "state": "cancelled", "reason": "cancelled", "words": CANCELLED}
    return Case(how=f"cancelled {how}", hand=hand, **told | {"charged": 0} | fields)  # type: ignore[arg-type]


def _behind(gate: str) -> dict[str, object]:
    return {"provider": gate}


CANCELS = [
    _cancelled(
        "while it waits for room",
        when(lambda scene: scene.reason == "too_large", cancel),
        spec=SLEEP | {"resources": {"cpu_cores": 512}},
        attempts=0,
    ),
    _cancelled(
        "while it is held",
        when(lambda scene: scene.reason == "held", cancel),
        spec=SLEEP | {"hold": True},
        attempts=0,
    ),
    _cancelled(
        "between two tries",
        when(lambda scene: scene.reason == "backoff", cancel),
        spec=program("exit 5") | {"retry": {"max_attempts": 2, "backoff_seconds": 60}},
        exit_code=5,
        charged=1,
    ),
    _cancelled(
        "when it is placed",
        when(in_phase("placed"), cancel, opening("placed")),
        spec=SLEEP | _behind("placed") | {"image": "gantry-test/never-there:1"},
        starts=0,
    ),
    _cancelled(
        "while its image is being pulled",
        when(in_phase("pulling"), cancel),
        spec=SLEEP | {"image": "{odd}/cut/image:1"},
        starts=0,
    ),
    _cancelled(
        "while its container is being created",
        in_turn(when(in_phase("creating"), cancel), when(heard, opening("creating"))),
        spec=SLEEP | _behind("creating"),
        starts=0,
    ),
    _cancelled(
        "while it is being started",
        in_turn(when(in_phase("starting"), cancel), when(heard, opening("starting"))),
        spec=SLEEP | _behind("starting"),
        exit_code=143,
        starts=1,
    ),
    _cancelled("while it runs", when(in_phase("running"), cancel), exit_code=143, starts=1),
    _cancelled(
        "while it runs, with a way out of its own",
        when(ready, cancel),
        spec=program("trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"),
        exit_code=7,
    ),
    _cancelled(
        "while it runs, and it does not listen", when(ready, cancel), spec=STUBBORN, exit_code=137
    ),
    Case(
        how="cancelled when it had exited with 0 and the rest of its log is being read",
        spec=program("echo done") | _behind("finishing"),
        state="completed",
        reason="succeeded",
        exit_code=0,
        words="Finished with exit code 0.",
        hand=when(in_phase("finishing"), cancel, opening("finishing")),
    ),
    Case(
        how="cancelled when it had exited with 3 and the rest of its log is being read",
        spec=program("exit 3") | _behind("finishing-too"),
        reason="exit_code",
        exit_code=3,
        words="The program exited with code 3.",
        hand=when(in_phase("finishing"), cancel, opening("finishing-too")),
    ),
]

TIMEOUTS = [
    Case(
        how="not placed within its queue limit",
        spec=SLEEP | {"resources": {"cpu_cores": 512}, "queue_timeout_seconds": 2},
        reason="queue_timeout",
        words="Not placed within its queue limit of 2 s. Last wait: Larger than any active "
        "provider: needs 512 CPU, …",
        attempts=0,
        charged=0,
    ),
    Case(
        how="runs longer than its time limit",
        spec=SLEEP | LIMIT,
        reason="timeout",
        exit_code=143,
        words="Stopped after its time limit of 1 s.",
    ),
    Case(
        how="runs longer than its time limit, and exits with 0 when it is asked to end",
        spec=program("trap 'exit 0' TERM; while :; do sleep 0.1; done") | LIMIT,
        reason="timeout",
        exit_code=0,
        words="Stopped after its time limit of 1 s.",
    ),
    Case(
        how="runs longer than its time limit, and does not listen",
        spec=STUBBORN | LIMIT,
        reason="timeout",
        exit_code=137,
        words="Stopped after its time limit of 1 s.",
    ),
    Case(
        how="paused by somebody else until its time limit is over",
        spec=SLEEP | {"resources": {"timeout_seconds": 3}},
        reason="timeout",
        exit_code=143,
        words="Stopped after its time limit of 3 s.",
        hand=when(in_phase("running"), by_hand("POST", "/pause")),
    ),
]

OTHERS = [
    Case(
        how="its container is removed by somebody else",
        spec=SLEEP,
        reason="removed_outside",
        words="Its container was removed by someone outside Gantry.",
        log_complete=False,
        hand=when(in_phase("running"), by_hand("DELETE", "", force=1)),
    ),
    Case(
        how="its container is removed by somebody else before it was started: another is made",
        spec=program("echo done") | _behind("vanishing"),
        state="completed",
        reason="succeeded",
        exit_code=0,
        words="Finished with exit code 0.",
        fenced=1,
        starts=1,
        hand=when(in_phase("starting"), by_hand("DELETE", "", force=1), opening("vanishing")),
    ),
    Case(
        how="its container is removed by somebody else, and may be tried again",
        spec=SLEEP
        | {"retry": {"max_attempts": 2, "backoff_seconds": 1, "on": ["removed_outside"]}}
        | {"resources": {"timeout_seconds": 3}},
        reason="timeout",
        exit_code=143,
        words="Stopped after its time limit of 3 s.",
        attempts=2,
        charged=1,
        hand=when(in_phase("running"), by_hand("DELETE", "", force=1)),
    ),
    Case(
        how="stopped by somebody else (`docker stop`)",
        spec=SLEEP,
        reason="signalled",
        exit_code=143,
        words="The program ended with code 143, which means signal 15 (SIGTERM); Gantry sent none.",
        hand=when(in_phase("running"), by_hand("POST", "/stop", t=5)),
    ),
    Case(
        how="killed by somebody else (`docker kill`)",
        spec=SLEEP,
        reason="signalled",
        exit_code=137,
        words="The program ended with code 137, which means signal 9 (SIGKILL); Gantry sent none.",
        hand=when(in_phase("running"), by_hand("POST", "/kill")),
    ),
    Case(
        how="its provider does not answer any more, and is given up for lost after 2 s",
        spec=SLEEP | _behind("doomed"),
        reason="provider_lost",
        words="Its provider doomed was given up for lost: not seen for 2 s: …",
        log_complete=False,
        hand=when(in_phase("running"), lambda scene: scene.cut("doomed")),
    ),
]

CASES = [*CANCELS, *TIMEOUTS, *OTHERS]
