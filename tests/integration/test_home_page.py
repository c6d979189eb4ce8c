"""The home page: what it tells, to whom, and that one part of it never takes another along."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any
from urllib.parse import unquote_plus

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs import day
from jobs.hello import IMAGE
from jobs.models import Job, Seen
from orchestrator import home
from orchestrator.local.image import SAMPLE
from projects.models import Project, Role
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db
BROKEN = "This part cannot be shown now"


@pytest.fixture
def etl() -> Project:
    return make_project("etl")


@pytest.fixture
def ada(etl: Project) -> User:
    return make_user("ada", project=etl)


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def shown(browser: Client, card: str = "attention", query: str = "") -> str:
    words = words_of(browser.get(f"/_/home/{card}{query}"))
    assert BROKEN not in words
    return words


def ago(**length: float) -> Any:
    return timezone.now() - timedelta(**length)


def ended(project: Project, *, minutes: float = 60, seconds: float = 60, **columns: Any) -> Job:
    """A job that ended so many minutes ago, after so many seconds."""
    at = ago(minutes=minutes)
    began = at - timedelta(seconds=seconds)
    given = {"state": "completed", "created_at": began, "started_at": began, "finished_at": at}
    return make_job(project=project, **given | columns)


def failed(project: Project, **columns: Any) -> Job:
    return ended(project, **{"state": "failed"} | columns)


# the start


@pytest.mark.parametrize("url", ["/", "/queue", "/jobs", "/providers"])
def test_who_belongs_to_no_project_is_told_so_and_whom_to_ask(url: str) -> None:
    make_provider("local")
    words = words_of(signed_in(make_user("nora")).get(url))
    assert "You belong to no project yet" in words
    assert "Ask an admin of one" in words
    assert "Add a provider" not in words
    assert "No provider yet" not in words
    assert "first job" not in words.replace("Run your first job · Gantry", "")


def test_an_empty_instance_starts_with_three_steps_and_one_button_runs_a_job(
    browser: Client, etl: Project
) -> None:
    assert "An operator of this instance has to add one" in words_of(browser.get("/"))
    provider = make_provider("local")
    words = words_of(browser.get("/"))
    assert "Run your first job" in words
    assert "local, Fake: 8 CPU and 16 GiB for jobs" in words
    for _ in "ab":  # a double click
        assert browser.post("/hello")["Location"] == "/"
    job = Job.objects.get()
    assert (job.project.slug, job.image) == ("etl", SAMPLE)
    assert "hello-world: pending. Waiting for the scheduler" in words_of(browser.get("/"))
    attempt = make_attempt(job=job, provider=provider, running_at=timezone.now())
    assert "It is shown here line by line" in shown(browser, "start")
    attempt.delete()
    Job.objects.filter(pk=job.pk).delete()
    ended(etl)
    assert "Your first job has run" in shown(browser, "start")
    assert "Nothing needs you" in words_of(browser.get("/"))


def test_the_first_job_uses_the_image_that_a_new_instance_makes() -> None:
    assert IMAGE == SAMPLE


def test_a_viewer_cannot_run_the_first_job(etl: Project) -> None:
    browser = signed_in(make_user("vera", project=etl, role=Role.VIEWER))
    assert browser.post("/hello").status_code == 403
    assert not Job.objects.exists()


def test_a_first_job_that_fails_is_told_on_the_ordinary_home(browser: Client, etl: Project) -> None:
    failed(etl, name="first", minutes=1)
    words = words_of(browser.get("/"))
    assert "1 thing needs you" in words
    assert "first failed with exit code 3" in words


# what wants attention


def test_a_failure_is_told_with_its_fix_until_it_is_acknowledged(
    browser: Client, etl: Project
) -> None:
    failed(etl, name="nightly", reason="oom_killed", memory_mb=2048)
    failed(etl, name="hourly", minutes=5)
    page = browser.get("/")
    words = words_of(page)
    assert "2 things need you" in words
    assert re.search(r"nightly ran out of memory etl, 1 h ago\. .*Rerun with 4 GiB", words)
    until = re.search(r'name="until" value="([^"]+)"', page.content.decode())
    assert until is not None
    mark = {"until": until[1], "kind": "failed", "project": etl.pk, "name": "nightly"}
    browser.post("/seen", mark)
    assert "nightly" not in shown(browser)
    assert "hourly" in shown(browser)
    later = failed(etl, name="nightly", minutes=-1)
    assert "nightly" in shown(browser)
    later.delete()
    browser.post("/seen", {"until": until[1]})
    assert "No failure that you have not seen" in shown(browser)
    assert Seen.objects.count() == 1


def test_what_failed_after_the_page_was_shown_is_not_acknowledged_with_it(
    browser: Client, etl: Project
) -> None:
    failed(etl, name="seen", minutes=10)
    failed(etl, name="unseen", minutes=1)
    browser.post("/seen", {"until": ago(minutes=5).isoformat()})
    assert "seen failed" not in shown(browser).replace("unseen failed", "")
    assert "unseen failed" in shown(browser)


def test_nobody_acknowledges_what_is_still_to_come(browser: Client, etl: Project) -> None:
    browser.post("/seen", {"until": (timezone.now() + timedelta(days=9)).isoformat()})
    assert Seen.objects.get().until <= timezone.now()


@pytest.mark.parametrize(
    "until", ["", "yesterday", "2026-01-31T12:00:00", "0001-01-01T00:00+23:59"]
)
def test_a_mark_without_a_time_is_refused(browser: Client, until: str) -> None:
    assert browser.post("/seen", {"until": until}).status_code == 400
    assert not Seen.objects.exists()


@pytest.mark.parametrize("project", ["0", "999999", "x", "-1", "9" * 30])
def test_a_mark_of_a_project_that_one_cannot_see_is_refused(browser: Client, project: str) -> None:
    form = {"until": ago(minutes=1).isoformat(), "project": project, "name": "x"}
    assert browser.post("/seen", form).status_code == 404


def test_each_person_has_marks_of_their_own(browser: Client, etl: Project) -> None:
    failed(etl, name="nightly")
    browser.post("/seen", {"until": timezone.now().isoformat()})
    other = signed_in(make_user("bob", project=etl))
    assert "nightly" in shown(other)


def test_nothing_is_missed_by_who_stays_away_for_days_and_a_new_person_begins_with_one(
    browser: Client, etl: Project, ada: User
) -> None:
    failed(etl, name="old", minutes=3 * 1440)
    ended(etl)
    assert "old" not in shown(browser)
    User.objects.filter(pk=ada.pk).update(date_joined=ago(days=50))
    assert "old" in shown(browser)
    failed(etl, name="ancient", minutes=9 * 1440)
    assert "ancient" not in shown(browser)


def test_a_failure_that_was_run_again_leaves_the_list_at_once(
    browser: Client, etl: Project
) -> None:
    job = failed(etl, name="nightly")
    assert "nightly" in shown(browser)
    browser.post(f"/jobs/{job.pk}/rerun")
    assert "nightly" not in shown(browser)


def test_a_program_that_runs_far_longer_than_its_like_is_told_with_its_last_output(
    browser: Client, etl: Project
) -> None:
    for n in range(6):
        ended(etl, name="train", minutes=100 + n, seconds=600)
    provider = make_provider("node-1")
    job = make_job(
        project=etl, name="train", state="running", provider=provider, started_at=ago(minutes=19)
    )
    make_attempt(job=job, provider=provider, running_at=ago(minutes=19))
    words = shown(browser)
    assert re.search(r"train has run 19 min( \d+ s)?, usually 10 min", words)
    assert "It has printed nothing. Nearly all of the last 6 took at most 10 min." in words
    assert "9 min over its usual" in shown(browser, "running")


def test_a_job_that_no_provider_will_ever_take_is_told(browser: Client, etl: Project) -> None:
    old = {"project": etl, "queued_at": ago(minutes=5), "reason_since": ago(minutes=5)}
    detail = {"need": "64 CPU", "largest": "8 CPU"}
    make_job(name="huge", reason="too_large", reason_detail=detail, **old)
    make_job(name="held", reason="held", held=True, **old)
    make_job(name="full", reason="no_capacity", **old)
    words = shown(browser)
    assert "huge is larger than any provider" in words
    assert "needs 64 CPU, the largest has 8 CPU" in words
    assert "Edit the spec" in words
    assert "held" not in words
    assert "full" not in words


def test_a_wait_is_told_from_when_it_became_hopeless_however_old_it_is(
    browser: Client, etl: Project, ada: User
) -> None:
    make_job(
        project=etl,
        name="huge",
        reason="too_large",
        queued_at=ago(days=30),
        created_at=ago(days=30),
        reason_since=ago(minutes=5),
    )
    assert "huge is larger than any provider" in shown(browser)
    browser.post("/seen", {"until": ago(minutes=4, seconds=30).isoformat()})
    assert "huge" in shown(browser)
    browser.post("/seen", {"until": ago(minutes=3).isoformat()})
    assert "huge" not in shown(browser)


def test_what_is_in_trouble_now_is_told_for_as_long_as_it_lasts(
    browser: Client, etl: Project
) -> None:
    for n in range(6):
        ended(etl, name="train", minutes=100 + n, seconds=600)
    since = {"queued_at": ago(days=20), "reason_since": ago(days=20)}
    make_job(project=etl, name="huge", reason="too_large", **since)
    provider = make_provider("node-1")
    given = {"state": "running", "provider": provider, "started_at": ago(days=12)}
    job = make_job(project=etl, name="train", **given)
    make_attempt(job=job, provider=provider, running_at=ago(days=12))
    words = shown(browser)
    assert "huge is larger than any provider" in words
    assert "train has run" in words
    mark = {"until": ago(seconds=1).isoformat(), "project": etl.pk, "name": "train"}
    browser.post("/seen", mark | {"kind": "failed"})
    assert "train has run" in shown(browser)
    browser.post("/seen", mark | {"kind": "overlong"})
    words = shown(browser)
    assert "huge is larger than any provider" in words
    assert "train has run" not in words


def test_marks_of_single_things_do_not_pile_up(browser: Client, etl: Project, ada: User) -> None:
    Seen.objects.bulk_create(
        Seen(user=ada, project=etl, kind="failed", name=f"n-{n}", until=ago(hours=30 - n / 10))
        for n in range(250)
    )
    mark = {"until": ago(seconds=1).isoformat(), "project": etl.pk, "name": "last"}
    browser.post("/seen", mark | {"kind": "waits"})
    names = set(Seen.objects.filter(user=ada).values_list("name", flat=True))
    assert names == {"last", *(f"n-{n}" for n in range(51, 250))}
    browser.post("/seen", {"until": ago(seconds=1).isoformat()})
    assert [one.name for one in Seen.objects.filter(user=ada)] == [""]


def test_a_mark_of_an_unknown_kind_is_refused(browser: Client, etl: Project) -> None:
    form = {"until": ago(minutes=1).isoformat(), "project": etl.pk, "name": "x", "kind": "all"}
    assert browser.post("/seen", form).status_code == 400
    assert not Seen.objects.exists()


def test_a_provider_that_does_not_answer_is_told_and_an_operator_may_test_it(
    browser: Client, etl: Project
) -> None:
    gone = {"health": "unreachable", "last_error": "TLS handshake failed."}
    make_provider("swarm-ci", unreachable_since=ago(minutes=3), **gone)
    words = shown(browser)
    assert "swarm-ci has not answered for 3 min TLS handshake failed." in words
    assert "Test it" not in words
    assert "Test it" in shown(signed_in(make_user("root", superuser=True)))


def test_a_failure_after_which_a_run_completed_is_listed_and_needs_nobody(
    browser: Client, etl: Project
) -> None:
    failed(etl, name="nightly", minutes=90)
    ended(etl, name="nightly", minutes=5)
    words = shown(browser)
    assert "Nothing needs you" in words
    assert "nightly failed with exit code 3" in words
    assert "It has completed since." in words


def test_a_failure_can_be_changed_only_by_who_may(etl: Project) -> None:
    failed(etl, name="nightly")
    words = shown(signed_in(make_user("vera", project=etl, role=Role.VIEWER)))
    assert "nightly" in words
    assert "Rerun" not in words


def test_the_list_stays_short_and_says_how_much_more_there_is(
    browser: Client, etl: Project
) -> None:
    for n in range(9):
        failed(etl, name=f"job-{n}")
    assert "9 things need you" in shown(browser)
    assert "3 more jobs" in shown(browser)


# the other cards


def test_a_stranger_sees_nothing_of_others(etl: Project, ada: User) -> None:
    node = make_provider("node-1")
    failed(etl, name="secret-a")
    make_job(project=etl, name="secret-b", state="running", provider=node, started_at=ago(hours=1))
    ended(etl, name="secret-c", submitted_by=ada)
    other = make_project("other")
    stranger = signed_in(make_user("eve", project=other))
    ended(other, name="own")
    page = words_of(stranger.get("/"))
    assert "secret" not in page
    assert "Nothing needs you No job runs, none waits" in page
    for card in home.BY_NAME:
        assert "secret" not in shown(stranger, card)
    assert "1completed 0failed 0cancelled 0under way" in shown(stranger, "day")


def test_mine_narrows_the_page_to_what_a_person_submitted(
    browser: Client, etl: Project, ada: User
) -> None:
    failed(etl, name="others")
    failed(etl, name="own", submitted_by=ada)
    assert "others" in shown(browser)
    words = shown(browser, query="?whose=mine")
    assert "own failed" in words
    assert "others" not in words
    assert "1failed" in shown(browser, "day", "?whose=mine")


def test_each_number_is_that_of_the_list_it_leads_to(
    browser: Client, etl: Project, ada: User
) -> None:
    for state, number in {"completed": 7, "failed": 3, "pending": 2, "running": 4}.items():
        for n in range(number):
            columns: dict[str, Any] = {"started_at": ago(minutes=30)} if state == "running" else {}
            made = make_job(project=etl, state=state, created_at=ago(hours=n), **columns)
            if n == 0:
                Job.objects.filter(pk=made.pk).update(submitted_by=ada)
    ended(etl, minutes=26 * 60)
    for query in ("", "?whose=mine"):
        markup = browser.get(f"/_/home/day{query}").content.decode()
        links = re.findall(r'href="/jobs\?([^"]+)"><b>([\d,]+)</b>', markup)
        assert len(links) == 4
        for link, count in links:
            assert rows_of(browser, link) == int(count), unquote_plus(link)
        hours = re.findall(
            r'href="/jobs\?([^"]+)"\s+aria-label="[\d:]+ to [\d:]+: ([^"]+)"', markup
        )
        assert hours
        for link, told in hours:
            count = sum(int(n) for n in re.findall(r"(\d+) [a-z]", told))
            assert rows_of(browser, link) == count, unquote_plus(link)
    words = shown(browser)
    markup = browser.get("/_/home/attention").content.decode()
    for pattern, count in ((r'\?([^"]+)">4 jobs run', 4), (r'\?([^"]+)">2 wait', 2)):
        link = re.search(pattern, markup)
        assert link is not None, words
        assert rows_of(browser, link[1]) == count


def test_a_day_of_more_jobs_than_there_is_time_for_says_how_far_it_was_counted(
    browser: Client, etl: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        ended(etl, minutes=100 - n)
    monkeypatch.setattr(day, "FIRST_SIZE", 2)
    monkeypatch.setattr(day, "clock", lambda: 0.0)
    words = shown(browser, "day")
    assert "5completed" in words
    assert "Counted back to" not in words
    monkeypatch.setattr(day, "clock", itertools.count().__next__)
    words = shown(browser, "day")
    assert "2completed" in words
    assert "Counted back to" in words


def test_the_median_wait_is_of_those_that_began_at_the_first_try(
    browser: Client, etl: Project
) -> None:
    at = ago(hours=3)  # as those of one call all are
    for wait, attempt in ((10, 1), (20, 1), (90, 1), (4000, 2)):
        began = at + timedelta(seconds=wait)
        make_job(project=etl, state="completed", created_at=at, started_at=began, attempt=attempt)
    make_job(project=etl)
    assert "20 smedian wait" in shown(browser, "day")


def rows_of(browser: Client, query: str) -> int:
    """How many rows the list of that query has."""
    page = browser.get(f"/_/jobs/rows?{query.replace('&amp;', '&')}").content.decode()
    return len(re.findall(r'<tr id="job-', page))


def test_my_jobs_are_the_latest_of_each_name_with_the_last_runs_of_it(
    browser: Client, etl: Project, ada: User
) -> None:
    for n in range(3):
        ended(etl, name="nightly", minutes=60 - n, submitted_by=ada)
    failed(etl, name="nightly", minutes=5, seconds=90, submitted_by=ada)
    make_job(project=etl, name="other", submitted_by=ada)
    markup = browser.get("/_/home/mine").content.decode()
    assert markup.count("<li ") == 2
    assert "Last 4 runs: 1 failed, 3 completed" in markup
    assert "1 min 30 s" in markup


def test_capacity_names_what_is_free_and_of_many_providers_the_fullest(
    browser: Client, etl: Project
) -> None:
    busy = make_provider("zz-busy")
    make_attempt(provider=busy)
    assert "7 of 8 free" in shown(browser, "capacity")
    for n in range(12):
        make_provider(f"idle-{n:02}")
    words = shown(browser, "capacity")
    assert "All 13 providers" in words
    assert "zz-busy" in words
    assert "idle-11" not in words


def test_a_card_that_cannot_be_shown_leaves_the_others_alone(
    browser: Client, etl: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret internals")

    failed(etl, name="nightly")
    monkeypatch.setattr(home, "day_of", broken)
    page = browser.get("/", headers={"X-Request-Id": "my-request-9"})
    words = words_of(page)
    assert page.status_code == 200
    assert words.count(BROKEN) == 1
    assert "my-request-9" in words
    assert "secret internals" not in words
    assert "nightly failed" in words
    assert BROKEN in words_of(browser.get("/_/home/day"))


def test_without_what_wants_attention_the_page_still_has_its_title(
    browser: Client, etl: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no")

    ended(etl)
    monkeypatch.setattr(home, "attention", broken)
    page = browser.get("/")
    assert "<h1>Home</h1>" in page.content.decode()
    assert words_of(page).count(BROKEN) == 1
