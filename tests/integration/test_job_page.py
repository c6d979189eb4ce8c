"""The page of one job: a true sentence for each state, its failure, its live regions."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import job_page
from jobs.models import Attempt, Job
from projects.models import Event, Project
from providers.driver import LogFrame, Stream
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.log_rows import append
from tests.support.pages import signed_in, title_of, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(project: Project) -> Client:
    return signed_in(make_user("ada", project=project))


def ago(seconds: float) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


def failed_attempt(job: Job, number: int = 1, **columns: Any) -> Attempt:
    attempt = make_attempt(job=job, phase="ended", number=number, **columns)
    attempt.outcome = "failed"
    attempt.save(update_fields=["outcome"])
    return attempt


def said(browser: Client, job: Job) -> str:
    return words_of(browser.get(f"/_/jobs/{job.pk}/header"))


def test_a_waiting_job_says_why_and_since_when(browser: Client, project: Project) -> None:
    job = make_job(
        project=project,
        reason="no_capacity",
        reason_detail={"need": "24 GiB of memory", "best": "node-2"},
        queued_at=ago(192),
    )
    words = said(browser, job)
    assert "needs 24 GiB of memory" in words
    assert re.search(r"In the queue for 3 min \d+ s\.", words)


def test_a_held_job_is_released_by_a_button(browser: Client, project: Project) -> None:
    job = make_job(project=project, reason="held", held=True)
    assert "Release" in said(browser, job)
    response = browser.post(f"/jobs/{job.pk}/release")
    assert (response.status_code, response["Location"]) == (302, f"/jobs/{job.pk}")
    job.refresh_from_db()
    assert not job.held


def test_a_retry_says_when_it_is_due(browser: Client, project: Project) -> None:
    job = make_job(project=project, reason="backoff", attempt=1, not_before=ago(-95))
    assert "due in 1 min 3" in said(browser, job)
    job.not_before = ago(5)
    job.save()
    assert "due now" in said(browser, job)


def test_a_running_job_says_for_how_long_and_where(browser: Client, project: Project) -> None:
    provider = make_provider("node-2")
    job = make_job(state="running", project=project, provider=provider, started_at=ago(401))
    make_attempt(job=job, provider=provider, running_at=ago(401))
    assert re.search(r"Running for 6 min \d+ s on node-2\.", said(browser, job))


def test_a_job_out_of_sight_is_not_called_running_happily(
    browser: Client, project: Project
) -> None:
    provider = make_provider("node-2")
    job = make_job(state="running", project=project, provider=provider, started_at=ago(60))
    make_attempt(job=job, provider=provider, running_at=ago(60), not_seen_since=ago(30))
    words = said(browser, job)
    assert "Not seen since" in words
    assert "may still run there" in words


def test_each_failure_reads_differently_and_offers_something(
    browser: Client, project: Project
) -> None:
    cases: dict[str, dict[str, Any]] = {
        "exit_code": {"exit_code": 3},
        "oom_killed": {"memory_mb": 512},
        "timeout": {"limit": "30 min"},
        "image_not_found": {"image": "nope:1", "message": "manifest unknown"},
        "could_not_start": {"message": "nope: not found"},
        "provider_lost": {"provider": "node-1", "message": "gone"},
    }
    seen = set()
    for reason, detail in cases.items():
        job = make_job(state="failed", project=project, reason=reason, reason_detail=detail)
        page = browser.get(f"/jobs/{job.pk}")
        words = words_of(page)
        seen.add(words[words.index("Failed") : words.index("Phases") if "Phases" in words else -1])
        assert "What to do" in words, reason
        assert f"/jobs/new?from={job.pk}" in page.content.decode()
    assert len(seen) == len(cases)


def test_the_fix_for_too_little_memory_fills_the_form_with_twice_as_much(
    browser: Client, project: Project
) -> None:
    job = make_job(
        state="failed",
        project=project,
        reason="oom_killed",
        reason_detail={"memory_mb": 512},
        spec={"resources": {"memory_mb": 512}},
    )
    assert "Rerun with 1 GiB" in said(browser, job)
    form = browser.get(f"/jobs/new?from={job.pk}&memory_mb=1024").content.decode()
    assert 'name="memory" value="1024"' in form


def test_the_last_error_lines_stand_harmless_in_the_failure_panel(
    browser: Client, project: Project
) -> None:
    job = make_job(state="failed", project=project)
    attempt = failed_attempt(job, running_at=ago(9))
    out, err = Stream.STDOUT, Stream.STDERR
    said_by_it = [(out, b"fine\n"), (err, b"\x1b[31m<script>boom()</script>\x1b[0m\n")]
    append(attempt, [LogFrame(s, n, data, True, True) for n, (s, data) in enumerate(said_by_it)])
    page = browser.get(f"/jobs/{job.pk}")
    panel = page.content.decode().partition("lasterr")[2].partition("</section>")[0]
    assert "&lt;script&gt;boom()&lt;/script&gt;" in panel
    assert "\x1b" not in panel
    assert "fine" not in panel
    assert "<script>boom" not in page.content.decode()


@pytest.mark.parametrize(
    ("printed", "told", "button"),
    [
        ("fine\nERROR: no such table\nbye\n", "its last lines tell why", "the error, line 2"),
        ("a\nERROR: b\n" + "more\n" * 7, "its last lines tell why", "the error, line 2"),
        ("fine\nbye\n", "its last lines may tell why", "See the end of its log"),
        ("", "and it printed nothing. Let it print more", ""),
    ],
)
def test_a_failure_leads_to_its_log_by_what_that_says(
    browser: Client, project: Project, printed: str, told: str, button: str
) -> None:
    job = make_job(state="failed", project=project, reason="exit_code", exit_code=1)
    attempt = failed_attempt(job, running_at=ago(9), log_complete=True)
    lines = printed.encode().splitlines(keepends=True)
    append(attempt, [LogFrame(Stream.STDOUT, n, line, True, True) for n, line in enumerate(lines)])
    words = said(browser, job)
    assert f"The program itself said that it failed{';' if printed else ','} {told}" in words
    found = [way for way in ("the error, line 2", "See the end of its log") if way in words]
    assert found == [button] * bool(button)
    assert ("Jump to the error" in words) is ("ERROR" in printed)
    assert ("It printed nothing." in words) is (not printed)


def test_a_log_that_was_lost_is_not_told_to_be_empty(browser: Client, project: Project) -> None:
    job = make_job(state="failed", project=project, reason="exit_code", exit_code=1)
    failed_attempt(job, running_at=ago(9), log_complete=False)
    words = said(browser, job)
    assert "printed nothing" not in words
    assert "last lines" not in words
    assert "to the error" not in words


def test_tries_beyond_those_of_the_job_are_told_to_be_gantrys_own(
    browser: Client, project: Project
) -> None:
    job = make_job(state="failed", project=project, reason="registry_unreachable", attempt=4)
    failed_attempt(job, 4)
    assert "Failed after 4 attempts" in said(browser, job)
    told = "tries that fail through no fault of the job are Gantry's own and not counted"
    assert told in words_of(browser.get(f"/_/jobs/{job.pk}/facts"))


def test_a_deleted_provider_is_named_and_leads_nowhere(browser: Client, project: Project) -> None:
    gone = make_provider("node-2", deleted_at=timezone.now())
    completed = make_job(state="completed", project=project, provider=gone)
    lost = make_job(state="failed", project=project, provider=gone, reason="provider_lost")
    failed_attempt(lost, provider=gone)
    for job in (completed, lost):
        page = browser.get(f"/jobs/{job.pk}")
        assert "was deleted" in words_of(page)
        assert f'href="/providers/{gone.pk}"' not in page.content.decode()
    assert f'href="/providers/{gone.pk}"' not in browser.get("/").content.decode()


@pytest.mark.parametrize("reason", ["cancelled", "timeout"])
@pytest.mark.parametrize(
    ("late", "code", "killed"), [(10, 137, True), (3, 137, False), (10, 0, False)]
)
def test_a_program_that_outstayed_its_grace_is_told_to_have_been_killed(
    browser: Client, project: Project, reason: str, late: int, code: int, killed: bool
) -> None:
    asked, limit = ago(60), 30
    job = make_job(
        state="cancelled" if reason == "cancelled" else "failed", project=project, reason=reason,
        cancel_requested_at=asked if reason == "cancelled" else None, exit_code=code,
        spec={"resources": {"timeout_seconds": limit}},
    )  # fmt: skip
    make_attempt(
        job=job, phase="ended", started_at=asked - timedelta(seconds=limit), exit_code=code,
        finished_at=asked + timedelta(seconds=late),
    )  # fmt: skip
    told = "the program went on for 10 s after it was asked to end, and was killed"
    assert (told in said(browser, job)) is killed


def test_the_tab_title_tells_the_state_and_so_does_the_live_region(
    browser: Client, project: Project
) -> None:
    job = make_job(state="failed", project=project, name="load", reason="oom_killed")
    title = f"{job.pk} load, failed, out of memory · Gantry"
    assert title_of(browser.get(f"/jobs/{job.pk}")) == title
    assert f'data-title="{title}"' in browser.get(f"/_/jobs/{job.pk}/header").content.decode()


def test_the_log_opens_at_the_latest_attempt_or_at_the_one_asked_for(
    browser: Client, project: Project
) -> None:
    job = make_job(state="failed", project=project, attempt=2)
    for number in (1, 2):
        failed_attempt(job, number)
    page = browser.get(f"/jobs/{job.pk}").content.decode()
    assert 'data-attempt="2"' in page
    assert 'data-follow-latest="true"' in page
    page = browser.get(f"/jobs/{job.pk}?attempt=1").content.decode()
    assert 'data-attempt="1"' in page
    assert 'data-follow-latest="false"' in page
    for beyond in ("9", "0", "-1", "x", "9" * 30):
        page = browser.get(f"/jobs/{job.pk}?attempt={beyond}").content.decode()
        assert 'data-attempt="2"' in page, beyond


def test_a_cancel_asks_and_the_page_says_who_asked(browser: Client, project: Project) -> None:
    job = make_job(state="running", project=project)
    make_attempt(job=job, provider=job.provider)
    browser.post(f"/jobs/{job.pk}/cancel")
    assert "Stopping, asked by ada" in said(browser, job)


def test_a_cancel_that_comes_too_late_is_told_not_hidden(browser: Client, project: Project) -> None:
    job = make_job(state="completed", project=project)
    response = browser.post(f"/jobs/{job.pk}/cancel", follow=True)
    assert "has already ended" in words_of(response)


def test_a_rerun_is_a_new_job_that_names_the_old_one(browser: Client, project: Project) -> None:
    job = make_job(state="failed", project=project, spec={"secret_env": {"TOKEN": "hush"}})
    response = browser.post(f"/jobs/{job.pk}/rerun")
    again = Job.objects.get(rerun_of=job)
    assert response["Location"] == f"/jobs/{again.pk}"
    assert f'href="/jobs/{job.pk}"' in browser.get(f"/jobs/{again.pk}").content.decode()


def forms_of(page: str, action: str) -> list[dict[str, str]]:
    """What each form to that address sends besides its mark of the session."""
    forms = re.findall(rf'<form[^>]*action="{action}">(.*?)</form>', page, re.S)
    hidden = r'<input type="hidden"\s+name="(?!csrf)(\w+)"\s+value="(\d+)"'
    return [dict(re.findall(hidden, form)) for form in forms]


def test_a_button_of_a_rerun_pressed_twice_makes_one_job(browser: Client, project: Project) -> None:
    job = make_job(state="failed", project=project, reason="oom_killed")
    url = f"/jobs/{job.pk}/rerun"
    page, live = browser.get(f"/jobs/{job.pk}"), f"/_/jobs/{job.pk}/header"
    mark = browser.get(live)["ETag"]
    forms = forms_of(page.content.decode(), url)
    assert len(forms) > 1, "as it was, and with more memory"
    made = [{browser.post(url, form)["Location"] for _ in "ab"} for form in forms]
    assert all(len(one) == 1 for one in made)
    distinct = len({tuple(sorted(form.items())) for form in forms})
    assert job.reruns.count() == distinct > 1
    # Who comes back and means it is shown a button that makes another one.
    later = browser.get(live, headers={"If-None-Match": mark})
    assert later.status_code == 200
    browser.post(url, forms_of(later.content.decode(), url)[0])
    assert job.reruns.count() == distinct + 1


def test_a_rerun_from_home_pressed_twice_makes_one_job(browser: Client, project: Project) -> None:
    job = make_job(state="failed", project=project, reason="registry_unreachable")
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now())
    url = f"/jobs/{job.pk}/rerun"
    (form,) = forms_of(browser.get("/").content.decode(), url)
    assert len({browser.post(url, form)["Location"] for _ in "ab"}) == 1
    assert job.reruns.count() == 1


def test_a_phase_leads_to_what_happened_in_it_and_to_the_log_of_its_attempt(
    browser: Client, project: Project
) -> None:
    job = make_job(state="running", project=project, provider=make_provider(), created_at=ago(100))
    stamps = {"placed_at": ago(90), "pulling_at": ago(80), "running_at": ago(50)}
    make_attempt(job=job, provider=job.provider, **stamps)
    happened = {"job.placed": "placed_at", "attempt.pulling": "pulling_at"}
    for type_, stamp in {**happened, "attempt.running": "running_at"}.items():
        Event.objects.create(
            subject_kind="job", subject_id=job.pk, project_id=project.pk, type=type_,
            at=stamps[stamp], actor_kind="system",
        )  # fmt: skip
    bar = browser.get(f"/_/jobs/{job.pk}/header").content.decode()
    phases = re.findall(r'href="\?tab=events&amp;phase=(\d)"\s+aria-label="(\w+)', bar)
    assert phases == [("1", "Queued"), ("2", "Placed"), ("3", "Pulling"), ("4", "Running")]
    for address in (f"/jobs/{job.pk}?tab=events&phase=3", f"/_/jobs/{job.pk}/events?phase=3"):
        page = browser.get(address)
        words = words_of(page)
        assert re.search(r"Pulling 30 s, [\d:]+ to [\d:]+ Its log All events", words)
        assert "Attempt pulling" in words
        assert "Attempt running" in words
        assert "Placed through" not in words
        assert 'href="?attempt=1">Its log' in page.content.decode()
    last = words_of(browser.get(f"/jobs/{job.pk}?tab=events&phase=4"))
    assert "Attempt running" in last
    assert "Attempt pulling" not in last
    for beyond in ("0", "5", "x", "%C2%BD", "9" * 30):
        everything = words_of(browser.get(f"/jobs/{job.pk}?tab=events&phase={beyond}"))
        assert "Attempt pulling" in everything
        assert "All events" not in everything


def test_of_many_reruns_the_newest_are_shown_and_it_is_said_that_there_are_more(
    browser: Client, project: Project
) -> None:
    job = make_job(state="failed", project=project, name="nightly")
    made = [make_job(project=project, name="nightly", rerun_of=job).pk for _ in range(5)]
    make_job(project=project, name="nightly-report")
    facts = browser.get(f"/_/jobs/{job.pk}/facts")
    assert f"Reruns {' '.join(map(str, reversed(made)))} Priority" in words_of(facts)
    made.append(make_job(project=project, name="nightly", rerun_of=job).pk)
    Job.objects.filter(pk=job.pk).update(rev=F("rev") + 1)
    facts = browser.get(f"/_/jobs/{job.pk}/facts")
    assert f"Reruns {' '.join(map(str, reversed(made[1:])))} and 1 more; all jobs" in words_of(
        facts
    )
    others = re.search(r'href="(/jobs\?[^"]+)">all jobs of this name', facts.content.decode())
    assert others is not None
    listed = browser.get(html.unescape(others[1])).content.decode()
    assert len(re.findall(r'id="job-\d+"', listed)) == 7


def test_secret_values_appear_on_no_page(browser: Client, project: Project) -> None:
    job = make_job(state="failed", project=project, spec={"secret_env": {"TOKEN": "hush-hush"}})
    for url in (
        f"/jobs/{job.pk}",
        f"/jobs/{job.pk}?tab=spec",
        f"/jobs/{job.pk}?tab=events",
        f"/jobs/new?from={job.pk}",
    ):
        page = browser.get(url).content.decode()
        assert "hush-hush" not in page
        assert "TOKEN" in page or "events" in url


def test_an_unchanged_region_costs_304_and_a_changed_one_is_sent(
    browser: Client, project: Project
) -> None:
    job = make_job(state="completed", project=project)
    url = f"/_/jobs/{job.pk}/header"
    first = browser.get(url)
    assert "no-cache" in first["Cache-Control"]
    assert "private" in first["Cache-Control"]
    again = browser.get(url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    Job.objects.filter(pk=job.pk).update(rev=F("rev") + 1)
    assert browser.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_a_known_header_of_a_failed_job_is_told_without_reading_its_log(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(state="failed", project=project)
    url = f"/_/jobs/{job.pk}/header"
    mark = browser.get(url)["ETag"]

    def gathered(*_: object) -> None:
        raise AssertionError("it is known")

    monkeypatch.setattr(job_page, "header", gathered)
    assert browser.get(url, headers={"If-None-Match": mark}).status_code == 304


def test_one_viewers_mark_is_not_another_ones(browser: Client, project: Project) -> None:
    job = make_job(state="completed", project=project)
    url = f"/_/jobs/{job.pk}/header"
    mark = browser.get(url)["ETag"]
    other = signed_in(make_user(project=project, role="viewer"))  # type: ignore[arg-type]
    response = other.get(url, headers={"If-None-Match": mark})
    assert response.status_code == 200
    assert "Rerun" not in words_of(response)


def test_the_number_of_queries_does_not_grow_with_attempts_and_events(
    browser: Client, project: Project
) -> None:
    def queries(job: Job) -> list[int]:
        counts = []
        for url in (f"/jobs/{job.pk}", f"/jobs/{job.pk}?tab=events"):
            with CaptureQueriesContext(connection) as captured:
                browser.get(url)
            counts.append(len(captured))
        return counts

    few, many = (make_job(state="failed", project=project, attempt=n) for n in (1, 9))
    failed_attempt(few)
    for number in range(1, 10):
        failed_attempt(many, number)
    assert queries(many) == queries(few)
