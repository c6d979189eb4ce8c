"""Who belongs to a project: who may say so, how it is told, and that an admin stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from projects.actor import Actor
from projects.errors import Conflict, Forbidden, Invalid, NotFound
from projects.members import member_add, membership_remove, membership_set
from projects.models import Event, Project, Role
from tests.support.builders import make_actor, make_project, make_user
from tests.support.connections import blocked_sessions, other_session
from tests.support.pages import signed_in, words_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("etl")


@pytest.fixture
def ada(project: Project) -> User:
    return make_user("ada", project=project, role=Role.ADMIN)


@pytest.fixture
def admin(ada: User) -> Client:
    return signed_in(ada)


@pytest.fixture
def bob(project: Project) -> User:
    return make_user("bob", project=project, role=Role.VIEWER)


def roles(project: Project) -> dict[str, str]:
    return dict(project.memberships.values_list("user__username", "role"))


def told() -> list[tuple[str, str, str, str]]:
    """The changes of members: by whom, of whom, from, to."""
    events = Event.objects.filter(type="member.changed").order_by("pk")
    return [(e.actor_name, e.detail["user"], e.source, e.target) for e in events]


def person(who: str, project: Project) -> Actor:
    match who:
        case "superuser":
            user = make_user(superuser=True)
        case "staff":
            user = make_user(staff=True)
        case "stranger":
            user = make_user(project=make_project(), role=Role.ADMIN)
        case role:
            user = make_user(project=project, role=Role(role))
    return make_actor(user)


@pytest.mark.parametrize("who", ["admin", "superuser"])
def test_admins_of_a_project_and_superusers_change_its_members(
    project: Project, ada: User, who: str
) -> None:
    actor, guest = person(who, project), make_user("guest")
    member_add(actor, "etl", {"user": "guest", "role": "viewer"})
    membership_set(actor, project=project, user=guest, role=Role.SUBMITTER)
    membership_set(actor, project=project, user=guest, role=Role.SUBMITTER)  # is so already
    membership_remove(actor, project=project, user=guest)
    assert "guest" not in roles(project)
    assert told() == [
        (actor.name, "guest", "", "viewer"),
        (actor.name, "guest", "viewer", "submitter"),
        (actor.name, "guest", "submitter", ""),
    ]


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("viewer", Forbidden),
        ("submitter", Forbidden),
        ("staff", Forbidden),
        ("stranger", NotFound),
    ],
)
def test_others_change_no_members(
    project: Project, bob: User, who: str, refusal: type[Exception]
) -> None:
    actor, before = person(who, project), roles(project)
    make_user("guest")
    with pytest.raises(refusal):
        member_add(actor, "etl", {"user": "guest", "role": "viewer"})
    with pytest.raises(refusal):
        membership_set(actor, project=project, user=bob, role=Role.ADMIN)
    with pytest.raises(refusal):
        membership_remove(actor, project=project, user=bob)
    assert roles(project) == before
    assert told() == []


def test_who_is_not_there_and_who_is_switched_off_are_refused_alike(
    project: Project, ada: User
) -> None:
    User.objects.filter(pk=make_user("gone").pk).update(is_active=False)
    for name in ("nobody", "gone"):
        with pytest.raises(Invalid) as refused:
            member_add(make_actor(ada), "etl", {"user": name, "role": "viewer"})
        assert str(refused.value) == "/user: There is nobody of that name who may sign in."


def test_the_last_admin_stays_unless_a_superuser_says_otherwise(
    project: Project, ada: User
) -> None:
    off = make_user("off", project=project, role=Role.ADMIN)
    User.objects.filter(pk=off.pk).update(is_active=False)  # is no help to the others
    for change in (
        lambda: membership_remove(make_actor(ada), project=project, user=ada),
        lambda: membership_set(make_actor(ada), project=project, user=ada, role=Role.VIEWER),
    ):
        with pytest.raises(Conflict, match="ada is the last admin of etl: make somebody else"):
            change()
    membership_set(make_actor(ada), project=project, user=ada, role=Role.ADMIN)  # is so already
    assert told() == []
    membership_remove(make_actor(make_user(superuser=True)), project=project, user=ada)
    assert "ada" not in roles(project)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("own", "refusal"), [(False, Forbidden), (True, Conflict)])
def test_of_two_admins_who_go_at_once_one_stays(
    project: Project, ada: User, own: bool, refusal: type[Exception]
) -> None:
    """Each removes the other, or themselves."""
    eve = make_user("eve", project=project, role=Role.ADMIN)
    pairs = [(make_actor(ada), ada if own else eve), (make_actor(eve), eve if own else ada)]

    def remove(pair: tuple[Actor, User]) -> bool:
        try:
            membership_remove(pair[0], project=project, user=pair[1])
        except refusal:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(remove, pairs)) == [False, True]
    assert len(roles(project)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["add", "change", "remove"])
def test_who_was_an_admin_until_it_was_their_turn_changes_nothing(
    project: Project, ada: User, act: str
) -> None:
    eve = make_user("eve", project=project, role=Role.ADMIN)
    make_user("bob", project=project, role=Role.ADMIN)
    make_user("friend")
    actor, first = make_actor(eve), make_actor(ada)
    with other_session() as other, ThreadPoolExecutor(1) as threads:
        other.do(lambda: transaction.set_autocommit(False))
        other.do(lambda: membership_remove(first, project=project, user=eve))

        def late() -> None:
            try:
                if act == "add":
                    member_add(actor, "etl", {"user": "friend", "role": "admin"})
                elif act == "change":
                    membership_set(actor, project=project, user=ada, role=Role.VIEWER)
                else:
                    membership_remove(actor, project=project, user=ada)
            finally:
                connection.close()

        answer = threads.submit(late)
        wait_until(lambda: blocked_sessions() > 0, 10, "it waits for its turn")
        other.do(lambda: connection.commit())
        with pytest.raises(Forbidden, match="Only admins of etl may change its members"):
            answer.result(10)
    assert roles(project) == {"ada": "admin", "bob": "admin"}


def test_who_is_switched_off_is_told_to_be_in_the_list(
    admin: Client, ada: User, project: Project
) -> None:
    off = make_user("off", project=project, role=Role.ADMIN)
    User.objects.filter(pk=off.pk).update(is_active=False)
    words = words_of(admin.post(f"/projects/etl/members/{ada.pk}/remove", follow=True))
    assert "ada is the last admin of etl" in words
    assert "off Admin, switched off" in words
    assert "ada Admin, switched off" not in words


def test_an_admin_adds_changes_and_removes_a_member_on_the_page(
    admin: Client, project: Project
) -> None:
    cid = make_user("cid")
    form = {"user": " cid ", "role": "viewer"}
    words = words_of(admin.post("/projects/etl/members", form, follow=True))
    assert "cid is in etl now, as viewer." in words
    assert "cid Viewer" in words
    one = f"/projects/etl/members/{cid.pk}"
    words = words_of(admin.post(f"{one}/role", {"role": "submitter"}, follow=True))
    assert "cid is submitter in etl." in words
    assert "cid Submitter" in words
    assert words_of(admin.get("/_/projects/etl")).count("cid Submitter") == 1
    words = words_of(admin.post(f"{one}/remove", follow=True))
    assert "cid is in etl no more." in words
    assert roles(project) == {"ada": "admin"}
    words = words_of(admin.get("/activity"))
    for change in ("none to viewer", "viewer to submitter", "submitter to none"):
        assert f"cid {change}" in words


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"user": "nobody"}, "There is nobody of that name who may sign in."),
        ({"user": ""}, "Write the name with which they sign in."),
        ({"user": "x" * 151}, "Too long: at most 150 characters."),
        ({"user": "bob"}, "bob is in etl already, as viewer: nothing is changed."),
        ({"user": "cid", "role": "owner"}, "Select a valid choice."),
    ],
)
def test_who_cannot_be_added_is_told_at_the_field_and_stays_in_it(
    admin: Client, project: Project, bob: User, typed: dict[str, str], problem: str
) -> None:
    make_user("cid")
    answer = admin.post("/projects/etl/members", {"role": "admin"} | typed)
    assert answer.status_code == 422
    assert problem in words_of(answer)
    page = answer.content.decode()
    assert '<details class="menu" data-menu open' in page
    assert not typed["user"] or f'value="{typed["user"]}"' in page
    assert roles(project) == {"ada": "admin", "bob": "viewer"}
    assert told() == []


def test_the_page_says_why_the_last_admin_stays(admin: Client, ada: User, project: Project) -> None:
    one = f"/projects/etl/members/{ada.pk}"
    words = words_of(admin.post(f"{one}/role", {"role": "viewer"}, follow=True))
    assert "Nothing is changed: ada is the last admin of etl" in words
    words = words_of(admin.post(f"{one}/remove", follow=True))
    assert "Nobody is removed: ada is the last admin of etl" in words
    assert roles(project) == {"ada": "admin"}


def test_an_admin_who_leaves_is_led_to_their_other_projects(
    admin: Client, ada: User, project: Project
) -> None:
    make_user("eve", project=project, role=Role.ADMIN)
    answer = admin.post(f"/projects/etl/members/{ada.pk}/remove", follow=True)
    assert answer.redirect_chain == [("/projects", 302)]
    assert "ada is in etl no more." in words_of(answer)
    assert admin.get("/projects/etl").status_code == 404


def test_who_may_not_change_members_sees_them_and_no_form(
    project: Project, ada: User, bob: User
) -> None:
    for browser in (signed_in(bob), signed_in(make_user(staff=True))):
        answer = browser.get("/projects/etl")
        assert "ada Admin bob Viewer" in words_of(answer)
        assert "/projects/etl/members" not in answer.content.decode()
        form = {"user": "nobody", "role": ""}  # nor is told what is wrong with it
        refused = browser.post("/projects/etl/members", form)
        assert refused.status_code == 403
        assert "Only admins of etl may change its members." in words_of(refused)


def test_what_no_form_sends_is_refused(admin: Client, bob: User) -> None:
    one = f"/projects/etl/members/{bob.pk}"
    assert admin.post(f"{one}/role", {"role": "owner"}).status_code == 400
    for number in (make_user("cid").pk, "9" * 30):
        for act in ("role", "remove"):
            answer = admin.post(f"/projects/etl/members/{number}/{act}", {"role": "viewer"})
            assert answer.status_code == 404
            assert "cid" not in words_of(answer)
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = admin.cookies
    assert careful.post(f"{one}/remove").status_code == 403
    assert bob.memberships.exists()
