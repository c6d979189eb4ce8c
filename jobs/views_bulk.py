"""One action on many jobs: a page that says what it would hit, then the action in batches.

Each POST takes one batch of the jobs it names and answers with a form for the rest, which
a person presses on without JavaScript and static/js/job-bulk.js sends by itself.
"""

from __future__ import annotations

import uuid
from collections import Counter
from itertools import chain, islice
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from jobs import bulk
from jobs.bulk_batch import FIELDS, carry_out
from jobs.bulk_words import WORDS, Action, Fate, counted, sentence, words_of
from jobs.filters import JobFilter
from jobs.list_page import address_of, asked, count_text, encoded
from jobs.number_lists import numbers_text, read_numbers
from jobs.query import MAX_NUMBERS, Term
from jobs.states import JobState
from projects.actor import Actor
from projects.errors import BadRequest, Invalid
from projects.pages import page_actor, refusals
from providers.selectors import provider_list

_MAX_ID = 2**63 - 1


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@refusals
def job_bulk(request: HttpRequest) -> HttpResponse:
    """What an action would do (GET), and a batch of it (POST)."""
    actor = page_actor(request)
    if request.method == "POST":
        return _batch(request, actor)
    found = asked(request.GET)
    everything = "all" in request.GET
    jobs = _ids(request.GET.getlist("job"))
    if found.problems and everything:
        raise BadRequest(" ".join(found.problems))
    if not everything and not jobs:
        messages.warning(request, "Select jobs first.")
        return redirect(_way_back(request.GET))
    action = _action(request.GET)
    seen = bulk.preview(actor, action, found.wanted if everything else jobs)
    hit = list(seen.hit)
    context = _form(actor, action, hit, _certain(seen), len(hit), request.GET)
    context |= {
        "token": uuid.uuid4().hex,
        "batch": action.batch,
        "in_batches": len(hit) > action.batch,
        "more": seen.more,
        "cut_short": seen.cut_short,
        "total": count_text(*seen.total),
        "states": [(state, number) for state, number in seen.states.items()],
        "running": seen.states.get(JobState.RUNNING, 0),
        "left_out": [
            (count_text(number, exact), words_of(fate, number))
            for fate, (number, exact) in seen.left_out.items()
        ],
    }
    return _shown(request, context)


def _batch(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The next jobs, then the form for the rest, or what came of all."""
    form = request.POST
    jobs = _ids(form.get("ids", "").split(","))
    if not jobs:
        messages.warning(request, "Select jobs first.")
        return redirect(_way_back(form))
    action, token = _action(form), form.get("token", "")[:64]
    if not (token.isascii() and (token.isalnum() or not token)):
        raise BadRequest("The token is not one of ours; begin again.")
    now, rest = jobs[: action.batch], jobs[action.batch :]
    fates = _fates(form.get("fates", ""))
    try:
        given = form.get(FIELDS.get(action, ""), "")
        came, to_show = carry_out(actor, action, now, given=given, token=token)
    except Invalid as error:
        words = " ".join(problem.detail for problem in error.problems)
        again = _form(actor, action, jobs, fates, len(jobs), form)
        again |= _to_show(action, _shown_before(form))
        return _shown(request, again | {"token": token, "problem": words})
    fates += came
    whole = form.get("whole", "")
    total = int(whole) if whole.isdecimal() and len(whole) < 6 else len(jobs)
    context = _form(actor, action, rest, fates, total, form)
    context |= _to_show(action, [*_shown_before(form), *to_show])
    if rest:
        return _shown(request, context | {"token": token, "done": max(0, total - len(rest))})
    if _by_script(request):
        return _shown(request, context | {"finished": True})
    messages.success(request, render_to_string("jobs/_bulk_came.html", context))
    return redirect(_way_back(form))


def _form(
    actor: Actor,
    action: Action,
    jobs: list[int],
    fates: Counter[Fate],
    whole: int,
    query: QueryDict,
) -> dict[str, Any]:
    """The fields with which the action goes on."""
    words, field = WORDS[action], FIELDS.get(action, "")
    return {
        "action": action,
        "words": words,
        "asks": counted(words.asks, len(jobs)),
        "button": counted(words.button, len(jobs)),
        "field": field,
        "given": query.get(field, "50" if field == "priority" else ""),
        "places": [p.name for p in provider_list(actor)] if action is Action.MOVE else [],
        "number": len(jobs),
        "ids": ",".join(map(str, jobs)),
        "fates": ",".join(f"{fate}:{number}" for fate, number in fates.items()),
        "sentence": sentence(fates),
        "whole": whole,
        "q": query.get("q", ""),
        "came_from": query.get("from", ""),
        "back": _way_back(query),
    }


def _shown(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return render(request, f"jobs/{'_bulk' if _by_script(request) else 'bulk'}.html", context)


def _by_script(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def _action(query: QueryDict) -> Action:
    try:
        return Action(query.get("action", ""))
    except ValueError:
        raise BadRequest(f"Use one of these actions: {', '.join(Action)}.") from None


def _certain(seen: bulk.Preview) -> Counter[Fate]:
    """What was left out and exactly how often: the final sentence tells of it too."""
    return Counter({fate: number for fate, (number, exact) in seen.left_out.items() if exact})


def _ids(texts: list[str]) -> list[int]:
    """Numbers of jobs, each once, in their order."""
    numbers = (int(t) for t in texts if t.isascii() and t.isdecimal() and len(t) < 20)
    return list(dict.fromkeys(n for n in numbers if n <= _MAX_ID))[: bulk.MOST]


def _fates(text: str) -> Counter[Fate]:
    """What came of the batches before, as the form brought it back; only ever shown."""
    fates: Counter[Fate] = Counter()
    for part in text.split(",")[: len(Fate)]:
        name, _, number = part.partition(":")
        if name in set(Fate) and number.isdecimal() and len(number) < 6:
            fates[Fate(name)] += int(number)
    return fates


def _shown_before(form: QueryDict) -> list[int]:
    """The jobs to show of the batches before, as the form brought them back; only ever listed."""
    runs = read_numbers(form.get("shown", "")) or []
    numbers = chain.from_iterable(range(low, high + 1) for low, high in runs)
    return list(islice(numbers, bulk.MOST))


def _to_show(action: Action, jobs: list[int]) -> dict[str, Any]:
    """Where to see what it was about; nowhere, where their numbers are too many for an address."""
    numbers = numbers_text(jobs)
    way = ""
    if 0 < len(numbers) <= MAX_NUMBERS:
        one = reverse("jobs:detail", args=jobs) if len(jobs) == 1 else ""
        listed = address_of(JobFilter((Term("id", numbers),)))
        way = one or f"{reverse('jobs:list')}?{listed}"
    new = " new" if action is Action.RERUN else ""
    words = f"Show the{new} job{'' if len(jobs) == 1 else 's'}"
    return {"shown": numbers, "show_url": way, "show_words": words}


def _way_back(query: QueryDict) -> str:
    """The list that the person came from."""
    if query.get("from") == "queue":
        return reverse("jobs:queue")
    text = query.get("q", "")
    return f"{reverse('jobs:list')}?{encoded({'q': [text]} if text else {})}"
