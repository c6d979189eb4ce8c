"""Comparing what is stored of a case with what the table says."""

from __future__ import annotations

from jobs.models import Attempt, Job
from jobs.reasons import Blame, blame, reason_text
from tests.e2e.endings.case import Case
from tests.e2e.endings.play import JobScene
from tests.support.engine_process import EngineWorld


def differences(world: EngineWorld, scene: JobScene) -> list[str]:
    """What of its end is not as the table says; nothing when all is."""
    case = scene.case
    job = Job.objects.get(pk=scene.job.pk)
    attempts = list(Attempt.objects.filter(job=job).order_by("number"))
    fenced = sum(attempt.outcome == "fenced" for attempt in attempts)
    words = reason_text(job.reason, job.reason_detail)
    charged = case.charged
    if charged is None:
        charged = int(case.state == "failed" and blame(case.reason) is Blame.USER)
    pairs: list[tuple[str, object, object]] = [
        ("the hand acted", scene.done, True),
        ("state", job.state, case.state),
        ("reason", job.reason, case.reason),
        ("exit code", job.exit_code, case.exit_code),
        ("attempts", {len(attempts), len(attempts) - fenced} & {case.attempts}, {case.attempts}),
        ("enough were taken back", fenced >= case.fenced, True),
        ("charged", job.charged, charged),
    ]
    found = [
        f"{what}: {there!r}, not {wanted!r}" for what, there, wanted in pairs if there != wanted
    ]
    if not case.says(words) or "–" in words:
        found.append(f"words: {words!r}, not {case.words!r}")
    if attempts:
        found += _of_last_attempt(case, world, attempts[-1])
    return found


def _of_last_attempt(case: Case, world: EngineWorld, last: Attempt) -> list[str]:
    found = []
    if last.phase != "ended":
        found.append(f"its last attempt is {last.phase}")
    if case.starts is not None and world.starts.of(last.uid) != case.starts:
        found.append(f"starts: {world.starts.of(last.uid)}, not {case.starts}")
    if case.log_complete is not None and last.log_complete is not case.log_complete:
        found.append(f"log_complete: {last.log_complete}, not {case.log_complete}")
    return found
