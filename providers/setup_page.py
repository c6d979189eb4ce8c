"""What the setup of a provider reads and shows beside its limits: its kind, and the test of it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from projects.actor import Actor
from projects.errors import FieldProblem, Invalid
from projects.rules import one_line
from providers.forms import Kind, kinds
from providers.models import Provider
from providers.readings import KIND_WORDS
from providers.selectors import latest_test
from providers.views_live import request_context

MAX_IMAGE = 512


def kind_of(provider: Provider) -> Kind:
    """Its kind in words, also where this instance does not allow that kind any more."""
    known = {kind.name: kind for kind in kinds()}
    word = KIND_WORDS.get(provider.kind, provider.kind)
    return known.get(provider.kind) or Kind(provider.kind, word, "")


def test_args(request: HttpRequest) -> dict[str, Any]:
    """The image to test with, if one was named. Raises Invalid for what is none."""
    image = request.POST.get("image", "").strip()
    if len(image) > MAX_IMAGE or " " in image:
        words = f"A name of an image has no blanks and at most {MAX_IMAGE} characters."
        raise Invalid([FieldProblem("/image", words)])
    try:
        return {"image": one_line(image)} if image else {}
    except ValueError as error:
        raise Invalid([FieldProblem("/image", str(error))]) from None


def test_shown(request: HttpRequest, actor: Actor, provider: Provider) -> dict[str, Any]:
    """The test that the address names, or the last one."""
    last = latest_test(provider)
    given = request.GET.get("request", "")
    if given.isdecimal() and len(given) < 19:
        shown = request_context(actor, int(given), setup=True)
        if shown["asked"].provider_id == provider.pk:
            return shown
    return request_context(actor, last.pk, setup=True) if last else {}
