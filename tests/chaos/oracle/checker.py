"""The checker: what was asked × what every side says came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jobs.models import Attempt, Job
from jobs.reasons import reason_text
from jobs.states import Outcome
from projects.models import Event
from providers.driver import Stream
from tests.chaos.campaign import Verdict
from tests.chaos.oracle.asked import ENDS, Asked
from tests.chaos.oracle.chains import wrong_in
from tests.chaos.oracle.program import nonce_of, wrong_with
from tests.chaos.oracle.witnesses import Witness, agree
from tests.support.waiting import wait_until

LEFT_SECONDS = 120.0
"""A thing that nobody wants is swept a minute after it was made."""

ReadLog = Callable[[Attempt, Stream], bytes]


@dataclass
class Checker:
    """`left` names what is still on the engine; `read_log` is a stored log as people get
    it, None where programs print nothing of their own."""

    witnesses: Sequence[Witness]
    read_log: ReadLog | None
    left: Callable[[], Sequence[str]]
    broken: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def check(self, asked: Sequence[Asked]) -> Verdict:
        """Everything, after the last job has ended (or will not)."""
        if not agree(self.witnesses):
            self.broken.append(f"the witnesses {[w.name for w in self.witnesses]} do not agree")
        seen = {witness.name: witness.starts() for witness in self.witnesses}
        attempts = list(Attempt.objects.filter(job__in=[a.job for a in asked]).order_by("number"))
        for name, starts in seen.items():
            self._starts(name, starts, attempts)
        for one in asked:
            self._job(one, [a for a in attempts if a.job_id == one.job], seen)
        self._leftovers()
        most = max((len(n) for s in seen.values() for n in s.values()), default=0)
        counted = {"jobs": len(asked), "attempts": len(attempts), **self.figures}
        figures = {word: float(value) for word, value in counted.items()}
        return Verdict(figures | {"most starts of an attempt": most}, self.broken)

    def _starts(self, name: str, starts: dict[str, list[str]], attempts: Sequence[Attempt]) -> None:
        known = {str(a.uid): a for a in attempts}
        for uid, nonces in starts.items():
            attempt = known.get(uid)
            words = f"{name}: attempt {attempt.number} of job {attempt.job_id}" if attempt else name
            if attempt is None:
                self.broken.append(f"{name}: a start of {uid}, which no job has")
            elif len(nonces) > 1:
                self.broken.append(f"{words} started {len(nonces)} times")
            elif attempt.outcome == Outcome.FENCED:
                self.broken.append(f"{words} started, but was fenced as never started")
        for uid, attempt in known.items():
            # One that was stopped may have had no time for its first act.
            ran = attempt.reason in ("succeeded", "exit_code")
            if ran and uid not in starts:
                told = f"attempt {attempt.number} of job {attempt.job_id} {attempt.outcome}"
                self.broken.append(f"{name}: {told} ({attempt.reason}) without a start")
        self.figures["starts"] = max(self.figures["starts"], sum(map(len, starts.values())))

    def _job(
        self, one: Asked, attempts: Sequence[Attempt], seen: dict[str, dict[str, list[str]]]
    ) -> None:
        job = Job.objects.get(pk=one.job)
        end = ENDS[one.kind]
        name = f"job {job.pk} ({one.kind})"
        if (job.state, job.reason) != (end.state, end.reason):
            words = reason_text(job.reason, job.reason_detail)
            self.broken.append(f"{name} is {job.state}: {words}")
            return
        if job.charged != end.charged:
            self.broken.append(f"{name} was charged {job.charged} tries, not {end.charged}")
        ran = tuple(Outcome(a.outcome) for a in attempts if a.outcome != Outcome.FENCED)
        self.figures["fenced attempts"] += len(attempts) - len(ran)
        if ran not in end.outcomes:
            self.broken.append(f"{name} has attempts that came to {[*map(str, ran)]}")
        events = Event.objects.filter(subject_kind="job", subject_id=job.pk).order_by("pk")
        self.broken += [f"{name}: {wrong}" for wrong in wrong_in(list(events), job.state)]
        for attempt in attempts:
            if attempt.outcome != Outcome.FENCED and self.read_log is not None:
                self._log(f"{name} attempt {attempt.number}", attempt, end.whole_log, seen)

    def _log(
        self, name: str, attempt: Attempt, whole: bool, seen: dict[str, dict[str, list[str]]]
    ) -> None:
        assert self.read_log is not None
        testified = seen[self.witnesses[0].name].get(str(attempt.uid), [""])[0]
        for stream in Stream:
            log = self.read_log(attempt, stream)
            if whole and not attempt.log_complete:
                self.broken.append(f"{name}: its log is not complete: {attempt.log_note}")
            elif whole and (wrong := wrong_with(log)):
                self.broken.append(f"{name}: {stream}: {wrong}")
            if log and nonce_of(log) != testified:
                self.broken.append(f"{name}: {stream} is not of the start that testified")
            self.figures["log bytes"] += len(log)

    def _leftovers(self) -> None:
        try:
            wait_until(lambda: not self.left(), LEFT_SECONDS, "the engine is empty")
        except AssertionError:
            self.broken.append(f"left on the engine: {', '.join(self.left())}")
