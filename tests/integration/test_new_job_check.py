"""The side of the job form: where it would go, what is still to mend, what the API would take."""

from __future__ import annotations

import html
import json
import re
import shlex
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.curl import FILL_IN
from jobs.models import Attempt, Job
from projects.models import Project, Role
from tests.integration.test_new_job_page import FILLED
from tests.support.attempts import make_attempt
from tests.support.builders import make_job, make_project, make_provider, make_token, make_user
from tests.support.figures import p95, tell
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return signed_in(make_user("ada", project=make_project("etl")))


def check(browser: Client, query: str = "", **changes: Any) -> Any:
    """What the page asks for after each change: the form without the values of secrets."""
    sent = FILLED | changes
    response = browser.post(
        f"/_/jobs/check{query}", {k: v for k, v in sent.items() if k != "secret_value"}
    )
    assert response.status_code == 200
    return response


def previewed(response: Any, which: str = "json") -> str:
    """The text of a preview, as a browser copies it."""
    page = response.content.decode()
    found = re.search(rf'<pre[^>]*id="preview-{which}"[^>]*>(.*?)</pre>', page, re.S)
    assert found is not None
    return html.unescape(re.sub(r"<[^>]+>", "", found[1]))


def test_it_says_where_the_job_would_start_and_what_is_free(browser: Client) -> None:
    busy = make_provider("busy")
    make_provider("idle")
    attempt = make_attempt(provider=busy)
    Attempt.objects.filter(pk=attempt.pk).update(cpu_millis=7000, memory_mb=12_288)
    words = words_of(check(browser))
    assert "Starts at once on idle" in words
    assert "Fits on 2 of 2 providers, 1 of them with room now" in words
    assert "Room now: 8 of 8 CPU and 16 of 16 GiB free" in words
    assert "Room when others end: 0.5 CPU short, 1 of 8 CPU and 4 of 16 GiB free" in words


def test_it_tells_a_limit_without_room_the_place_in_line_and_what_would_make_room(
    browser: Client,
) -> None:
    node = make_provider("node-1", found_cpu_millis=2000)
    attempt = make_attempt(provider=node)
    Attempt.objects.filter(pk=attempt.pk).update(cpu_millis=2000)
    words = words_of(check(browser))
    assert "It would be number 1 in the queue." in words
    assert "Fits on node-1 when another project's job ends." in words
    Project.objects.filter(slug="etl").update(max_running=0)
    assert "Waits: larger than all that etl may use at once" in words_of(check(browser))


def test_what_no_provider_has_is_told_with_the_most_there_is(browser: Client) -> None:
    make_provider("small", found_memory_mb=4096)
    make_provider("large")
    words = words_of(check(browser, memory="64"))
    assert "No provider has 64 GiB: the largest has 16 GiB" in words
    assert "Too small by 48 GiB: 8 CPU, 16 GiB in all" in words
    assert "Too small by 60 GiB" in words


def test_a_draining_an_unreachable_and_a_switched_off_one_are_told_in_words(
    browser: Client,
) -> None:
    make_provider("a", mode="draining")
    make_provider("b", health="unreachable")
    make_provider("c", mode="inactive")
    make_provider("d", labels={"zone": "b"})
    words = words_of(check(browser, requires="zone = a"))
    assert "No provider has zone = a; nearest: d has zone = b" in words
    assert "Ruled out: the job asks for zone = a; here it is b" in words
    words = words_of(check(browser))
    assert "Draining: finishes what runs, takes nothing new" in words
    assert "It is unreachable" in words
    assert "Switched off by an operator" in words
    assert "Starts at once on d" in words


def test_a_chosen_provider_leaves_the_others_out(browser: Client) -> None:
    for name in ("node-1", "node-2", "node-3"):
        make_provider(name)
    words = words_of(check(browser, provider="node-2"))
    assert "Starts at once on node-2" in words
    assert "The other 2 are left out: it asks for node-2." in words
    assert "node-3" not in words


def test_without_a_provider_it_says_that_the_job_would_wait(browser: Client) -> None:
    assert "No provider yet: it would wait until there is one" in words_of(check(browser))


def test_amounts_that_cannot_be_read_are_no_reason_for_a_wrong_answer(browser: Client) -> None:
    make_provider("node-1")
    response = check(browser, memory="lots", cpu_cores="99999")
    words = words_of(response)
    assert "Where it fits cannot be said yet" in words
    assert "Memory: Enter a number." in words
    assert "CPU: Must be at most 1024." in words
    assert json.loads(previewed(response))["resources"] == {"timeout_seconds": 5400}


def test_what_is_only_empty_is_still_needed_and_not_wrong(browser: Client) -> None:
    words = words_of(check(browser, name="", image="", script=""))
    assert "Still needed: Name, Image, Script" in words
    assert "This field is required" not in words


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"program": "argv", "argv": '/bin/echo\ntwo words\n""\n"a\\nb"\n<b>&amp;</b>'},
        {"program": "image", "argv": "--verbose"},
        {"script": "echo 'it''s' \"$HOME\" \\\r\n\t<\u2028é>\r\n"},
        {"requires": "zone in a, b\n!spot", "hold": "on", "network": "none", "gpus": "2"},
        {"memory": "512", "memory_unit": "1", "cpu_cores": "1", "timeout": "1440",
         "max_attempts": "1", "backoff": "10", "backoff_unit": "1", "retry_codes": "",
         "priority": "50", "labels": ""},
        {"retry_on": ["oom_killed", "exit_code"], "queue_timeout": "1.5", "user": "1000:1000",
         "working_dir": "/srv", "profile": "restricted"},
    ],
)  # fmt: skip
def test_the_previewed_json_makes_the_same_job_through_the_api(
    browser: Client, changes: dict[str, Any]
) -> None:
    changes |= {"secret_name": [], "secret_value": []}
    body = previewed(check(browser, **changes))
    assert browser.post("/jobs/new", FILLED | changes).status_code == 302
    by_form = Job.objects.get()
    another = make_user(project=make_project("etl"))
    answer = Client(headers={"Authorization": f"Bearer {make_token(another)}"}).post(
        "/api/v1/jobs", body, content_type="application/json"
    )
    assert answer.status_code == 201, answer.content
    by_api = Job.objects.get(pk=answer.json()["id"])
    assert by_api.spec == by_form.spec
    assert "spec_version" not in body


def test_only_what_differs_from_the_defaults_is_in_it(browser: Client) -> None:
    plain: dict[str, Any] = {
        "env_name": [], "env_value": [], "secret_name": [], "labels": "", "retry_codes": "",
        "max_attempts": "1", "backoff": "10", "backoff_unit": "1", "priority": "50",
        "cpu_cores": "4", "memory": "512", "memory_unit": "1", "timeout": "1440",
    }  # fmt: skip
    body = json.loads(previewed(check(browser, **plain)))
    assert body == {
        "project": "etl",
        "name": "load",
        "image": "registry.example/etl:1",
        "script": "echo one\necho two",
        "resources": {"cpu_cores": 4},
    }


def test_the_command_for_a_shell_sends_the_same_body(browser: Client) -> None:
    response = check(browser, script="echo 'it''s'\n")
    words = shlex.split(previewed(response, "curl"))
    assert words[:2] == ["curl", "http://testserver/api/v1/jobs"]
    assert words[-1] == previewed(response)


def test_secrets_are_named_and_never_shown(browser: Client) -> None:
    response = check(browser)
    assert json.loads(previewed(response))["secret_env"] == {"TOKEN": FILL_IN}
    page = browser.post("/jobs/new", FILLED | {"check": "1"})
    for which in ("json", "curl"):
        assert "hush" not in previewed(page, which)
    assert "values of secrets are never shown" in words_of(response)


def test_a_rerun_with_edits_previews_what_comes_along(browser: Client) -> None:
    source = make_job(
        state="completed",
        project=make_project("etl"),
        submitted_by_id=int(browser.session["_auth_user_id"]),
        spec={"script": "echo $1", "args": ["x"], "secret_env": {"DSN": "old-dsn"}},
    )
    response = check(browser, f"?from={source.pk}")
    body = json.loads(previewed(response))
    assert body["args"] == ["x"]
    assert body["secret_env"] == {"DSN": FILL_IN, "TOKEN": FILL_IN}
    assert "old-dsn" not in response.content.decode()
    browser.post(f"/jobs/new?from={source.pk}", FILLED)
    made = Job.objects.get(rerun_of=source)
    assert made.spec["args"] == ["x"]
    assert sorted(body["secret_env"]) == made.spec["secret_env_names"]


def test_another_persons_secrets_are_asked_for_before_it_is_submitted(browser: Client) -> None:
    source = make_job(
        state="completed",
        project=make_project("etl"),
        submitted_by_id=make_user("eve").pk,
        spec={"secret_env": {"DSN": "x"}},
    )
    words = words_of(check(browser, f"?from={source.pk}"))
    assert "Secrets: Enter DSN anew" in words


def test_a_job_of_a_project_where_one_may_only_look_is_no_beginning(browser: Client) -> None:
    looked_at = make_project("looked-at")
    user_id = int(browser.session["_auth_user_id"])
    looked_at.memberships.create(user_id=user_id, role=Role.VIEWER)
    source = make_job(state="completed", project=looked_at, spec={"secret_env": {"DSN": "x"}})
    page = browser.get(f"/jobs/new?from={source.pk}")
    assert page.status_code == 403
    assert "You may see the jobs of looked-at but not submit or change them." in words_of(page)
    assert "Rerun with edits" not in words_of(browser.get(f"/jobs/{source.pk}"))


def test_images_of_other_projects_are_not_suggested_and_each_stands_once(browser: Client) -> None:
    mine = make_project("etl")
    for image in ("etl:1", "etl:2", "etl:1"):
        make_job(state="completed", project=mine, spec={"image": image})
    make_job(state="completed", project=make_project("secret"), spec={"image": "hidden:1"})
    make_job(state="failed", project=mine, spec={"image": "etl:tpyo"}, reason="image_not_found")
    page = browser.get("/jobs/new")
    assert page.context["images"] == ["etl:1", "etl:2"]
    assert "hidden:1" not in page.content.decode()


def test_the_images_of_several_projects_stand_in_one_order(browser: Client) -> None:
    both = make_project("etl"), make_project("ml")
    user = make_user("bob", project=both[0])
    user.memberships.create(project=both[1], role=Role.VIEWER)
    for number, image in enumerate(("a:1", "b:1", "a:2", "b:1")):
        make_job(state="completed", project=both[number % 2], spec={"image": image})
    assert signed_in(user).get("/jobs/new").context["images"] == ["b:1", "a:2", "a:1"]


def test_my_own_jobs_are_offered_as_a_start_newest_first_and_each_name_once(
    browser: Client,
) -> None:
    me, mine = int(browser.session["_auth_user_id"]), make_project("etl")
    old, other, new = (
        make_job(state="completed", project=mine, name=name, submitted_by_id=me)
        for name in ("nightly", "hourly", "nightly")
    )
    make_job(state="completed", project=mine, name="of-somebody-else")
    page = browser.get("/jobs/new")
    assert [job.pk for job in page.context["starts"]] == [new.pk, other.pk]
    assert f"/jobs/new?from={new.pk}" in page.content.decode()
    assert f"?from={old.pk}" not in page.content.decode()


def test_a_viewers_project_is_no_start(browser: Client) -> None:
    project = make_project("watched")
    user = make_user("vera", project=project, role=Role.VIEWER)
    user.memberships.create(project=make_project("etl"), role=Role.SUBMITTER)
    make_job(state="completed", project=project, submitted_by_id=user.pk)
    assert signed_in(user).get("/jobs/new").context["starts"] == []


def test_what_the_source_used_stands_beside_what_is_asked_for(browser: Client) -> None:
    source = make_job(state="completed", project=make_project("etl"))
    attempt = make_attempt(job=source)
    Attempt.objects.filter(pk=attempt.pk).update(cpu_peak_millis=820, memory_peak_bytes=400 * 2**20)
    words = words_of(browser.get(f"/jobs/new?from={source.pk}"))
    assert "peak 0.82 last time" in words
    assert "peak 400 MiB last time" in words


def test_check_27_ten_thousand_jobs_and_fifty_providers_cost_no_more_queries(
    browser: Client,
) -> None:
    from tests.integration.test_job_list_at_size import JOBS, copies

    def queries() -> tuple[int, int]:
        counts = []
        for ask in (lambda: browser.get("/jobs/new"), lambda: check(browser)):
            with CaptureQueriesContext(connection) as captured:
                ask()
            counts.append(len(captured))
        return counts[0], counts[1]

    copies(20)
    browser.get("/jobs/new")
    few = queries()
    copies(JOBS)
    Job.objects.update(submitted_by_id=int(browser.session["_auth_user_id"]))
    for _ in range(50):
        make_provider(labels={"zone": "a"})
    assert queries() == few
    for name, ask in (
        ("the page", lambda: browser.get("/jobs/new")),
        ("a check", lambda: check(browser)),
    ):
        times, busy = [], time.process_time()
        for _ in range(20):
            begun = time.perf_counter()
            ask()
            times.append((time.perf_counter() - begun) * 1000)
        own = (time.process_time() - busy) * 1000 / len(times)
        count = few[name == "a check"]
        figure = f"{JOBS:,} jobs, 50 providers, {name}: p95 {p95(times):.0f} ms (wanted: 100 ms)"
        tell("check 27", f"{figure}, of which {own:.0f} ms are ours; {count} queries")
        assert p95(times) < 5000
