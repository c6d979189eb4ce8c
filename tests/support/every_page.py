"""Every page of the instance, found through the URLconf, with something for each parameter.

A route that nobody has said how to open here is an error that names it: what all pages are
judged by (tests of accessibility, width, queries) then judges the new one too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.http.response import HttpResponseBase
from django.test import Client

from tests.support.filled import Filled
from tests.support.routes import patterns

SIGNED_OUT = {"login", "admin/login/"}
"""Pages that lead on whoever is signed in already."""

LEAD_ON = {
    "jobs/bulk": "the list of jobs, where none is selected",
}
"""Routes that answer with a redirect, and where to."""

NO_PAGE = {
    "admin/autocomplete/": "data for a field",
    "admin/jsi18n/": "a script",
    "admin/r/<path:content_type_id>/<path:object_id>/": "leads from the admin to the object's page",
    "admin/<url>": "the admin's 404",
}
"""Routes that take GET and show nobody a page of their own."""

VARIANTS: Mapping[str, tuple[str, ...]] = {
    "jobs": ("?q=state:failed", "?q=zzz", "?q=state:nothing"),
    "jobs/bulk": (
        "?action=cancel&job={pending}&job={failed}",
        "?action=rerun&job={failed}",
        "?action=hold&job={pending}",
        "?action=reprioritise&job={pending}&from=queue",
        "?action=move&job={pending}",
    ),
    "jobs/new": ("?from={failed}",),
    "jobs/<int:job_id>": ("?tab=events", "?tab=spec"),
    "providers/new": ("?kind=docker",),
}
"""Other faces of a page, by query string; `{state}` is a job in that state."""

ASKED: Mapping[str, str] = {
    "_/providers/<int:provider_id>/mode": "?to=draining",
    "providers/<int:provider_id>/mode": "?to=draining",
}
"""What a page wants to be asked with."""

APPS = ("auth", "django_q", "jobs", "projects", "providers")


class UnknownRoute(AssertionError):
    """A route that this module does not know how to open."""


@dataclass(frozen=True, slots=True)
class Address:
    """A page that was opened: the route, the path, whether a whole document or a region of one,
    and who sees it."""

    pattern: str
    path: str
    is_document: bool
    signed_in: bool = True
    as_viewer: bool = False


def every_page(filled: Filled, *, admin: bool = True) -> list[Address]:
    """All pages and regions, with or without the admin's, each opened once. Raises UnknownRoute."""
    ada, nobody, viewer = Client(), Client(), Client()
    ada.force_login(filled.user)
    viewer.force_login(filled.viewer)
    found, unknown = [], []
    for pattern in sorted(set(patterns())):
        if pattern.startswith("admin/") and not admin:
            continue
        signed_in = pattern not in SIGNED_OUT
        for path, missing in paths_of(pattern, filled):
            response = (ada if signed_in else nobody).get(path)
            if missing and response.status_code != 405:
                unknown.append(f"{pattern!r} has <{missing}>, for which nothing is known")
            elif (is_page := _shows(pattern, response)) is None:
                unknown.append(f"{pattern!r}: {path} answers {response.status_code}")
            elif is_page:
                is_document = b"<html" in _content(response)
                found.append(Address(pattern, path, is_document, signed_in))
    if unknown:
        raise UnknownRoute(f"Say in {__name__} how to open these: " + "; ".join(unknown))
    assert viewer.get("/providers/new").status_code == 403
    assert ada.get("/nowhere").status_code == 404
    wrong = [
        Address("(404)", "/nowhere", is_document=True),
        Address("(403)", "/providers/new", is_document=True, as_viewer=True),
    ]
    return found + wrong


def _shows(pattern: str, response: HttpResponseBase) -> bool | None:
    """True for a page, false for what is rightly none, None for what nobody has thought of."""
    status = response.status_code
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    if pattern in NO_PAGE or status == 405:
        return False
    if status == 200:
        return is_html
    if pattern.startswith("api/") and not is_html:
        return False
    if status == 302 and (pattern in LEAD_ON or _leads_to_change(pattern)):
        return False
    # Who may do all there is is still refused what services alone do.
    if status == 403 and pattern.startswith("admin/") and pattern.endswith(("/add/", "/delete/")):
        return False
    return None


def _leads_to_change(pattern: str) -> bool:
    return bool(re.fullmatch(r"admin/\w+/\w+/<path:object_id>/", pattern))


def paths_of(pattern: str, filled: Filled) -> Iterator[tuple[str, str]]:
    """The paths of a route with what there is to show, one for each face that it has, and the name
    of a parameter for which there is nothing: routes that only take POST need none."""
    for values in _values(pattern, filled):
        pieces = re.split(r"<(?:\w+:)?(\w+)>", pattern)
        missing = next((name for name in pieces[1::2] if name not in values), "")
        pieces[1::2] = [str(values.get(name, 1)) for name in pieces[1::2]]
        yield "/" + "".join(pieces) + ASKED.get(pattern, ""), missing
    by_state = {state: job.pk for state, job in filled.jobs.items()}
    for variant in VARIANTS.get(pattern, ()):
        yield "/" + "".join(pieces) + variant.format(**by_state), missing


def _values(pattern: str, filled: Filled) -> Iterator[dict[str, Any]]:
    """Something for each parameter. A job's pages are opened for a job in each state."""
    common: dict[str, Any] = {
        "slug": filled.project.slug,
        "provider_id": filled.provider.pk,
        "request_id": filled.request.pk,
        "login_id": filled.login.pk,
        "id": filled.user.pk,
        "content_type_id": 1,
        "url": "no/such/page",
    }
    if pattern.startswith("admin/"):
        names = APPS if "<app_label>" in pattern else ("",)
        for name in names:
            yield common | {"app_label": name, "object_id": _object(pattern)}
        return
    if "<int:job_id>" not in pattern:
        yield common
        return
    for state, job in filled.jobs.items():
        if "<int:number>" in pattern and state not in ("running", "failed", "completed"):
            continue
        yield common | {"job_id": job.pk, "number": job.attempt}


def _object(pattern: str) -> Any:
    """The key of a row of the admin page's model, the newest."""
    found = re.match(r"admin/(\w+)/(\w+)/.*<path:object_id>", pattern)
    if found is None:
        return 1
    row = apps.get_model(found[1], found[2])._default_manager.order_by("pk").last()
    if row is None:
        raise UnknownRoute(f"{pattern!r}: there is no row; make one in tests/support/filled.py")
    return row.pk


def _content(response: HttpResponseBase) -> bytes:
    return bytes(getattr(response, "content", b""))
