"""Draining, switching off, limiting a provider: the consequences are told first."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from jobs.models import Job
from providers.models import EngineRequest, Provider
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    return signed_in(make_user("olga", superuser=True))


@pytest.fixture
def node() -> Provider:
    return make_provider("node-1")


def large(**columns: Any) -> Job:
    return make_job(spec={"resources": {"memory_mb": 12_288}}, **columns)


def named_in(page: str) -> int:
    return len(re.findall(r"<li><a href=\"/jobs/\d+\">", page))


def test_a_drain_is_told_in_numbers_and_names_before_it_is_done(
    operator: Client, node: Provider
) -> None:
    make_provider("node-2", found_memory_mb=4096)
    for _ in range(3):
        make_attempt(provider=node)
    stuck = [large(name=f"large-{n}") for n in range(2)]
    for _ in range(4):
        make_job()
    large(held=True)
    page = operator.get(f"/providers/{node.pk}/mode?to=draining")
    words = words_of(page)
    assert "3 jobs run here and may finish." in words
    assert "2 waiting jobs fit only here and will wait:" in words
    assert "4 others go elsewhere" in words
    assert "the 1 other provider that takes jobs" in words
    for job in stuck:
        assert f"{job.name} {job.pk}" in words
    assert "“node-1 would suit it, and takes nothing: it is draining”." in words
    assert named_in(page.content.decode()) == 3 + 2 + 4
    node.refresh_from_db()
    assert node.mode == "active"
    operator.post(f"/providers/{node.pk}/mode", {"mode": "draining"})
    node.refresh_from_db()
    assert node.mode == "draining"


def test_what_is_too_many_to_name_is_named_on_demand(operator: Client, node: Provider) -> None:
    for _ in range(9):
        large()
    page = operator.get(f"/providers/{node.pk}/mode?to=inactive")
    assert "9 waiting jobs fit only here" in words_of(page)
    assert "and 4 more: name them" in words_of(page)
    page = operator.get(f"/providers/{node.pk}/mode?to=inactive&all=1")
    assert named_in(page.content.decode()) == 9


def test_what_runs_is_as_many_as_the_list_of_jobs_that_it_leads_to(
    operator: Client, node: Provider
) -> None:
    for phase in ("placed", "pulling", "running", "running", "running", "finishing", "ended"):
        make_attempt(provider=node, phase=phase)
    page = operator.get(f"/providers/{node.pk}/mode?to=draining")
    assert "6 jobs run here" in words_of(page)
    found = re.search(r"/jobs\?q=[^\"]+", page.content.decode())
    assert found is not None
    listed = operator.get(found[0]).content.decode()
    assert len(set(re.findall(r'id="job-(\d+)"', listed))) == 6


def test_an_operator_sees_every_number_and_only_names_of_own_projects(node: Provider) -> None:
    etl = make_project("etl")
    large(name="mine", project=etl)
    large(name="theirs", project=make_project("secret"))
    make_attempt(provider=node)
    page = signed_in(make_user(project=etl, staff=True)).get(
        f"/providers/{node.pk}/mode?to=draining"
    )
    words = words_of(page)
    assert "2 waiting jobs fit only here" in words
    assert "1 job runs here" in words
    assert "mine" in words
    assert "theirs" not in words
    assert "1 more of projects that you are not in" in words


def test_without_another_provider_everything_to_come_waits(
    operator: Client, node: Provider
) -> None:
    words = words_of(operator.get(f"/providers/{node.pk}/mode?to=draining"))
    assert "Nothing runs here now." in words
    assert "No job waits now." in words
    assert "No other provider takes jobs now: everything that is submitted will wait." in words


def test_activating_says_who_gets_a_place_and_whether_a_test_has_passed(operator: Client) -> None:
    node = make_provider("node-1", mode="inactive")
    make_job()
    url = f"/providers/{node.pk}/mode?to=active"
    words = words_of(operator.get(url))
    assert "1 waiting job that fits nowhere else gets a place here." in words
    assert "No test of it has passed lately." in words
    operator.post(f"/providers/{node.pk}/test")
    EngineRequest.objects.update(status="done")
    assert "No test of it has passed" not in words_of(operator.get(url))


def test_a_mode_that_is_none_is_refused(operator: Client, node: Provider) -> None:
    assert operator.get(f"/providers/{node.pk}/mode?to=sideways").status_code == 400


def edited(**changes: str) -> dict[str, str]:
    return {"name": "node-1", "labels": "", "mount_allow_list": ""} | changes


def test_limits_and_labels_are_edited_on_the_page(operator: Client, node: Provider) -> None:
    page = operator.get(f"/providers/{node.pk}/edit")
    assert "Limits" in words_of(page)
    response = operator.post(
        f"/providers/{node.pk}/edit",
        edited(
            cpu_cores="6.5", memory_gib="12.5", slots="4", labels="zone=a\r\ndisk=nvme", lost="600"
        ),
    )
    assert response["Location"] == f"/providers/{node.pk}"
    node.refresh_from_db()
    assert (node.cpu_millis, node.memory_mb, node.slots) == (6500, 12_800, 4)
    assert (node.labels, node.lost_after_seconds) == ({"zone": "a", "disk": "nvme"}, 600)
    shown = operator.get(f"/providers/{node.pk}/edit").content.decode()
    assert 'value="12.5"' in shown
    assert "disk=nvme" in shown


def test_a_limit_below_what_runs_is_saved_only_when_its_consequences_were_shown(
    operator: Client, node: Provider
) -> None:
    for _ in range(3):
        make_attempt(provider=node)
    large(name="big")
    url, wanted = f"/providers/{node.pk}/edit", edited(cpu_cores="2", memory_gib="8", labels="a=b")
    page = operator.post(url, wanted)
    words = words_of(page)
    assert "Not saved yet. It would mean:" in words
    assert "Jobs hold 3 CPU now, and the new limit is 2." in words
    assert "1 waiting job fits only here and will wait:" in words
    assert "It is larger than any provider that suits it" in words
    assert "a=b" in page.content.decode()
    node.refresh_from_db()
    assert node.labels == {}
    operator.post(url, wanted | {"seen": seen_in(page)})
    node.refresh_from_db()
    assert (node.total_cpu_millis, node.labels) == (2000, {"a": "b"})


def seen_in(page: Any) -> str:
    """What a person who presses "Save all the same" on this page has seen."""
    found = re.search(r'name="seen"\s+value="(\w+)"', page.content.decode())
    assert found is not None
    return found[1]


@pytest.mark.parametrize("more", ["runs", "would wait"])
def test_a_confirmation_of_what_was_shown_does_not_save_what_is_so_by_now(
    operator: Client, node: Provider, more: str
) -> None:
    url, wanted = f"/providers/{node.pk}/edit", edited(slots="1", memory_gib="8")
    for _ in range(2):
        make_attempt(provider=node)
    seen = seen_in(operator.post(url, wanted))
    if more == "runs":
        make_attempt(provider=node)
    else:
        large()
    page = operator.post(url, wanted | {"seen": seen})
    assert page.status_code == 409
    words = words_of(page)
    assert "Not saved: it would mean something else by now." in words
    assert {
        "runs": "3 jobs run here now, and the new limit is 1 at once.",
        "would wait": "1 waiting job fits only here and will wait",
    }[more] in words
    node.refresh_from_db()
    assert node.slots is None
    operator.post(url, wanted | {"seen": seen_in(page)})
    node.refresh_from_db()
    assert node.slots == 1


def test_the_setup_of_one_that_takes_jobs_tells_what_it_means_before_it_changes_it(
    operator: Client, node: Provider
) -> None:
    make_attempt(provider=node)
    waits = large(name="big")
    url, wanted = f"/providers/{node.pk}/setup", {"slots": "3", "mode": "inactive"}
    page = operator.post(url, wanted)
    words = words_of(page)
    assert "Not saved yet. It would mean:" in words
    assert "1 job runs here and may finish." in words
    assert f"{waits.name} {waits.pk}" in words
    assert "No other provider takes jobs now" in words
    make_attempt(provider=node)
    again = operator.post(url, wanted | {"seen": seen_in(page)})
    assert (again.status_code, "2 jobs run here" in words_of(again)) == (409, True)
    node.refresh_from_db()
    assert (node.mode, node.slots) == ("active", None)
    hidden = dict(
        re.findall(r'type="hidden" name="(mode|then)" value="(\w*)"', again.content.decode())
    )
    assert hidden == {"mode": "inactive", "then": ""}
    done = operator.post(url, {"slots": "3", "seen": seen_in(again)} | hidden)
    assert done["Location"] == f"/providers/{node.pk}"
    node.refresh_from_db()
    assert (node.mode, node.slots) == ("inactive", 3)


def test_the_setup_tells_of_a_limit_below_what_runs_before_another_test(
    operator: Client, node: Provider
) -> None:
    for _ in range(2):
        make_attempt(provider=node)
    url, wanted = f"/providers/{node.pk}/setup", {"slots": "1", "then": "test"}
    page = operator.post(url, wanted)
    assert "2 jobs run here now, and the new limit is 1 at once." in words_of(page)
    assert not EngineRequest.objects.exists()
    operator.post(url, wanted | {"seen": seen_in(page)})
    node.refresh_from_db()
    assert (node.mode, node.slots, EngineRequest.objects.count()) == ("active", 1, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "not a slug"}, "Use 1 to 63 letters"),
        ({"name": "taken"}, "already a provider named"),
        ({"slots": "0"}, "Must be at least 1."),
        ({"labels": "zone"}, "as key=value"),
        ({"mount_allow_list": "relative"}, "Give an absolute path."),
    ],
)
def test_a_wrong_field_keeps_what_was_typed(
    operator: Client, node: Provider, changes: dict[str, str], words: str
) -> None:
    make_provider("taken")
    page = operator.post(f"/providers/{node.pk}/edit", edited(cpu_cores="6.25") | changes)
    assert page.status_code == 422
    assert words in words_of(page)
    assert 'value="6.25"' in page.content.decode()
    node.refresh_from_db()
    assert (node.name, node.cpu_millis) == ("node-1", None)


def test_another_address_is_tested_at_once_and_other_options_stay(operator: Client) -> None:
    node = make_provider("node-1", kind="docker", options={"gpus": 2, "base_url": "tcp://a:1"})
    response = operator.post(f"/providers/{node.pk}/edit", edited(base_url="tcp://b:2376"))
    asked = EngineRequest.objects.get(provider=node, kind="test")
    assert response["Location"] == f"/providers/{node.pk}?request={asked.pk}"
    node.refresh_from_db()
    assert node.options == {"gpus": 2, "base_url": "tcp://b:2376"}
