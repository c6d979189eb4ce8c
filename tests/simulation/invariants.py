"""What must hold after every step, whatever the loop did and whatever befell it.

Checked from outside: against the engines' own memory of starts and output, and against
this module's own record of terms and states, not against the twin's decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

from jobs.log.frames import unpack
from jobs.states import JOB_EDGES, PHASE_EDGES, TERMINAL, JobState, Outcome, Phase
from jobs.transitions import Written
from orchestrator.store import StoreDown
from providers.driver import Stream
from providers.leases import Fence
from tests.simulation.engine import Container, Engine
from tests.simulation.rows import AttemptRow, JobRow, Rows

_JOB_STEPS = {(e.source, e.target) for e in JOB_EDGES}
_PHASE_STEPS = {(e.source, e.target) for e in PHASE_EDGES}
CLOCK_SLACK = 0.1
"""Seconds by which the engine's clock may be misjudged."""


class Invariants:
    """Watches all commits and all starts of one run."""

    def __init__(self, rows: Rows, engines: Mapping[int, Engine], now: Callable[[], float]) -> None:
        self.rows = rows
        self.broken: list[str] = []
        self.checks = 0
        self.digest = 0
        """Of all commits and their times."""
        self._engines = engines
        self._now = now
        self._jobs: dict[int, str] = {}
        self._phases: dict[int, Phase] = {}
        self._terms: dict[str, int] = {}
        self._stored: dict[int, tuple[int, dict[Stream, int]]] = {}
        for engine in engines.values():
            engine.started = self.started

    def fail(self, sentence: str) -> None:
        """Note what was broken."""
        self.broken.append(f"at {self._now():.3f} s: {sentence}")

    # --- the engine's side ---

    def started(self, container: Container) -> None:
        """A program was started by a driver's call."""
        uid = container.spec.uid
        engine = next(e for e in self._engines.values() if e.all.get(uid) is container)
        if engine.starts[uid] > 1:
            self.fail(f"the program of {uid} was started {engine.starts[uid]} times")
        attempt = next((a for a in self.rows.attempts.values() if a.uid == uid), None)
        if attempt is None or attempt.phase is not Phase.ENDED or uid in engine.meddled:
            return
        # Of a provider that is given up for lost it is said that the program may still run.
        if attempt.reason != "provider_lost":
            self.fail(f"the program of {uid} was started after its attempt had ended")

    # --- the database's side ---

    def commit(self, name: str, args: Sequence[Any], work: Callable[[], Any]) -> Any:
        """Let one transaction happen, and look at what it wrote."""
        self.checks += 1
        self.digest = crc32(f"{name} {self._now():.6f}".encode(), self.digest)
        try:
            result = work()
        except StoreDown:
            raise
        except Exception as error:
            self.fail(f"{name} failed: {type(error).__name__}: {error}")
            raise
        if name == "acquire":
            for fence in result:
                if fence.term <= self._terms.get(fence.name, 0):
                    self.fail(f"{fence.name} was given out at term {fence.term} again")
                self._terms[fence.name] = fence.term
        elif name == "apply":
            for move, written in zip(args[0], result.written, strict=True):
                if written is Written.DONE and self._stale(move.fence):
                    self.fail(f"a lost lease moved attempt {move.attempt} to {move.to}")
        elif name == "append_logs":
            for append in args[0]:
                if append.attempt in result and self._stale(append.fence):
                    self.fail(f"a lost lease wrote the log of attempt {append.attempt}")
        elif name == "commit_plan" and self.rows.changed and self._stale(args[0]):
            self.fail("a lost lease planned")
        if self.rows.changed:
            self._look(name == "commit_plan")
        return result

    def _stale(self, fence: Fence) -> bool:
        return self._terms.get(fence.name, 0) != fence.term

    def _look(self, placed: bool) -> None:
        changed, self.rows.changed = self.rows.changed, []
        for row in changed:
            if isinstance(row, JobRow):
                self._job(row)
            else:
                self._attempt(row)
        if placed:
            self._room()

    def _job(self, job: JobRow) -> None:
        before = self._jobs.get(job.pk, JobState.PENDING)
        self._jobs[job.pk] = job.state
        if before == job.state:
            return
        if before in TERMINAL:
            self.fail(f"job {job.pk} had ended {before} and is {job.state} now")
        elif (before, job.state) not in _JOB_STEPS and (before, job.state) not in _SKIPS:
            self.fail(f"job {job.pk} went from {before} to {job.state}")

    def _attempt(self, attempt: AttemptRow) -> None:
        before = self._phases.get(attempt.pk)
        self._phases[attempt.pk] = attempt.phase
        if before is None:
            others = [
                a for a in self.rows.attempts.values()
                if a.job is attempt.job and a is not attempt and a.phase is not Phase.ENDED
            ]  # fmt: skip
            if others:
                self.fail(f"job {attempt.job.pk} has two live attempts")
        elif before is Phase.ENDED and attempt.phase is not Phase.ENDED:
            self.fail(f"attempt {attempt.pk} had ended and is {attempt.phase} now")
        if len(attempt.chunks) > self._stored.get(attempt.pk, (0, {}))[0]:
            self._log(attempt)
        if attempt.phase is Phase.ENDED and before is not Phase.ENDED:
            self._end(attempt)

    def _container(self, attempt: AttemptRow) -> Container | None:
        return self._engines[attempt.provider].all.get(attempt.uid)

    def _log(self, attempt: AttemptRow) -> None:
        """New chunks go on where the log stood, with what the program wrote there."""
        done, offsets = self._stored.get(attempt.pk, (0, {Stream.STDOUT: 0, Stream.STDERR: 0}))
        container = self._container(attempt)
        for number, chunk in enumerate(attempt.chunks[done:], done + 1):
            if chunk.seq != number:
                self.fail(f"attempt {attempt.pk}: chunk {chunk.seq} follows chunk {number - 1}")
            pieces = unpack(
                codec=chunk.codec, body=chunk.body, crc32=chunk.crc32, first_line=chunk.first_line
            )
            for piece in pieces:
                stream, data = piece.frame.stream, piece.frame.data
                wrote = container.wrote(stream, self._now()) if container else b""
                at = offsets[stream]
                if wrote[at : at + len(data)] != data and attempt.log_complete is not False:
                    self.fail(f"attempt {attempt.pk}: byte {at} of its {stream} is not as written")
                offsets[stream] = at + len(data)
        self._stored[attempt.pk] = (len(attempt.chunks), offsets)

    def _end(self, attempt: AttemptRow) -> None:
        """An attempt has just ended: its starts and its log must fit its outcome."""
        engine = self._engines[attempt.provider]
        if attempt.uid in engine.meddled:
            return  # somebody else ran it as well: what it wrote and how it ended is theirs
        container = self._container(attempt)
        # Nobody can know that it had started by then, when a hand took it away after that.
        unknowable = attempt.fencing and engine.losses.get(attempt.uid) == "removed by hand"
        if attempt.outcome == Outcome.FENCED and engine.starts[attempt.uid] and not unknowable:
            self.fail(f"attempt {attempt.pk} ended as never started, and was started")
        cause = self._cause(attempt, container)
        if cause:
            self.fail(f"attempt {attempt.pk} ended as {attempt.reason}, but {cause}")
        if container is None or container.started_at is None:
            if attempt.log_complete is False and not self._excused(attempt):
                self.fail(f"attempt {attempt.pk} wrote nothing, and its log is called incomplete")
            return
        _, offsets = self._stored.get(attempt.pk, (0, {Stream.STDOUT: 0, Stream.STDERR: 0}))
        stored = dict(offsets)
        whole = all(len(container.wrote(s, self._now())) == stored[s] for s in Stream)
        if not whole and attempt.log_complete is not False:
            self.fail(f"attempt {attempt.pk}: some of its log is missing, and nothing says so")
        if whole and attempt.log_complete is False and not self._excused(attempt):
            self.fail(f"attempt {attempt.pk}: its log is whole, and called incomplete: "
                      f"{attempt.log_note}")  # fmt: skip

    def _cause(self, attempt: AttemptRow, container: Container | None) -> str:
        """Why the reason it ended for is not what happened; blank when it is."""
        lost = self._engines[attempt.provider].losses.get(attempt.uid, "")
        ran = container is not None and container.started_at is not None
        match attempt.reason:
            case "succeeded" | "exit_code" | "signalled":
                code = container.exit_code if container is not None and ran else None
                return "" if code == attempt.exit_code else f"its program's exit code is {code}"
            case "removed_outside":
                return "" if lost == "removed by hand" else "nobody else removed it"
            case "cancelled":
                return "" if attempt.job.cancel_requested_at else "nobody asked for that"
            case "timeout":
                limit = attempt.job.spec["resources"]["timeout_seconds"]
                assert container is not None
                assert container.started_at is not None
                ran_for = container.ends_at - container.started_at
                return "" if ran_for >= limit - CLOCK_SLACK else f"it ran for {ran_for:.2f} s"
            case "rejected":
                refused = container is None
                return "" if refused else "its container was made"
            case "provider_lost":
                waited = self.rows.providers[attempt.provider].lost_after_seconds
                return "" if waited is not None else "its provider is never given up"
            case "restarted_outside":
                meddled = attempt.uid in self._engines[attempt.provider].meddled
                return "" if meddled else "nobody started it by hand"
            case "engine_failed":
                return ""  # so many calls in a row got lost
            case "fenced" | "no_capacity_left":
                return ""
        return "that is a failure of ours"

    def _excused(self, attempt: AttemptRow) -> bool:
        """Whether there is a cause to call its log incomplete."""
        engine = self._engines[attempt.provider]
        return attempt.uid in engine.losses or attempt.reason == "provider_lost"

    def _room(self) -> None:
        """No provider holds more than it has."""
        for pk, held in self.rows.held().items():
            provider = self.rows.providers[pk]
            if (
                held.cpu_millis > provider.total_cpu_millis
                or held.memory_mb > provider.total_memory_mb
                or (provider.slots is not None and held.attempts > provider.slots)
            ):
                self.fail(f"provider {provider.name} holds more than it has")


_SKIPS = {
    (JobState.SCHEDULED, JobState.COMPLETED),
}
"""Steps that pass through another state within one commit: a start and its end in one write."""
