"""Who belongs to a project: added, given another role, removed, each by a form of its page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from orchestrator.member_form import MemberForm
from orchestrator.project_page import project_detail
from projects.actor import Actor
from projects.errors import BadRequest, Conflict, Invalid
from projects.members import member_add, membership_remove, membership_set, must_manage
from projects.models import Membership, Role
from projects.pages import page_actor, refusals
from projects.selectors import member_get, share_get


@require_POST
@refusals
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Make somebody a member."""
    actor, form = page_actor(request), MemberForm(request.POST)
    made = _added(actor, slug, form)
    if made is None:
        context = project_detail(actor, share_get(actor, slug)) | {"adding": form}
        return render(request, "projects/detail.html", context, status=422)
    name, role = made.user.get_username(), made.role
    messages.success(request, f"{name} is in {slug} now, as {role}.")
    return redirect("project", slug)


@require_POST
@refusals
def change(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """Give a member another role."""
    actor = page_actor(request)
    role = _role(request.POST.get("role", ""))
    user = (member := member_get(actor, slug, user_id)).user
    try:
        membership_set(actor, project=member.project, user=user, role=role)
        messages.success(request, f"{user.get_username()} is {role} in {slug}.")
    except Conflict as error:
        messages.error(request, f"Nothing is changed: {error}")
    return redirect("project", slug)


@require_POST
@refusals
def remove(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """End a membership. Who ends their own may not see the project any more."""
    actor = page_actor(request)
    user = (member := member_get(actor, slug, user_id)).user
    try:
        membership_remove(actor, project=member.project, user=user)
    except Conflict as error:
        messages.error(request, f"Nobody is removed: {error}")
        return redirect("project", slug)
    messages.success(request, f"{user.get_username()} is in {slug} no more.")
    left = actor.id == user.pk and not actor.may_operate
    return redirect("projects") if left else redirect("project", slug)


def _added(actor: Actor, slug: str, form: MemberForm) -> Membership | None:
    """The new membership; None where the form is wrong, which it then says."""
    if not form.is_valid():
        must_manage(actor, share_get(actor, slug))
        return None
    try:
        return member_add(actor, slug, form.cleaned_data)
    except Invalid as error:
        form.blame(error.problems)
    except Conflict as error:
        form.add_error("user", str(error))
    return None


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise BadRequest("Choose one of the roles: viewer, submitter or admin.") from None
