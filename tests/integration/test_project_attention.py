"""What of projects wants attention on Home: a pause while jobs wait, limits that are used up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from projects.models import Project
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def etl() -> Project:
    return make_project("etl")


@pytest.fixture
def browser(etl: Project) -> Client:
    return signed_in(make_user("ada", project=etl))


def shown(browser: Client) -> str:
    return words_of(browser.get("/_/home/attention"))


def ago(**length: float) -> Any:
    return timezone.now() - timedelta(**length)


def test_a_paused_project_is_told_while_jobs_wait_in_it_until_that_is_acknowledged(
    browser: Client, etl: Project
) -> None:
    pause = {"paused_at": ago(hours=2), "paused_by": "kim", "pause_note": "new switches"}
    Project.objects.filter(pk=etl.pk).update(**pause)
    assert "paused" not in shown(browser)
    make_job(project=etl, reason="paused")
    words = shown(browser)
    assert "1 thing needs you" in words
    assert "etl is paused For 2 h, kim wrote “new switches”. 1 job of it waits." in words
    assert "etl is paused" not in shown(signed_in(make_user("eve", project=make_project("x"))))
    operator = signed_in(make_user("kim", staff=True))
    assert "etl is paused" in shown(operator)
    mark = {"until": ago(hours=1).isoformat(), "kind": "paused", "project": etl.pk, "name": ""}
    assert operator.post("/seen", mark).status_code == 302
    assert "etl is paused" not in shown(operator)
    assert "etl is paused" in shown(browser)
    browser.post("/seen", {"until": ago(hours=1).isoformat()})
    assert "etl is paused" not in shown(browser)
    Project.objects.filter(pk=etl.pk).update(paused_at=ago(minutes=1))
    assert "etl is paused" in shown(browser)


def test_a_project_that_has_used_up_nine_tenths_of_a_limit_is_told(
    browser: Client, etl: Project
) -> None:
    share = Project.objects.filter(pk=etl.pk)
    share.update(max_running=2, max_cpu_millis=2200, max_queued=10, max_gpus=0)
    node = make_provider("node-1")
    given = {"project": etl, "state": "running", "provider": node, "started_at": ago(minutes=1)}
    make_attempt(job=make_job(**given), provider=node, running_at=ago(minutes=1))
    assert "etl is at" not in shown(browser)
    make_attempt(job=make_job(**given), provider=node, running_at=ago(minutes=1))
    words = shown(browser)
    assert "Nothing needs you" in words
    assert "etl is at its limit of running jobs 2 of 2 running jobs, 2 of 2.2 CPU." in words
    assert "Nothing of it waits." in words
    share.update(max_running=3, max_cpu_millis=2500)
    assert "no project at its limits" in shown(browser)
    share.update(max_cpu_millis=2200)
    for _ in range(9):
        make_job(project=etl, reason="project_limit")
    words = shown(browser)
    assert "1 thing needs you" in words
    assert "etl nears its limit of waiting jobs and CPU" in words
    assert "9 of 10 waiting jobs, 2 of 2.2 CPU. 9 jobs of it wait." in words
    assert 'href="/projects/etl"' in browser.get("/_/home/attention").content.decode()
