"""Playing the whole table at once against a real engine, through one engine process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.utils import timezone

from jobs.acts import job_release
from jobs.models import Attempt, Job
from jobs.services import job_cancel
from jobs.states import LIVE_PHASES, TERMINAL
from projects import secrets
from projects.actor import SYSTEM
from tests.e2e.endings.case import Case
from tests.e2e.endings.surroundings import Surroundings
from tests.support.waiting import wait_until

SECONDS = 240


class JobScene:
    """One case's job, as its hand sees it."""

    def __init__(self, around: Surroundings, case: Case) -> None:
        self.case = case
        self.done = case.hand is None
        self._around = around
        spec: dict[str, Any] = {"provider": "local"} | dict(case.spec)
        if "image" in spec:
            spec["image"] = spec["image"].format(**around.registries)
        command = spec.pop("command", [])
        self.job = around.world.submit(*command, **spec)
        self.attempt: Attempt | None = None

    def look(self, job: Job, attempt: Attempt | None) -> None:
        """Take in how they are now, and let the hand act."""
        self.job, self.attempt = job, attempt
        if not self.done and self.case.hand is not None:
            self.done = self.case.hand(self)

    @property
    def ended(self) -> bool:
        return self.job.state in TERMINAL

    @property
    def state(self) -> str:
        return self.job.state

    @property
    def reason(self) -> str:
        return self.job.told[0]

    @property
    def phase(self) -> str:
        live = self.attempt is not None and self.attempt.phase in LIVE_PHASES
        return self.attempt.phase if self.attempt is not None and live else ""

    @property
    def cancelled_for(self) -> float:
        asked = self.job.cancel_requested_at
        return (timezone.now() - asked).total_seconds() if asked else 0.0

    def said(self, text: bytes) -> bool:
        live = self.attempt is not None and self.attempt.log_seq > 0
        return live and text in self._around.world.log(self.job)

    def cancel(self) -> None:
        job_cancel(SYSTEM, job_id=self.job.pk)

    def release(self) -> None:
        job_release(SYSTEM, job_id=self.job.pk)

    def damage_secrets(self) -> None:
        sealed = Job.objects.get(pk=self.job.pk).secrets
        assert sealed is not None
        damaged = bytes(sealed)[:-1] + b"?"
        assert secrets.open_values(sealed)
        Job.objects.filter(pk=self.job.pk).update(secrets=damaged)

    def engine(self, method: str, path: str, **query: str | int) -> None:
        assert self.attempt is not None
        assert self.attempt.handle is not None
        client = self._around.client
        url = f"{client.base_url}/v{client.api_version}{path.format(id=self.attempt.handle['id'])}"
        answer = client.request(method, url, params=query, timeout=30)
        assert answer.status_code < 400, answer.text

    def open(self, gate: str) -> None:
        self._around.gates[gate].open()

    def cut(self, gate: str) -> None:
        self._around.gates[gate].cut()


def play(around: Surroundings, cases: Sequence[Case]) -> list[JobScene]:
    """Submit all, act on each in its moment, and wait until every one has ended."""
    scenes = [JobScene(around, case) for case in cases]
    with suppress(AssertionError):  # each row says for itself what is missing
        wait_until(lambda: _all_ended(scenes), SECONDS, "all have ended")
    return scenes


def _all_ended(scenes: Sequence[JobScene]) -> bool:
    ids = [scene.job.pk for scene in scenes if not scene.ended]
    jobs = Job.objects.in_bulk(ids)
    attempts = {a.job_id: a for a in Attempt.objects.filter(job__in=ids).order_by("number")}
    for scene in scenes:
        if scene.job.pk in jobs:
            scene.look(jobs[scene.job.pk], attempts.get(scene.job.pk))
    return all(scene.ended for scene in scenes)
