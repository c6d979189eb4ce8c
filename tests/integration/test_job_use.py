"""What attempts use: as the API tells it, on the page, as evidence, and until it is deleted."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Attempt, StatPage
from jobs.retention import delete_stats
from projects.models import Project
from tests.support.attempts import make_attempt
from tests.support.builders import bearer, make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of
from tests.support.readings import MIB, measure

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def running(project: Project, **columns: Any) -> Attempt:
    job = make_job(state="running", project=project, provider=make_provider(), started_at=ago(60))
    return make_attempt(job=job, provider=job.provider, running_at=ago(60), **columns)


def test_the_api_tells_readings_limits_and_peak(project: Project) -> None:
    attempt = running(project)
    measure(attempt, (15, 500, 100), (10, 900, 300), (5, 100, 200))
    client = Client(**bearer(make_user(project=project)))  # type: ignore[arg-type]
    told = client.get(f"/api/v1/jobs/{attempt.job_id}/stats").json()
    assert told["attempt"] == 1
    assert told["limits"] == {"cpu_cores": 1.0, "memory_bytes": 512 * MIB}
    assert [one["memory_bytes"] // MIB for one in told["items"]] == [100, 300, 200]
    assert [one["cpu_cores"] for one in told["items"]] == [0.5, 0.9, 0.1]
    assert told["use"]["memory_bytes_peak"] == 300 * MIB
    assert told["use"]["cpu_cores_peak"] == 0.9
    few = client.get(f"/api/v1/jobs/{attempt.job_id}/stats?points=1").json()["items"]
    assert [(one["memory_bytes"] // MIB, one["cpu_cores"]) for one in few] == [(300, 0.5)]


def test_a_job_without_a_try_has_no_readings_and_a_try_that_is_not_there_is_404(
    project: Project,
) -> None:
    job = make_job(project=project)
    client = Client(**bearer(make_user(project=project)))  # type: ignore[arg-type]
    assert client.get(f"/api/v1/jobs/{job.pk}/stats").json()["items"] == []
    assert client.get(f"/api/v1/jobs/{job.pk}/stats?attempt=1").status_code == 404
    assert client.get(f"/api/v1/jobs/{job.pk}/stats?points=0").status_code == 422


def test_the_page_says_it_in_words_against_the_limits(project: Project) -> None:
    attempt = running(project)
    browser = signed_in(make_user(project=project))
    assert "The first reading comes" in words_of(browser.get(f"/_/jobs/{attempt.job_id}/use"))
    measure(attempt, (10, 1000, 400), (5, 250, 128))
    words = words_of(browser.get(f"/_/jobs/{attempt.job_id}/use"))
    assert "128 of 512 MiB memory" in words
    assert "peak 400 MiB" in words
    assert "0.25 of 1 CPU" in words


def test_the_page_draws_it_under_the_line_of_the_limit(project: Project) -> None:
    attempt = running(project)
    measure(attempt, (20, 500, 128), (10, 1000, 256), (5, 250, 512))
    page = signed_in(make_user(project=project)).get(f"/jobs/{attempt.job_id}").content.decode()
    lines = re.findall(r'class="line" d="M([^"]+)"', page)
    heights = [[float(place.split()[1]) for place in line.split("L")] for line in lines]
    memory, cpu = heights
    assert memory == sorted(memory, reverse=True), "memory rises"
    assert cpu[1] == min(cpu), "CPU was highest in between"
    limits = [float(found) for found in re.findall(r'class="limit" d="M0 ([\d.]+)H', page)]
    assert limits == [memory[2], cpu[1]], "each limit is as high as what has reached it"


def test_what_cannot_be_measured_takes_no_place_on_the_page(project: Project) -> None:
    attempt = running(project)
    Attempt.objects.filter(pk=attempt.pk).update(running_at=ago(600))
    browser = signed_in(make_user(project=project))
    assert words_of(browser.get(f"/_/jobs/{attempt.job_id}/use")) == ""


def test_readings_that_have_become_old_say_so(project: Project) -> None:
    attempt = running(project)
    measure(attempt, (300, 1000, 400))
    browser = signed_in(make_user(project=project))
    assert "The last reading is of" in words_of(browser.get(f"/_/jobs/{attempt.job_id}/use"))


def test_the_peak_is_evidence_where_memory_ran_out(project: Project) -> None:
    job = make_job(
        state="failed", project=project, provider=make_provider(), reason="oom_killed",
        reason_detail={"memory_mb": 512}, exit_code=137, finished_at=ago(5),
    )  # fmt: skip
    attempt = make_attempt(
        job=job, provider=job.provider, phase="ended", ended_at=ago(5), running_at=ago(60),
        exit_code=137, reason="oom_killed",
    )  # fmt: skip
    browser = signed_in(make_user(project=project))
    page = f"/_/jobs/{job.pk}/header"
    assert "ended before it could be measured" in words_of(browser.get(page))
    measure(attempt, (10, 1000, 509))
    words = words_of(browser.get(page))
    assert "highest reading 509 of 512 MiB" in words
    assert "1 GiB fits on" in words


def test_more_memory_that_has_to_wait_names_what_is_short_and_only_who_is_known_to_be_large_enough(
    project: Project,
) -> None:
    job = make_job(state="failed", project=project, reason="oom_killed", finished_at=ago(5))
    make_provider("a-stranger", health="unknown", found_cpu_millis=0, found_memory_mb=0)
    browser = signed_in(make_user(project=project))
    page = f"/_/jobs/{job.pk}/header"
    words = "No provider that suits it is known to be large enough for it with 1 GiB."
    assert words in words_of(browser.get(page))
    local = make_provider("local", found_cpu_millis=1500)
    make_attempt(provider=local, running_at=ago(60))
    words = "With 1 GiB it would wait: local is large enough, but has 0.5 CPU too little free now."
    assert words in words_of(browser.get(page))


def test_the_fix_is_one_click_that_makes_a_job_with_more_memory(project: Project) -> None:
    job = make_job(
        state="failed", project=project, reason="oom_killed",
        spec={"resources": {"memory_mb": 512, "timeout_seconds": 77}},
    )  # fmt: skip
    browser = signed_in(make_user(project=project))
    browser.post(f"/jobs/{job.pk}/rerun", {"memory_mb": "1024"})
    again = job.reruns.get()
    assert (again.memory_mb, again.spec["resources"]["timeout_seconds"]) == (1024, 77)


def test_what_was_used_is_deleted_with_the_logs_of_its_time_and_the_peak_stays(
    project: Project,
) -> None:
    old, young = running(project), running(project)
    measure(old, (40 * 86_400, 100, 50))
    measure(young, (60, 100, 60))
    Attempt.objects.filter(pk=old.pk).update(
        phase="ended", outcome="completed", ended_at=ago(39 * 86_400)
    )
    assert delete_stats(ago(30 * 86_400), limit=10) == 1
    assert delete_stats(ago(30 * 86_400), limit=10) == 0
    assert list(StatPage.objects.values_list("attempt_id", flat=True)) == [young.pk]
    assert Attempt.objects.get(pk=old.pk).memory_peak_bytes == 50 * MIB
