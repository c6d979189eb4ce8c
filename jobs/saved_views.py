"""Lists of jobs that a person saved under names of their own; nobody else sees them.

They are a convenience of their owner and change nothing that others see, so no event is
recorded of them.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from jobs.filters import JobFilter
from jobs.models import SavedView
from jobs.query import MAX_LENGTH, problems_together, read_terms
from jobs.sorts import Sort, must_fit, read_sort
from projects.actor import Actor
from projects.errors import Conflict, FieldProblem, Invalid, NotFound
from projects.strict import text_problem

MOST = 50
MOST_CHARACTERS = 60


def views_of(actor: Actor) -> list[SavedView]:
    """The actor's own views, by name."""
    return list(SavedView.objects.filter(owner=actor.id))


def default_view(actor: Actor) -> SavedView | None:
    """The view that the page of jobs opens with, if there is one."""
    return SavedView.objects.filter(owner=actor.id, is_default=True).first()


def view_get(actor: Actor, view_id: int) -> SavedView:
    """One of the actor's own views. Raises NotFound, just so for those of others."""
    view = SavedView.objects.filter(owner=actor.id, pk=view_id).first()
    if view is None:
        raise NotFound("You have no such view.")
    return view


@transaction.atomic
def view_save(actor: Actor, *, name: str, query: str, sort: str, default: bool) -> SavedView:
    """Keep a list under a name; one that the actor has under that name shows this list from
    now on. Raises Invalid, and Conflict when there are too many."""
    own = _locked(actor)
    name, problems = _checked_name(name)
    wanted, more = _checked_query(query, sort)
    if problems or more:
        raise Invalid([*problems, *more])
    if len(own) >= MOST and name not in {view.name for view in own}:
        raise Conflict(f"You have {MOST} views; delete one first.")
    view, _ = SavedView.objects.update_or_create(
        owner_id=actor.id, name=name, defaults={"query": wanted, "sort": sort or Sort.NEWEST}
    )
    if default:
        _make_default(actor, view)
    return view


@transaction.atomic
def view_rename(actor: Actor, *, view_id: int, name: str) -> SavedView:
    """Give a view another name. Raises NotFound, Invalid, and Conflict for one that is taken."""
    own = _locked(actor)
    view = view_get(actor, view_id)
    name, problems = _checked_name(name)
    if problems:
        raise Invalid(problems)
    if any(other.name == name and other.pk != view.pk for other in own):
        raise Conflict(f"You have a view named “{name}” already.")
    view.name = name
    view.save(update_fields=["name"])
    return view


@transaction.atomic
def view_set_default(actor: Actor, *, view_id: int, default: bool) -> SavedView:
    """Open the page of jobs with this view, or no longer. Raises NotFound."""
    _locked(actor)
    view = view_get(actor, view_id)
    if default:
        _make_default(actor, view)
    else:
        SavedView.objects.filter(pk=view.pk).update(is_default=False)
    return view


def view_delete(actor: Actor, *, view_id: int) -> SavedView:
    """Forget a view. Raises NotFound."""
    view = view_get(actor, view_id)
    SavedView.objects.filter(pk=view.pk).delete()
    return view


def _locked(actor: Actor) -> list[SavedView]:
    """The actor's views, which two requests at once change one after the other, also while
    there is none yet."""
    assert actor.id is not None  # whoever saves a view is a person
    User.objects.select_for_update(no_key=True).filter(pk=actor.id).first()
    return list(SavedView.objects.filter(owner=actor.id).order_by("pk"))


def _make_default(actor: Actor, view: SavedView) -> None:
    SavedView.objects.filter(owner=actor.id, is_default=True).update(is_default=False)
    SavedView.objects.filter(pk=view.pk).update(is_default=True)


def _checked_name(text: str) -> tuple[str, list[FieldProblem]]:
    name = " ".join(text.split())
    if problem := text_problem(name):
        return name, [FieldProblem("/name", problem)]
    if not 1 <= len(name) <= MOST_CHARACTERS:
        return name, [FieldProblem("/name", f"Use 1 to {MOST_CHARACTERS} characters.")]
    return name, []


def _checked_query(query: str, sort: str) -> tuple[str, list[FieldProblem]]:
    """The query as it is written of itself, and what is wrong with it or with its order."""
    terms, wrong = read_terms(query)
    problems = [FieldProblem("/q", words) for words in (*wrong, *problems_together(terms))]
    wanted = JobFilter(tuple(terms))
    if len(str(wanted)) > MAX_LENGTH:
        problems.append(FieldProblem("/q", f"Shorten it: at most {MAX_LENGTH:,} characters."))
    if not problems:
        try:
            must_fit(read_sort([sort]), wanted)
        except Invalid as error:
            problems += error.problems
    return str(wanted), problems
