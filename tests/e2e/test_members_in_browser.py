"""The members of a project, changed by its admin in a real browser: without JavaScript, on a
phone, and while somebody else changes them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from projects.actor import Actor
from projects.members import member_add
from projects.models import Project, Role
from tests.support.axe import WCAG, judged
from tests.support.browsers import Opens, width_in
from tests.support.builders import make_actor, make_project, make_user

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project() -> Project:
    project = make_project("etl")
    for name in ("bo", "cid.with-a-name-that-is-longer-than-the-card-is-wide@example.com"):
        make_user(name, project=project)
    make_user("dan")
    return project


@pytest.fixture
def actor(project: Project) -> Actor:
    """An admin of the project, and nothing else."""
    return make_actor(make_user("ada", project=project, role=Role.ADMIN), via="web")


ROOM_LEFT = """(select) => {
  const longest = select.cloneNode(true);
  longest.style.cssText = "position: absolute; width: max-content; min-width: 0";
  select.after(longest);
  const room = select.offsetWidth - longest.offsetWidth;
  longest.remove();
  return room;
}"""
"""How much wider a select is than its longest option asks for."""


def row(page: Page, name: str) -> Locator:
    return page.locator(".members li").filter(has_text=name)


def menu(page: Page, name: str) -> Locator:
    """What "Change" opens for that member."""
    row(page, name).locator("summary").click()
    return row(page, name).locator(".panel")


def test_without_javascript_members_are_added_changed_and_removed(opens: Opens) -> None:
    page = opens(java_script_enabled=False).new_page()
    page.goto("/projects/etl")
    page.get_by_text("Add", exact=True).click()
    page.get_by_label("User name").fill("dan")
    page.get_by_role("button", name="Add to etl").click()
    expect(page.get_by_text("dan is in etl now, as submitter.")).to_be_visible()
    menu(page, "dan").get_by_label("Role of dan").select_option("viewer")
    row(page, "dan").get_by_role("button", name="Set the role").click()
    expect(row(page, "dan")).to_contain_text("Viewer")
    menu(page, "dan").get_by_role("button", name="Remove dan").click()
    expect(page.get_by_text("dan is in etl no more.")).to_be_visible()
    expect(row(page, "dan")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_every_form_of_members_can_be_seen_and_reached_whatever_the_width(
    opens: Opens, width: int
) -> None:
    page = opens(width=width, height=800).new_page()
    page.goto("/projects/etl")
    for summary in page.locator("#members summary").all():
        summary.click()
        panel = page.locator("#members details[open] .panel")
        box = panel.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
        for select in panel.locator("select").all():
            assert select.evaluate(ROOM_LEFT) >= 0, "its text is cut"
        assert width_in(page, width, 800) <= width
        assert judged(page, WCAG) == []
        panel.get_by_role("button").last.click(trial=True)  # no bar lies over it
        page.keyboard.press("Escape")


def test_a_member_whom_somebody_else_adds_appears_and_an_open_form_stays(
    opens: Opens, actor: Actor
) -> None:
    page, other = opens().new_page(), opens().new_page()
    page.goto("/projects/etl")
    other.goto("/projects/etl")
    other.get_by_text("Add", exact=True).click()
    other.get_by_label("User name").fill("half a na")
    member_add(actor, "etl", {"user": "dan", "role": "viewer"})
    expect(row(page, "dan")).to_contain_text("Viewer")
    expect(other.get_by_label("User name")).to_have_value("half a na")
