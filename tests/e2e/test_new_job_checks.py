"""Writing a job in a real browser: what is typed stays, what it would come to is told live, and
it is sent once. Acceptance checks stand under their number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread

import pytest
from django.contrib.sessions.models import Session
from django.db import connections
from playwright.sync_api import Page, expect

from jobs.models import Job
from projects.actor import Actor
from providers.models import Mode, Provider
from providers.services import provider_set_mode
from tests.support.browsers import Opens
from tests.support.builders import make_actor, make_job, make_project, make_provider, make_user
from tests.support.figures import tell
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

LINE = "echo one two three four five six seven eight nine ten\n"
KEY_MS = 60
EVENTS_A_SECOND = 10
_FILLED_UP = """() => {
    for (const size of [1e6, 1e4, 100]) {
        try { for (let i = 0; ; i++) sessionStorage.setItem(`${size} ${i}`, "x".repeat(size)); }
        catch { /* less fits */ }
    }
}"""


@pytest.fixture
def page(opens: Opens) -> Page:
    return opens(height=900, permissions=["clipboard-read", "clipboard-write"]).new_page()


@pytest.fixture
def provider() -> Provider:
    return make_provider("node-1")


def opened(page: Page) -> Page:
    """The form, once its socket is open. There is a job already, so that no sample is in it."""
    make_job(state="completed", name="earlier", spec={"image": "registry.example/etl:7"})
    page.goto("/jobs/new")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    return page


def fill(page: Page, name: str = "load") -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Image", exact=True).fill("sample:1")
    page.get_by_label("Script", exact=True).fill("echo one")


@contextmanager
def heavy_events(actor: Actor, provider: Provider) -> Iterator[list[int]]:
    """Meanwhile a provider changes ten times a second; counts how often."""
    over, count = Event(), [0]

    def keep_changing() -> None:
        for mode in cycle((Mode.DRAINING, Mode.ACTIVE)):
            provider_set_mode(actor, provider.pk, mode)
            count[0] += 1
            if over.wait(1 / EVENTS_A_SECOND):
                break
        connections.close_all()

    thread = Thread(target=keep_changing)
    thread.start()
    try:
        yield count
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "lines", [1, pytest.param(18, marks=pytest.mark.ui_long)], ids=["short", "a minute"]
)
def test_check_26_typing_loses_nothing_during_heavy_events(
    page: Page, actor: Actor, provider: Provider, lines: int
) -> None:
    checks: list[str] = []
    page.on("request", lambda r: checks.append(r.url) if "/_/jobs/check" in r.url else None)
    script = opened(page).get_by_label("Script", exact=True)
    text = LINE * lines
    script.click()
    with heavy_events(actor, provider) as events:
        page.keyboard.type(text, delay=KEY_MS)
    expect(script).to_be_focused()
    assert script.input_value() == text
    assert script.evaluate("(el) => [el.selectionStart, el.selectionEnd]") == [len(text)] * 2
    assert len(checks) > 2
    seconds = len(text) * KEY_MS / 1000
    tell("check 26", f"{len(text)} keys in {seconds:.0f} s, {events[0]} events, none lost")


@pytest.mark.parametrize(
    "changes",
    [15, pytest.param(60 * EVENTS_A_SECOND, marks=pytest.mark.ui_long)],
    ids=["short", "a minute"],
)
def test_check_26_an_open_menu_and_a_selection_outlast_heavy_events(
    page: Page, actor: Actor, provider: Provider, changes: int
) -> None:
    make_job(state="completed", name="nightly", submitted_by_id=actor.id)
    opened(page)
    fill(page)
    expect(page.locator("#preview-json")).to_contain_text('"name": "load"')
    page.get_by_text("Start from a past job").click()
    page.evaluate("getSelection().selectAllChildren(document.getElementById('preview-json'))")
    chosen = page.evaluate("String(getSelection())")
    with heavy_events(actor, provider) as events:
        page.wait_for_function("() => document.querySelector('[data-updated]')")
        told = events[0]
        wait_until(lambda: events[0] > told + changes, 30 + changes, "many more have come")
    assert page.evaluate("String(getSelection())") == chosen
    expect(page.get_by_role("link", name=re.compile("nightly"))).to_be_visible()


def test_check_18_the_fit_follows_what_is_typed_and_what_becomes_of_providers(
    page: Page, actor: Actor, provider: Provider
) -> None:
    opened(page)
    fit = page.locator("#job-fit")
    expect(fit).to_contain_text("Starts at once on node-1")
    page.get_by_label("Memory", exact=True).fill("64")
    page.get_by_label("Unit of memory").select_option("GiB")
    expect(fit).to_contain_text("No provider has 64 GiB: the largest has 16 GiB")
    page.get_by_role("button", name="Small").click()
    expect(fit).to_contain_text("Starts at once on node-1")
    provider_set_mode(actor, provider.pk, Mode.DRAINING)
    expect(fit).to_contain_text("Waits: node-1 would suit it, but it is draining")
    page.get_by_label("Memory", exact=True).fill("x")
    expect(fit).to_contain_text("cannot be said yet")


def test_the_preview_is_what_the_api_takes_and_is_copied_whole(page: Page) -> None:
    opened(page)
    expect(page.locator("#job-preview")).to_contain_text("Still needed: Name, Image, Script")
    fill(page, 'a "quoted" <name>')
    page.get_by_label("Name of secret 1").fill("TOKEN")
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.post_data or "") if "/check" in r.url else None)
    page.get_by_label("Value of secret 1").fill("hush-hush")
    expect(page.locator("#preview-json")).to_contain_text('"TOKEN": "FILL-IN"')
    page.get_by_role("button", name="curl", exact=True).click()
    expect(page.locator("#preview-json")).to_be_hidden()
    page.get_by_role("button", name="Copy", exact=True).click()
    page.wait_for_function(
        "() => navigator.clipboard.readText().then((t) => t.startsWith('curl '))"
    )
    page.get_by_role("button", name="JSON", exact=True).click()
    page.get_by_role("button", name="Copy", exact=True).click()
    page.wait_for_function("() => navigator.clipboard.readText().then((t) => t.startsWith('{'))")
    body = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert (body["name"], body["script"]) == ('a "quoted" <name>', "echo one")
    page.wait_for_function("() => !document.querySelector('.htmx-request')")
    assert sent
    assert not any("hush" in data for data in sent), "a secret left the page before it was run"


def test_a_wrong_form_opens_at_its_first_wrong_field_with_everything_typed(page: Page) -> None:
    opened(page)
    fill(page)
    page.get_by_label("Memory", exact=True).fill("1,5")
    page.get_by_label("Name of secret 1").fill("TOKEN")
    page.get_by_label("Value of secret 1").fill("hush")
    page.get_by_label("Priority", exact=True).fill("101")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert").first).to_contain_text("Not submitted: 2 things to mend.")
    expect(page.get_by_label("Memory", exact=True)).to_be_focused()
    assert page.get_by_label("Memory", exact=True).input_value() == "1,5"
    assert page.get_by_label("Value of secret 1").input_value() == "hush"
    page.get_by_role("alert").get_by_role("link", name="Priority").click()
    expect(page.get_by_label("Priority", exact=True)).to_be_focused()
    side = page.locator("#job-preview .ready")
    expect(side).to_have_text("Not complete: mend first what is listed above the form.")
    page.get_by_label("Priority", exact=True).fill("102")
    expect(page.locator("#id_priority_error")).to_have_count(0)
    expect(page.get_by_role("alert").first).to_contain_text("1 thing to mend.")
    expect(side).to_have_text("Priority: Must be at most 100.")
    page.get_by_label("Priority", exact=True).fill("90")
    expect(side).to_have_text("Not complete: mend first what is listed above the form.")
    page.get_by_role("button", name="Small").click()
    expect(page.locator("[data-faults]")).to_have_count(0)
    assert not Job.objects.filter(name="load").exists()


def test_a_double_press_makes_one_job_and_enter_alone_makes_none(page: Page) -> None:
    opened(page)
    fill(page)
    page.get_by_label("Name", exact=True).press("Enter")
    page.get_by_label("Value of variable 1").press("Enter")
    expect(page).to_have_url(re.compile("/jobs/new$"))
    assert page.locator("[name=env_name]").count() == 1
    page.get_by_role("button", name="Run", exact=True).dblclick()
    expect(page.locator(".note")).to_contain_text("Submitted:")
    assert Job.objects.filter(name="load").count() == 1


def test_more_than_is_read_of_a_form_is_not_sent_and_stays(page: Page) -> None:
    opened(page)
    fill(page)
    script, told = page.get_by_label("Script", exact=True), page.locator("[data-too-large]")
    script.fill("x" * (5 * 2**20))
    page.get_by_role("button", name="Run", exact=True).click()
    expect(told).to_be_visible()
    expect(told).to_contain_text("10000 fields and 4 MiB in all")
    assert script.evaluate("(el) => el.value.length") == 5 * 2**20
    script.fill("echo one")
    expect(told).to_be_hidden()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).to_have_url(re.compile(r"/jobs$"))
    assert Job.objects.filter(name="load").count() == 1


def test_check_21_a_job_is_written_and_run_by_keys_alone(page: Page, provider: Provider) -> None:
    make_job(state="completed", name="earlier")
    page.goto("/jobs")
    page.keyboard.press("n")
    page.wait_for_url("**/jobs/new")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("by-keys")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Image", exact=True)).to_be_focused()
    page.keyboard.type("sample:1")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Arguments", exact=True)).to_be_focused()
    page.keyboard.type("/bin/echo\nhello")
    expect(page.locator("#preview-json")).to_contain_text('"/bin/echo"')
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="by-keys")).to_be_visible()
    assert Job.objects.get(name="by-keys").spec["command"] == ["/bin/echo", "hello"]


def signs_in(page: Page, actor: Actor) -> None:
    page.get_by_label("Name").fill(actor.name)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Sign in").click()


def filled_in_whole(page: Page) -> None:
    opened(page)
    fill(page)
    page.get_by_role("button", name="Medium").click()
    page.get_by_label("Name of variable 1").fill("A")
    page.get_by_label("Value of variable 1").fill("first")
    page.get_by_role("button", name="One more variable").click()
    page.get_by_label("Name of variable 2").fill("B")
    page.get_by_label("Name of secret 1").fill("TOKEN")
    page.get_by_label("Value of secret 1").fill("hush-hush")
    page.get_by_text("More: conditions on the provider").click()
    page.locator("[name=working_dir]").fill("/tmp")


def expect_it_whole_but_for_secrets(page: Page) -> None:
    expect(page.locator("[data-written]")).to_be_visible()
    expect(page.locator("[name=working_dir]")).to_be_visible()
    for label, value in {
        "Name": "load", "Image": "sample:1", "Script": "echo one", "CPU": "2", "Memory": "4",
        "Unit of memory": "1024", "Name of variable 1": "A", "Value of variable 1": "first",
        "Name of variable 2": "B", "Name of secret 1": "TOKEN", "Value of secret 1": "",
    }.items():  # fmt: skip
        expect(page.get_by_label(label, exact=True)).to_have_value(value)
    expect(page.locator("#preview-json")).to_contain_text('"name": "load"')
    assert "hush" not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_what_was_sent_after_the_session_ended_is_there_again_after_signing_in(
    page: Page, actor: Actor
) -> None:
    filled_in_whole(page)
    Session.objects.all().delete()
    page.keyboard.press("Control+Enter")
    signs_in(page, actor)
    expect(page.locator(".notes")).to_contain_text("that was not done")
    expect_it_whole_but_for_secrets(page)
    page.get_by_label("Value of secret 1").fill("hush")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).to_have_url(re.compile(r"/jobs$"))
    assert Job.objects.get(name="load").spec["env"] == {"A": "first", "B": ""}
    page.keyboard.press("n")
    expect(page.get_by_label("Name", exact=True)).to_have_value("")


def test_what_was_sent_with_the_mark_of_another_session_is_there_again_on_going_back(
    page: Page, actor: Actor
) -> None:
    filled_in_whole(page)
    other = page.context.new_page()
    other.goto("/jobs")
    other.get_by_role("button", name="Sign out").click()
    signs_in(other, actor)
    expect(other.locator("[data-live-status]")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("heading", name="This form has expired")).to_be_visible()
    page.go_back()
    page.reload()
    expect_it_whole_but_for_secrets(page)


def test_what_was_refused_is_there_again_on_going_back_and_nothing_older(page: Page) -> None:
    opened(page)
    fill(page, "older")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(re.compile("/jobs$"))
    page.go_back()
    expect(page.locator("[data-written]")).to_be_visible()
    fill(page, "newer")
    page.get_by_label("Memory", exact=True).fill("1,5")
    page.get_by_label("Value of secret 1").fill("hush")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("[data-faults]")).to_be_visible()
    expect(page.locator("[data-written]")).to_be_hidden()  # the answer has it all, secrets too
    expect(page.get_by_label("Value of secret 1")).to_have_value("hush")
    page.go_back()
    expect(page.get_by_label("Name", exact=True)).to_have_value("newer")
    expect(page.get_by_label("Memory", exact=True)).to_have_value("1,5")
    # No room is left to keep what is sent next.
    page.evaluate(_FILLED_UP)
    fill(page, "newest")
    page.get_by_label("Script", exact=True).fill("echo " + "x" * 50_000)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("[data-faults]")).to_be_visible()
    page.go_back()
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    expect(page.get_by_label("Name", exact=True)).not_to_have_value("newer")
    expect(page.locator("[data-written]")).to_be_hidden()


def test_who_signs_in_after_another_keeps_nothing_of_what_that_one_sent(
    page: Page, actor: Actor
) -> None:
    filled_in_whole(page)
    Session.objects.all().delete()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    signs_in(page, make_actor(make_user("eve", project=make_project("default"))))
    expect(page.locator(".notes")).to_contain_text("that was not done")
    expect(page.get_by_label("Name", exact=True)).to_have_value("")
    page.wait_for_function("() => document.readyState === 'complete'")
    assert page.evaluate("sessionStorage.getItem('job-draft')") is None


def test_going_back_after_a_job_was_made_shows_what_it_was_made_of_and_makes_no_twin(
    page: Page,
) -> None:
    opened(page)
    fill(page)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="load")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Name", exact=True)).to_have_value("load")
    expect(page.get_by_label("Image", exact=True)).to_have_value("sample:1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="load")).to_be_visible()
    assert Job.objects.filter(name="load").count() == 1


def test_ctrl_enter_runs_what_is_filled_in_while_nothing_has_the_focus_nor_is_in_front(
    page: Page, actor: Actor
) -> None:
    past = make_job(
        state="completed", name="nightly", submitted_by_id=actor.id, spec={"script": "echo past"}
    )
    page.goto(f"/jobs/new?from={past.pk}")
    expect(page.locator("[data-live-status]")).to_have_text("Live")
    page.get_by_text("Start from a past job").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+Enter")
    assert page.locator("[data-run][aria-disabled=true]").count() == 0
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+Enter")
    expect(page).not_to_have_url(re.compile("/jobs/new"))
    assert Job.objects.filter(rerun_of=past).count() == 1


def test_a_past_job_is_a_start_and_leaving_a_written_form_is_asked_about(
    page: Page, actor: Actor
) -> None:
    past = make_job(
        state="completed", name="nightly", submitted_by_id=actor.id, spec={"script": "echo past"}
    )
    opened(page)
    fill(page)
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.accept()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    page.get_by_text("Start from a past job").click()
    page.get_by_role("link", name=re.compile("nightly")).click()
    page.wait_for_url(f"**/jobs/new?from={past.pk}")
    assert asked == ["beforeunload"]
    expect(page.get_by_label("Script", exact=True)).to_have_value("echo past")
    expect(page.locator(".head")).to_contain_text(f"Filled in from {past.pk} nightly")
