"""The oracle can say no: each witness and each comparison is shown a fault."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from providers import leases
from tests.chaos.ground import Ground
from tests.chaos.oracle.asked import Asked, Kind
from tests.chaos.oracle.chains import wrong_in
from tests.chaos.oracle.checker import Checker
from tests.chaos.oracle.program import nonce_of, script, wrong_with
from tests.chaos.oracle.witnesses import StartsFile
from tests.chaos.oracle.writers import Writers, writers
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_provider
from tests.support.databases import models_on, own_database


@dataclass
class Step:
    type: str
    source: str
    target: str


STORY = [
    Step("job.placed", "pending", "scheduled"),
    Step("attempt.creating", "placed", "creating"),
    Step("attempt.starting", "creating", "starting"),
    Step("attempt.running", "starting", "running"),
    Step("job.started", "scheduled", "running"),
    Step("attempt.ended", "running", "ended"),
    Step("job.completed", "running", "completed"),
]


def test_a_story_that_follows_the_tables_is_right() -> None:
    assert wrong_in(STORY, "completed") == []


@pytest.mark.parametrize(
    ("story", "words"),
    [
        ([*STORY, STORY[-1]], "job.completed goes running → completed while it was completed"),
        (STORY[:3] + STORY[2:], "attempt.starting goes creating → starting while it was starting"),
        (STORY[:2] + STORY[3:], "attempt.running goes starting → running while it was creating"),
        (STORY[:1] + STORY, "placed while its last attempt was placed"),
        (STORY[:-1], "lead to running, but it is completed"),
    ],
)
def test_a_doubled_or_missing_transition_is_found(story: list[Step], words: str) -> None:
    assert any(words in sentence for sentence in wrong_in(story, "completed"))


def test_a_log_is_held_against_what_the_program_printed(tmp_path: Path) -> None:
    program = script(lines=3, pause=0).replace("/tmp/", f"{tmp_path}/")
    program = program.replace("/oracle/", f"{tmp_path}/")
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        env={"GANTRY_ATTEMPT_UID": "some-uid", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    seen = StartsFile(tmp_path).starts()
    assert seen == {"some-uid": [nonce_of(done.stdout)]}
    for log in (done.stdout, done.stderr):
        assert wrong_with(log) == ""
        assert "hash" in wrong_with(log[:-5])
        assert "not what the program printed" in wrong_with(log.replace(b" 2\n", b" 2\n2\n", 1))
        assert "not what the program printed" in wrong_with(log.replace(b" 2\n", b"\n", 1))
    assert "hash" in wrong_with(b"")


class Told:
    """A witness with a story of its own."""

    name = "somebody"

    def __init__(self, starts: dict[str, list[str]]) -> None:
        self._starts = starts

    def starts(self) -> dict[str, list[str]]:
        return self._starts


@pytest.mark.django_db
def test_the_checker_finds_second_starts_unknown_starts_and_ends_without_a_start() -> None:
    job = make_job(state="completed", reason="succeeded")
    attempt = make_attempt(phase="ended", job=job, reason="succeeded")
    twice = Told({str(attempt.uid): ["", ""]})
    stranger = Told({"somebody-else": [""]})
    for witness, words in [
        (twice, "started 2 times"),
        (stranger, "which no job has"),
        (stranger, "without a start"),
    ]:
        checker = Checker([witness], None, list)
        verdict = checker.check([Asked(job.pk, Kind.WHOLE)])
        assert any(words in sentence for sentence in verdict.broken), verdict.broken


@pytest.mark.django_db
def test_the_checker_finds_a_job_that_was_failed_by_us() -> None:
    job = make_job(state="failed", reason="provider_lost")
    verdict = Checker([Told({})], None, list).check([Asked(job.pk, Kind.WHOLE)])
    assert any(f"job {job.pk} (whole) is failed" in sentence for sentence in verdict.broken)


@pytest.fixture
def detector(chaos_ground: Ground) -> Iterator[Writers]:
    with (
        own_database(chaos_ground.server_url, chaos_ground.template) as url,
        models_on(url),
        writers(chaos_ground.data_dir, chaos_ground.server_url, url) as made,
    ):
        yield made


def test_a_write_that_lands_after_a_takeover_is_detected(detector: Writers) -> None:
    provider = make_provider()
    name = leases.provider_lease(provider.pk)
    attempt = make_attempt(phase="creating", provider=provider)
    move = "UPDATE jobs_attempt SET log_note = %s WHERE id = %s"
    raised = "UPDATE providers_lease SET term = term + 1 WHERE name = %s"
    with (
        psycopg.connect(detector.url("old")) as old,
        psycopg.connect(detector.url("new")) as new,
    ):
        old.execute(
            "INSERT INTO providers_lease (name, holder, term, expires_at, acquired_at)"
            " VALUES (%s, 'old', 1, now(), now())",
            [name],
        )
        old.commit()
        old.execute(move, ["in time", attempt.pk])
        old.commit()
        assert (detector.stale(), detector.seen()) == ([], 1)
        old.execute(move, ["too late", attempt.pk])
        new.execute(raised, [name])
        new.commit()
        old.commit()
    (sentence,) = detector.stale()
    assert "jobs_attempt" in sentence
    assert detector.takeovers() == 1
