"""Submitting a job by form: it works without JavaScript, and an error loses nothing."""

from __future__ import annotations

import re
from html import escape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from jobs.forms import JobForm
from jobs.models import Job
from projects.models import Role
from projects.secrets import open_values
from tests.support.builders import make_job, make_project, make_provider, make_user
from tests.support.pages import signed_in, words_of

pytestmark = pytest.mark.django_db

FILLED: dict[str, Any] = {
    "name": "load", "project": "etl", "image": "registry.example/etl:1", "program": "script",
    "script": "echo one\r\necho two", "argv": "", "cpu_cores": "1.5", "memory": "2",
    "memory_unit": "1024", "gpus": "0", "timeout": "90", "timeout_unit": "60",
    "max_attempts": "3", "backoff": "0.5", "backoff_unit": "60", "retry_codes": "75, 111",
    "provider": "", "priority": "60", "requires": "", "labels": "team=data\r\ntier=gold",
    "queue_timeout": "", "queue_timeout_unit": "3600",
    "working_dir": "", "user": "", "network": "bridge", "profile": "standard",
    "env_name": ["DATE", ""], "env_value": ["2026-01-01", ""],
    "secret_name": ["TOKEN"], "secret_value": ["hush"],
}  # fmt: skip


@pytest.fixture
def browser() -> Client:
    return signed_in(make_user("ada", project=make_project("etl")))


def send(browser: Client, url: str = "/jobs/new", **changes: Any) -> Any:
    return browser.post(url, FILLED | changes)


def sent_by(form: JobForm) -> dict[str, Any]:
    """What a browser sends of a form that nobody has touched, but for the rows."""
    values = {bound.name: bound.value() for bound in form}
    return {name: v for name, v in values.items() if v is not None and v is not False}


def test_a_plain_post_makes_the_job_and_ends_on_its_page(browser: Client) -> None:
    response = send(browser)
    job = Job.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/jobs/{job.pk}")
    assert job.submitted_by is not None
    assert (job.name, job.project.slug, job.submitted_by.username) == ("load", "etl", "ada")
    assert (job.cpu_millis, job.memory_mb, job.priority) == (1500, 2048, 60)
    spec = job.spec
    assert spec["script"] == "echo one\necho two"
    assert spec["env"] == {"DATE": "2026-01-01"}
    assert spec["resources"]["timeout_seconds"] == 5400
    assert spec["retry"] == {"max_attempts": 3, "backoff_seconds": 30, "on": [75, 111]}
    assert spec["labels"] == {"team": "data", "tier": "gold"}
    assert open_values(job.secrets) == {"TOKEN": "hush"}


def test_a_command_is_one_argument_a_line(browser: Client) -> None:
    send(browser, program="argv", argv="/bin/echo\r\ntwo words\r\n$HOME\r\n")
    job = Job.objects.get()
    assert job.spec["command"] == ["/bin/echo", "two words", "$HOME"]
    assert job.spec["script"] is None


def test_the_images_own_program_may_be_given_arguments(browser: Client) -> None:
    send(browser, program="image", argv="--verbose")
    spec = Job.objects.get().spec
    assert (spec["command"], spec["script"], spec["args"]) == (None, None, ["--verbose"])


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": " \t "}, "name", "This field is required."),
        ({"name": "report\u202egnp.exe"}, "name", "Remove the control characters"),
        ({"image": "NOT an image"}, "image", "Not an image reference"),
        ({"memory": "-1"}, "memory", "Must be at least 6 MiB."),
        ({"memory": "lots"}, "memory", "Enter a number."),
        ({"cpu_cores": "nan"}, "cpu_cores", "Enter a number."),
        ({"timeout": "1e300"}, "timeout", "Use a smaller number."),
        ({"memory": "1e308", "memory_unit": "1024"}, "memory", "Use a smaller number."),
        ({"priority": "101"}, "priority", "at most 100"),
        ({"retry_codes": "a"}, "retry_codes", "whole numbers"),
        ({"labels": "no equals sign"}, "labels", "key=value"),
        ({"requires": "zone a b"}, "requires", "key = value"),
        ({"requires": "zone = a", "provider": "node-1"}, "requires", "not both"),
        ({"requires": "cores > many"}, "requires", "exactly one number"),
        ({"concurrency_key": "x" * 121}, "concurrency_key", "at most 120"),
        ({"concurrency_key": "k", "concurrency_limit": "0"}, "concurrency_limit", "at least 1"),
        ({"concurrency_key": "k", "concurrency_limit": "x"}, "concurrency_limit", "whole number"),
        ({"anti_affinity": "rack"}, "anti_affinity", "no label"),
        ({"backoff": "2", "backoff_unit": "86400"}, "backoff", "Must be at most 1 d."),
        ({"timeout": "31", "timeout_unit": "86400"}, "timeout", "Must be at most 30 d."),
        ({"queue_timeout": "soon"}, "queue_timeout", "Enter a number."),
        ({"working_dir": "relative"}, "working_dir", "absolute path"),
        ({"provider": "gone"}, "provider", "not one of the available choices"),
        ({"project": "foreign"}, "project", "not one of the available choices"),
        ({"program": "argv", "argv": ""}, "argv", "Empty"),
        ({"script": ""}, "script", "Empty"),
    ],
)
def test_a_wrong_field_is_marked_and_nothing_is_lost(
    browser: Client, changes: dict[str, str], field: str, words: str
) -> None:
    make_project("foreign")
    make_provider("node-1")
    response = send(browser, **changes)
    assert response.status_code == 422
    page = response.content.decode()
    problem = re.search(rf'id="id_{field}_error"[^>]*>([^<]+)<', page)
    assert problem is not None, f"no problem stands at {field}: {words_of(response)}"
    assert words in problem[1]
    assert not Job.objects.exists()
    for kept in ("2026-01-01", "hush", *(escape(text) for text in changes.values())):
        assert kept in page or "available choices" in words
    assert f'href="#id_{field}"' in page, "the summary does not lead to the field"
    assert page.count(" autofocus") == 1


def test_a_key_and_labels_to_keep_apart_by_are_submitted_and_come_back(browser: Client) -> None:
    send(
        browser, concurrency_key="deploy prod", concurrency_limit="2", on_overflow="cancel_newest",
        anti_affinity="team, tier", requires="cores > 16",
    )  # fmt: skip
    job = Job.objects.get()
    assert job.spec["concurrency"] == {
        "key": "deploy prod", "limit": 2, "on_overflow": "cancel_newest"
    }  # fmt: skip
    assert job.concurrency_key == "deploy prod"
    assert job.spec["anti_affinity"] == ["team", "tier"]
    assert job.spec["requires"] == [{"key": "cores", "op": "gt", "values": ["16"]}]
    page = browser.get(f"/jobs/new?from={job.pk}").content.decode()
    assert 'value="deploy prod"' in page
    assert 'value="team, tier"' in page
    assert "cores &gt; 16" in page


def test_a_wrong_variable_is_marked_in_its_row(browser: Client) -> None:
    response = send(browser, env_name=["1BAD", "DATE"], env_value=["x", "kept"])
    assert response.status_code == 422
    assert "Begin with a letter" in words_of(response)
    page = response.content.decode()
    assert 'value="1BAD"' in page
    assert 'value="kept"' in page
    twice = send(browser, env_name=["A", "A"], env_value=["1", "2"])
    assert "Named twice" in words_of(twice)
    nameless = send(browser, env_name=[""], env_value=["orphan"])
    assert "Give it a name" in words_of(nameless)
    both = send(browser, env_name=["TOKEN"], env_value=["x"])
    assert "Also in env" in words_of(both)
    assert not Job.objects.exists()


def test_a_button_asks_for_one_more_row_and_submits_nothing(browser: Client) -> None:
    def rows(page: str, kind: str) -> int:
        return page.count(f'name="{kind}_name"')

    response = send(browser, more="secret", name="")
    page = response.content.decode()
    assert response.status_code == 200
    assert (rows(page, "env"), rows(page, "secret")) == (2, 3)
    assert "This field is required" not in page
    assert 'value="hush"' in page
    assert not Job.objects.exists()


def test_the_page_is_never_stored(browser: Client) -> None:
    assert "no-store" in browser.get("/jobs/new")["Cache-Control"]


def test_a_rerun_with_edits_brings_secrets_along_without_showing_them(browser: Client) -> None:
    source = make_job(
        state="failed",
        project=make_project("etl"),
        name="old",
        submitted_by_id=int(browser.session["_auth_user_id"]),
        spec={
            "command": ["run", "it"],
            "env": {"DATE": "2026-01-01"},
            "secret_env": {"TOKEN": "old-token", "DSN": "old-dsn"},
            "requires": [{"key": "zone", "op": "eq", "values": ["a"]}],
        },
    )
    url = f"/jobs/new?from={source.pk}"
    page = browser.get(url)
    words = words_of(page)
    assert "Come along from job" in words
    assert 'value="DATE"' in page.content.decode()
    assert "run\nit" in page.content.decode()
    assert "zone = a" in page.content.decode()
    send(browser, url, program="argv", argv="run\nother", requires="zone = a")
    job = Job.objects.get(rerun_of=source)
    assert job.spec["command"] == ["run", "other"]
    assert open_values(job.secrets) == {"TOKEN": "hush", "DSN": "old-dsn"}
    assert job.spec["requires"] == source.spec["requires"]


@pytest.mark.parametrize(
    "program",
    [
        {"command": ["sh", "-c", "echo a\necho b", "", "two words", '"quoted"', "\\n"]},
        {"args": ["--text", "one\r\ntwo", '"', ""]},
        {"script": "echo $1", "args": ["first", ""]},
    ],
)
def test_arguments_of_every_kind_survive_a_rerun_with_edits(
    browser: Client, program: dict[str, object]
) -> None:
    source = make_job(state="completed", project=make_project("etl"), spec=program)
    url = f"/jobs/new?from={source.pk}"
    form = browser.get(url).context["form"]
    shown = {name: form[name].value() for name in ("program", "script", "argv")}
    response = send(browser, url, **shown)
    assert response.status_code == 302, words_of(response)
    spec = Job.objects.get(rerun_of=source).spec
    assert {key: spec[key] for key in program} == program


def test_the_form_of_a_past_job_sent_unchanged_makes_the_same_spec(browser: Client) -> None:
    provider = make_provider("node-1")
    source = make_job(
        state="completed",
        project=make_project("etl"),
        spec={
            "script": "a\n  b\n",
            "provider": provider.name,
            "env": {"A": " b "},
            "labels": {"k": "v=w"},
            "resources": {"cpu_cores": 0.25, "memory_mb": 1536, "timeout_seconds": 7200},
            "retry": {"max_attempts": 2, "on": ["oom_killed", 75]},
            "working_dir": "/srv",
            "user": "1000:1000",
            "network": "none",
            "profile": "restricted",
            "priority": 10,
            "queue_timeout_seconds": 60,
            "concurrency": {"key": "load", "limit": 3, "on_overflow": "cancel_running"},
            "anti_affinity": ["k"],
        },
    )
    url = f"/jobs/new?from={source.pk}"
    form = browser.get(url).context["form"]
    response = browser.post(url, sent_by(form) | {"env_name": ["A"], "env_value": [" b "]})
    assert response.status_code == 302, words_of(response)
    again = Job.objects.get(rerun_of=source)
    assert again.spec == source.spec


def test_everything_wrong_is_told_at_once_and_the_page_opens_at_the_first(browser: Client) -> None:
    response = send(browser, name="", memory="-1", env_name=["1BAD"], env_value=["x"], priority="x")
    words = words_of(response)
    assert "Not submitted: 4 things to mend." in words
    order = [words.index(w) for w in ("Name:", "Memory:", "1BAD:", "Priority:")]
    assert order == sorted(order)
    page = response.content.decode()
    assert page.count("Must be at least 6 MiB.") == 2, "above the form, and at its field"
    assert re.search(r'<input[^>]*name="name"[^>]* autofocus', page)
    row = send(browser, env_name=["A", "1BAD"], env_value=["x", "y"]).content.decode()
    assert re.search(r'id="env_name_2"[^>]* autofocus', row, re.S)
    assert 'href="#env_name_2"' in row


def many(kind: str, number: int) -> dict[str, Any]:
    """So many rows of a kind, as they are typed."""
    names = [f"{kind.upper()}_{n}" for n in range(1, number + 1)]
    return {f"{kind}_name": names, f"{kind}_value": [f"value {n}" for n in names]}


def test_as_many_variables_and_secrets_as_a_job_may_have_fit_in_the_form(browser: Client) -> None:
    assert send(browser, **many("env", 256), **many("secret", 64)).status_code == 302
    spec = Job.objects.get().spec
    assert (len(spec["env"]), len(spec["secret_env_names"])) == (256, 64)


def test_of_too_many_variables_all_are_kept_and_the_first_too_many_says_so(
    browser: Client,
) -> None:
    rows = many("env", 640) | many("secret", 640)
    response = send(browser, **rows)
    assert response.status_code == 422
    words = words_of(response)
    assert "ENV_257: This and the 383 after it are too many: a job has at most 256 var" in words
    assert "SECRET_65: This and the 575 after it are too many: a job has at most 64 sec" in words
    page = response.content.decode()
    assert all(f'value="value ENV_{n}"' in page for n in (1, 256, 257, 640))
    assert all(f'value="value SECRET_{n}"' in page for n in (1, 64, 65, 640))
    assert not Job.objects.exists()
    fewer = {
        name: typed[:number]
        for name, typed in rows.items()
        for number in [256 if name.startswith("env") else 64]
    }
    assert send(browser, **fewer).status_code == 302


def test_a_form_beyond_what_is_read_of_one_is_told_with_its_limit() -> None:
    browser = Client(enforce_csrf_checks=True)  # whose check is the first to read a form
    browser.force_login(make_user("ada", project=make_project("etl")))
    browser.get("/jobs/new")
    marked = {"csrfmiddlewaretoken": browser.cookies[settings.CSRF_COOKIE_NAME].value}

    def typed(**changes: Any) -> Any:
        form = urlencode(FILLED | marked | changes, doseq=True)
        return browser.post("/jobs/new", form, content_type="application/x-www-form-urlencoded")

    fields = typed(**many("env", 5000))
    assert fields.status_code == 400
    assert "A form may have at most 10,000 fields" in words_of(fields)
    size = typed(script="x" * (5 * 2**20))
    assert size.status_code == 400
    assert "A form may hold at most 4 MiB" in words_of(size)
    script = typed(script="x" * (3 * 2**20))
    assert script.status_code == 422
    assert "at most 262,144 are taken" in words_of(script)


def test_a_form_sent_twice_makes_one_job(browser: Client) -> None:
    once = browser.get("/jobs/new").context["once"]
    first, second = (send(browser, once=once)["Location"] for _ in range(2))
    assert first == second == f"/jobs/{Job.objects.get().pk}"
    changed = send(browser, once=once, priority="70")
    assert changed.status_code == 422
    assert "has already made a job, and was changed since" in words_of(changed)
    again = send(browser, once=changed.context["once"], priority="70")
    assert again.status_code == 302
    assert Job.objects.count() == 2


def test_a_rerun_with_edits_sent_twice_makes_one_job(browser: Client) -> None:
    source = make_job(state="completed", project=make_project("etl"))
    url = f"/jobs/new?from={source.pk}"
    once = browser.get(url).context["once"]
    assert send(browser, url, once=once)["Location"] == send(browser, url, once=once)["Location"]
    assert source.reruns.count() == 1


def test_run_without_following_leads_to_the_list_with_a_link(browser: Client) -> None:
    response = send(browser, then="list")
    job = Job.objects.get()
    assert response["Location"] == "/jobs"
    page = browser.get("/jobs")
    assert f"Submitted: {job.pk} load." in words_of(page)
    assert f'<a href="/jobs/{job.pk}">' in page.content.decode()


def test_checking_without_javascript_says_what_is_wrong_and_submits_nothing(
    browser: Client,
) -> None:
    make_provider("node-1")
    right = send(browser, check="1")
    assert right.status_code == 200
    assert "Nothing is wrong with it. It is not submitted yet." in words_of(right)
    assert "Starts at once on node-1" in words_of(right)
    wrong = send(browser, check="1", memory="9", memory_unit="x", image="")
    assert wrong.status_code == 422
    assert not Job.objects.exists()


def test_an_instance_without_jobs_begins_with_the_sample(browser: Client) -> None:
    page = browser.get("/jobs/new")
    assert "A sample is filled in" in words_of(page)
    assert "Complete: this is what will be submitted." in words_of(page)
    assert browser.post("/jobs/new", sent_by(page.context["form"])).status_code == 302
    job = Job.objects.get()
    assert (job.name, job.memory_mb) == ("hello-world", 64)
    again = browser.get("/jobs/new").context["form"]
    assert (again["name"].value(), again["project"].value()) == (None, "etl")


def test_one_who_may_submit_nowhere_is_told_so() -> None:
    browser = signed_in(make_user("vera", project=make_project("etl"), role=Role.VIEWER))
    response = browser.get("/jobs/new")
    assert response.status_code == 403
    assert "Ask one of its admins" in words_of(response)
