"""The home page: is anything wrong, and is mine done? Each card is a region of its own, so that
one which cannot be shown takes nothing else with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from jobs import hello, seen
from jobs.first_job import has_run
from jobs.seen import Thing
from jobs.services import job_submit
from jobs.whose import Whose, whose_of
from orchestrator.home import ATTENTION, BY_NAME, CARDS, START, Card, Look
from projects.actor import Actor
from projects.errors import BadRequest, Conflict, Forbidden, LimitReached, NotFound
from projects.models import Role
from projects.pages import SharedText, page_actor, refusals, unless_known
from projects.selectors import projects_of, shares_of

logger = logging.getLogger(__name__)
HEAD = "orchestrator/home/_head.html"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What is true now; or how to run the first job, while none has run."""
    actor = page_actor(request)
    whose = whose_of(request.GET.get("whose", ""))
    if not has_run(actor):
        start = _or_broken(request, Look(actor, whose), START)
        return render(request, "orchestrator/start.html", start)
    look, shown = Look(actor, whose), dict[str, str]()
    # Before anything is read: what one card reads, others tell too.
    shared = {one.name: text.at_once() for one in CARDS if (text := _shared(look, one))}
    for one in CARDS:
        shown |= _or_broken(request, look, one, shared.get(one.name))
    return render(request, "orchestrator/home.html", shown)


@require_safe
def card(request: HttpRequest, name: str) -> HttpResponse:
    """One card."""
    look, one = Look(page_actor(request), whose_of(request.GET.get("whose", ""))), BY_NAME[name]
    try:
        mark = one.mark(look)
        return unless_known(request, lambda: _apart(request, look, one), mark)
    except Exception:  # told in its place, and no mark is of that
        return unless_known(request, lambda: HttpResponse(_broken(request, look, one)), None)


@require_POST
@refusals
def acknowledge(request: HttpRequest) -> HttpResponse:
    """What the page showed is seen: all of it, or one of its entries."""
    actor = page_actor(request)
    seen.acknowledge(actor, _until(request), _thing(request, actor))
    whose = whose_of(request.POST.get("whose", ""))
    if request.headers.get("HX-Request"):
        look = Look(actor, whose)
        return unless_known(request, lambda: _apart(request, look, ATTENTION), None)
    return redirect("/?whose=mine" if whose is Whose.MINE else "home")


@require_POST
@refusals
def run_hello(request: HttpRequest) -> HttpResponse:
    """Submit the first job to a project of this person; the home page shows how it goes. It is
    offered while they have none, so it is made once, however often it is asked for."""
    actor = page_actor(request)
    project = projects_of(actor, Role.SUBMITTER).first()
    if project is None:
        raise Forbidden("You may not submit jobs to any project. Ask one of its admins.")
    first = not has_run(actor)
    key = f"hello-{project.slug}"
    try:
        job, _ = job_submit(actor, data=hello.hello_spec(project.slug), idempotency_key=key)
    except LimitReached as error:
        messages.error(request, str(error))
        return redirect("home")
    except Conflict:  # made by an older Gantry, whose first job was another one
        return redirect("home")
    return redirect("home") if first else redirect("jobs:detail", job.pk)


def _parts(request: HttpRequest, look: Look, one: Card, *, apart: bool = False) -> dict[str, str]:
    """The card's markup by its name. The one of what wants attention brings the page's sentence
    along, which is swapped where it stands when the card is fetched `apart`."""
    context = {**one.context(look), "whose": look.whose, "apart": apart}
    parts: dict[str, str] = {one.name: render_to_string(one.template, context, request)}
    if one is ATTENTION:
        parts["head"] = render_to_string(HEAD, context, request)
    return parts


def _or_broken(
    request: HttpRequest, look: Look, one: Card, shared: Callable[[], str] | None = None
) -> dict[str, str]:
    """The card's markup by its name, or in its place that it cannot be shown. `shared` gives it
    where it is not made for this person."""
    try:
        return {one.name: shared()} if shared else _parts(request, look, one)
    except Exception:  # whatever it is, the other cards are right and are shown
        return {one.name: _broken(request, look, one)}


def _broken(request: HttpRequest, look: Look, one: Card) -> str:
    """That a card cannot be shown, said in its place; called where that is found out."""
    logger.exception("the card %s of the home page cannot be shown", one.name)
    number = getattr(request, "request_id", "")
    context = {"card": one, "whose": look.whose, "request_id": number}
    return render_to_string("orchestrator/home/_broken.html", context, request)


def _shared(look: Look, one: Card) -> SharedText | None:
    """The card, rendered once for all who have the same rights, where it tells of nobody."""
    if one.personal or look.whose is not Whose.ALL:
        return None
    nobodys = look.nobodys

    def make() -> str:
        return render_to_string(one.template, {**one.context(nobodys), "whose": look.whose})

    return SharedText(nobodys.actor, f"home/{one.name}", lambda: one.mark(nobodys), make)


def _apart(request: HttpRequest, look: Look, one: Card) -> HttpResponse:
    """The card as a live region fetches it."""
    if shared := _shared(look, one):
        return HttpResponse(shared.in_turn())
    return HttpResponse("".join(_parts(request, look, one, apart=True).values()))


def _until(request: HttpRequest) -> datetime:
    """The time that the page was of, in UTC, because Postgres takes no offset beyond 15:59."""
    try:
        until = datetime.fromisoformat(request.POST.get("until", ""))
        if until.tzinfo is not None:
            return until.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadRequest("Until when it was seen is missing; reload the page and try again.")


def _thing(request: HttpRequest, actor: Actor) -> Thing | None:
    """What the entry tells of; None for all of them."""
    project, name = request.POST.get("project", ""), request.POST.get("name", "")
    if not project and not name:
        return None
    known = project.isascii() and project.isdecimal() and len(project) < 19
    if not known or not shares_of(actor).filter(pk=int(project)).exists():
        raise NotFound("There is no such project that you can see.")
    kind = request.POST.get("kind", "")
    if kind not in seen.KINDS:
        raise BadRequest("What was seen is missing; reload the page and try again.")
    return kind, (int(project), name[:120].replace("\0", ""))
