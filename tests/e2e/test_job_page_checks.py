"""The acceptance checks of the job page in a real browser, each under its number."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from jobs import transitions
from jobs.models import Attempt, Job
from jobs.services import job_submit
from jobs.transitions import Wait
from orchestrator.postgres_store import PostgresStore
from orchestrator.scheduling.policy import plan
from projects.actor import Actor
from projects.notify import LiveChanges, notify_live
from projects.shares import project_pause, project_resume, share_set
from providers.models import Mode, Provider
from providers.services import provider_delete, provider_set_mode
from tests.support.attempts import make_attempt
from tests.support.browsers import Opens
from tests.support.builders import make_job, make_provider, make_spec
from tests.support.engine_rows import hold
from tests.support.figures import p95, tell
from tests.support.log_rows import append, lines

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

CHANGES = 20
_NOTE_CHANGES = """
  window.seen = {};
  const look = () => {
    const words = document.querySelector("#job-header p")?.textContent ?? "";
    const found = /needs (\\d+) CPU/.exec(words);
    if (found) window.seen[found[1]] ??= performance.timeOrigin + performance.now();
  };
  const all = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.body, all);
"""


@pytest.fixture
def page(opens: Opens) -> Page:
    """The page of an administrator."""
    return opens(height=900, timezone_id="UTC").new_page()


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def live(page: Page) -> None:
    expect(page.locator("[data-live-status]")).to_have_text("Live")


def test_check_2_a_change_of_a_job_is_on_its_page_without_reload(page: Page) -> None:
    job = make_job(reason="no_capacity", reason_detail={"need": "1 CPU", "best": "node-1"})
    assert job.queue_class_id is not None
    fence = hold()
    page.goto(f"/jobs/{job.pk}")
    live(page)
    page.evaluate(_NOTE_CHANGES)
    waits = []
    for number in range(100, 100 + CHANGES):
        detail = {"need": f"{number} CPU", "best": "node-1"}
        with transaction.atomic():
            waits_for = [Wait(job.queue_class_id, "no_capacity", detail)]
            notify_live(LiveChanges(resync=transitions.explain(fence, waits_for)))
        committed = 1000 * time.time()
        page.wait_for_function(f"() => window.seen[{number}] !== undefined", timeout=20_000)
        waits.append(page.evaluate(f"window.seen[{number}]") - committed)
    tell("check 2", f"commit to page: p95 {p95(waits):.0f} ms of {CHANGES} (wanted: 1,000)")
    assert max(waits) < 20_000


def test_check_18_a_waiting_job_says_why_in_numbers_that_follow_the_providers(
    page: Page, actor: Actor
) -> None:
    one = make_provider("node-1", found_cpu_millis=4000, found_memory_mb=8192)
    two = make_provider("node-2", found_cpu_millis=4000, found_memory_mb=16_384)
    for provider, memory in ((one, 6000), (two, 12_288)):
        _fill(provider, memory)
    make_job(priority=80, name="goes-first")
    job = make_job(spec={"resources": {"cpu_cores": 1, "memory_mb": 6144}})
    page.goto(f"/jobs/{job.pk}")
    live(page)
    why = page.locator("#job-waiting")
    rows = why.locator("tbody tr")
    expect(why).to_contain_text("No provider that suits it has 6 GiB of memory free")
    expect(rows.filter(has_text="node-2")).to_contain_text("4 GiB free")
    expect(rows.filter(has_text="node-2")).to_contain_text("Needs 2 GiB more")
    expect(why).to_contain_text("Number 2 in the queue")
    expect(why).to_contain_text("2 waiting")
    figures = {}

    begun = time.monotonic()
    provider_set_mode(actor, two.pk, Mode.DRAINING)
    expect(rows.filter(has_text="node-2")).to_contain_text("It is draining")
    figures["drained"] = time.monotonic() - begun
    expect(rows.filter(has_text="node-1")).to_contain_text("Needs 3.9 GiB more")

    begun = time.monotonic()
    _remove(actor, one)
    expect(rows.filter(has_text="node-1")).to_have_count(0)
    figures["removed"] = time.monotonic() - begun

    begun = time.monotonic()
    provider_set_mode(actor, two.pk, Mode.ACTIVE)
    expect(rows.filter(has_text="node-2")).to_contain_text("Too full")
    figures["active again"] = time.monotonic() - begun
    told = ", ".join(f"{what} after {seconds:.1f} s" for what, seconds in figures.items())
    tell("check 18", f"the page knew {told} (wanted: 2 s)")


def test_check_18_a_waiting_job_follows_the_limits_and_the_pause_of_its_project(
    page: Page, actor: Actor
) -> None:
    node = make_provider("node-1", found_memory_mb=8192)
    _fill(node, 7168)
    job, _ = job_submit(actor, data=make_spec(resources={"memory_mb": 2048}))
    look = _scheduler()
    look()
    page.goto(f"/jobs/{job.pk}")
    live(page)
    header, why = page.locator("#job-header"), page.locator("#job-waiting")
    expect(why).to_contain_text("Needs 1 GiB more")
    figures = {}

    def done(what: str, change: Callable[[], object], *told: tuple[Locator, str]) -> None:
        begun = time.monotonic()
        change()
        look()
        for where, words in told:
            expect(where).to_contain_text(words)
        figures[what] = time.monotonic() - begun

    in_use = (why, "default uses 1 of 1 running jobs now.")
    full = ((header, "Waiting for room"), (why, "Needs 1 GiB more"))
    limit = partial(share_set, actor, "default")
    note = {"note": "the file server is down"}
    done("the limit", partial(limit, {"running": 1}), (header, "at its limit of"), in_use)
    done("its end", partial(limit, {"running": None}), *full)
    expect(why).not_to_contain_text("default uses")
    resume = (why, "Nothing of it starts until somebody resumes it")
    pause = partial(project_pause, actor, "default", note)
    done("the pause", pause, (header, note["note"]), resume)
    done("its end again", partial(project_resume, actor, "default"), *full)
    expect(header).not_to_contain_text(note["note"])
    told = ", ".join(f"{what} after {seconds:.1f} s" for what, seconds in figures.items())
    tell("check 18", f"the page of a waiting job knew {told} (wanted: 2 s)")
    assert max(figures.values()) < 6


def _scheduler() -> Callable[[], None]:
    """A look of the scheduler at the queue: what it decides is committed and told."""
    store, fence = PostgresStore("me", 60), hold()

    def look() -> None:
        store.tend_queue(fence)
        _, changes = store.commit_plan(fence, plan(store.snapshot()))
        notify_live(changes)

    return look


def _fill(provider: Provider, memory: int) -> None:
    attempt = make_attempt(provider=provider, running_at=ago(60))
    Attempt.objects.filter(pk=attempt.pk).update(memory_mb=memory)


def _remove(actor: Actor, provider: Provider) -> None:
    """Let what runs there be over, and delete it."""
    for attempt in Attempt.objects.filter(provider=provider):
        Attempt.objects.filter(pk=attempt.pk).update(
            phase="ended", outcome="completed", ended_at=timezone.now(), handle=None
        )
    provider_delete(actor, provider.pk)


def _ended(reason: str, detail: dict[str, Any], *, code: int | None = None, **columns: Any) -> Job:
    """A failed job with one attempt that ran for a minute."""
    job = make_job(
        state="failed", reason=reason, reason_detail=detail, exit_code=code, attempt=1,
        provider=make_provider(), created_at=ago(90), started_at=ago(80), finished_at=ago(20),
        **columns,
    )  # fmt: skip
    attempt = make_attempt(
        job=job, provider=job.provider, phase="ended", ended_at=ago(20), placed_at=ago(85),
        running_at=ago(80), started_at=ago(80), finished_at=ago(20), exit_code=code, reason=reason,
        reason_detail=detail,
    )  # fmt: skip
    Attempt.objects.filter(pk=attempt.pk).update(outcome="failed")
    append(attempt, lines(1, 9))
    return job


ENDS: dict[str, tuple[dict[str, Any], int | None, str]] = {
    "exit_code": ({"exit_code": 3}, 3, "error"),
    "could_not_start": ({"message": "no-such-command: not found"}, 127, "edit"),
    "oom_killed": ({"memory_mb": 512}, 137, "memory"),
    "timeout": ({"limit": "60 s"}, 143, "time"),
    "image_not_found": ({"image": "sample:9", "message": "no such tag"}, None, "edit"),
    "image_denied": ({"image": "private:1", "message": "no login"}, None, "provider"),
    "provider_lost": ({"provider": "node-1", "message": "not seen for 3 min"}, None, "provider"),
    "signalled": ({"exit_code": 139, "signal": "11 (SIGSEGV)"}, 139, "error"),
    "removed_outside": ({}, None, "rerun"),
}


def test_check_19_each_end_says_what_happened_and_its_first_button_works(page: Page) -> None:
    spec = {"resources": {"memory_mb": 512, "timeout_seconds": 60}}
    sentences, texts = set(), set()
    for reason, (detail, code, leads) in ENDS.items():
        job = _ended(reason, detail, code=code, spec=spec)
        page.goto(f"/jobs/{job.pk}")
        panel = page.get_by_role("region", name="Why it failed")
        sentences.add(panel.get_by_role("heading", level=2).inner_text())
        texts.add(panel.locator(".fix > p").first.inner_text())
        button = panel.locator(".fix .btn.primary")
        expect(button).to_have_count(1)
        button.click()
        if leads == "error":
            page.wait_for_url(re.compile(rf"/jobs/{job.pk}\?attempt=1#L\d+"))
        elif leads == "edit":
            page.wait_for_url(re.compile(rf"/jobs/new\?from={job.pk}"))
        elif leads == "provider":
            page.wait_for_url(re.compile(rf"/providers/{job.provider_id}"))
        else:
            page.wait_for_url(re.compile(rf"/jobs/(?!{job.pk}$)\d+$"))
            again = Job.objects.get(rerun_of=job)
            assert again.memory_mb == (1024 if leads == "memory" else 512)
            assert again.spec["resources"]["timeout_seconds"] == (120 if leads == "time" else 60)
    fine = make_job(state="completed")
    page.goto(f"/jobs/{fine.pk}")
    expect(page.locator("#job-header p").first).to_contain_text("Finished with exit code 0")
    expect(page.locator(".endp")).to_have_count(0)
    assert len(sentences) == len(texts) == len(ENDS)
    tell("check 19", f"{len(ENDS)} ends, {len(sentences)} sentences, each first button works")


def test_check_19_a_cancelled_job_says_by_whom_and_is_run_again_by_a_button(page: Page) -> None:
    job = make_job(
        state="cancelled", reason_detail={"by": "grace"},
        cancel_requested_at=ago(5), cancel_requested_by="grace",
    )  # fmt: skip
    page.goto(f"/jobs/{job.pk}")
    panel = page.get_by_role("region", name="How it ended")
    expect(panel).to_contain_text("by grace at")
    panel.get_by_role("button", name="Rerun as it was").click()
    expect(page.locator(".badge")).to_have_text("Pending")


def _tried_twice() -> Job:
    now = timezone.now()
    begun, over, first_over = (now - timedelta(seconds=n) for n in (100.25, 10.5, 70.77))
    job = make_job(
        state="completed", provider=make_provider(), attempt=2, created_at=begun,
        started_at=now - timedelta(seconds=95), finished_at=over,
    )  # fmt: skip
    for number, seconds, end, outcome in (
        (1, 98.111, first_over, "failed"),
        (2, 50.333, over, "completed"),
    ):
        stamps = {
            name: now - timedelta(seconds=seconds - after)
            for name, after in (
                ("placed_at", 0.0), ("pulling_at", 0.4), ("creating_at", 2.2), ("running_at", 3.1),
            )
        }  # fmt: skip
        attempt = make_attempt(
            job=job, provider=job.provider, number=number, phase="ended", ended_at=end,
            finishing_at=end - timedelta(seconds=1.5), **stamps,
        )  # fmt: skip
        Attempt.objects.filter(pk=attempt.pk).update(outcome=outcome)
    return job


def test_check_20_the_phases_add_up_to_the_whole_and_say_the_same_however_they_are_asked(
    page: Page,
) -> None:
    job = _tried_twice()
    page.goto(f"/jobs/{job.pk}")
    stretches = page.locator("svg.track a[data-seconds]")
    seconds = [float(s) for s in stretches.evaluate_all("all => all.map(r => r.dataset.seconds)")]
    told = page.request.get(f"/api/v1/jobs/{job.pk}").json()
    whole = _between(told["created_at"], told["finished_at"])
    assert abs(sum(seconds) - whole) < 0.1

    phases = []
    for attempt in page.request.get(f"/api/v1/jobs/{job.pk}/attempts").json()["items"]:
        stamps = [at for at in attempt["phases"].values() if at is not None]
        phases.append([_between(a, b) for a, b in pairwise(stamps)])
    shown = [seconds[1 : 1 + len(phases[0])], seconds[-len(phases[1]) :]]
    apart = [
        abs(a - b) for x, y in zip(shown, phases, strict=True) for a, b in zip(x, y, strict=True)
    ]
    assert max(apart) < 0.1
    expect(page.locator(".job-phases .legend")).to_contain_text("Back-off 20 s")
    expect(page.locator(".job-phases .legend")).to_contain_text("Attempt 2")

    reader = page.locator("[data-phase-told]")
    first, count = stretches.first, stretches.count()
    first.focus()
    for index in range(count):
        label = str(stretches.nth(index).get_attribute("aria-label"))
        expect(reader).to_have_text(label)
        assert stretches.nth(index).locator("title").text_content() == label
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    for index in range(count):
        stretches.nth(index).hover(force=True)
        expect(reader).to_have_text(str(stretches.nth(index).get_attribute("aria-label")))
    stretches.nth(3).focus()
    label = str(stretches.nth(3).get_attribute("aria-label"))
    page.keyboard.press("Enter")
    expect(page.locator("#job-events")).to_contain_text(label)
    stretches.nth(1).click()
    expect(page.locator("#job-events")).to_contain_text("Attempt 1, Placed")
    page.get_by_role("link", name="Its log").click()
    expect(page).to_have_url(re.compile(r"\?attempt=1$"))
    tell(
        "check 20",
        f"{count} phases add up to the whole within {1000 * abs(sum(seconds) - whole):.0f} ms, "
        f"each is the API's within {1000 * max(apart):.0f} ms (wanted: 100)",
    )


def _between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def test_title_and_icon_of_the_tab_follow_the_state(page: Page, actor: Actor) -> None:
    job = make_job(name="nightly")
    page.goto(f"/jobs/{job.pk}")
    live(page)
    icon = page.locator("link[rel=icon]")
    expect(icon).to_have_attribute("href", re.compile(r"state/pending"))
    transitions.request_cancel([job.pk], actor)
    expect(page).to_have_title(re.compile("nightly, cancelled"))
    expect(icon).to_have_attribute("href", re.compile(r"state/cancelled"))


def test_a_menu_is_closed_as_menus_are_and_then_holds_the_page_up_no_more(
    page: Page, actor: Actor
) -> None:
    job = make_job(name="nightly")
    page.goto(f"/jobs/{job.pk}")
    live(page)
    header = page.locator("#job-header")
    menu = header.locator("details[data-menu]")
    summary, note = menu.locator("summary"), page.get_by_label("Why it is held")
    summary.click()
    expect(note).to_be_focused()
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    expect(summary).to_be_focused()

    summary.click()
    note.fill("until the disk is there")
    page.locator("h1").click()
    expect(note).to_be_visible()  # what is typed is not put away
    note.fill("")
    transitions.request_cancel([job.pk], actor)
    expect(header).to_have_attribute("data-updated", "")
    page.locator("h1").click()
    expect(page.locator(".badge")).to_have_text("Cancelled")


def test_the_spec_shows_what_has_changed_and_is_copied_as_curl_without_secrets(page: Page) -> None:
    make_job(state="completed", name="load", spec={"name": "load", "env": {"DAY": "1"}})
    changed = {"name": "load", "env": {"DAY": "2"}, "secret_env": {"TOKEN": "hush-hush"}}
    job = make_job(name="load", spec=changed)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/jobs/{job.pk}?tab=spec")
    expect(page.locator(".difflines .del").first).to_contain_text('"DAY": "1"')
    expect(page.locator(".difflines .add").first).to_contain_text('"DAY": "2"')
    page.get_by_role("button", name="Copy as curl").click()
    page.wait_for_function(
        "() => navigator.clipboard.readText().then((t) => t.startsWith('curl '))"
    )
    copied = page.evaluate("navigator.clipboard.readText()")
    assert '"TOKEN": "FILL-IN"' in copied
    assert "hush-hush" not in page.content()
