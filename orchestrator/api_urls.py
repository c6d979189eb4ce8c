"""The API's addresses, with what every one of them has in common.

Each view is wrapped: the login page is not for programs (they get 401), a wrong method is
a problem document, HEAD is GET without the body, and an address that is not there is a
problem document too, whatever the method.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt

from orchestrator.api import api
from orchestrator.api_docs import api_docs, api_problems
from orchestrator.problems import problem

View = Callable[..., HttpResponseBase]


def _operation(view: View) -> View:
    """An operation's view for programs. CSRF is checked by the session's authentication."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        head = request.method == "HEAD"
        if head:
            request.method = "GET"
        response = view(request, *args, **kwargs)
        if head:
            request.method = "HEAD"
        if response.status_code != 405:
            return response
        allowed = response.headers.get("Allow", "")
        refused = problem(request, 405, f"Use {allowed}." if allowed else "")
        refused["Allow"] = allowed
        return refused

    return csrf_exempt(login_not_required(answer))


@csrf_exempt
@login_not_required
def unknown(request: HttpRequest) -> HttpResponseBase:
    """No operation has this address."""
    return problem(request, 404, f"There is nothing at {request.path}; see /api/v1/docs.")


def _operations() -> list[URLPattern]:
    patterns = [p for p in api.urls[0] if isinstance(p, URLPattern) and p.name != "api-root"]
    for pattern in patterns:
        pattern.callback = _operation(pattern.callback)
    return patterns


urlpatterns = [
    path("v1/docs", api_docs, name="api-docs"),
    path("v1/problems", api_problems, name="api-problems"),
    *(
        path("v1/" + str(pattern.pattern), pattern.callback, name=f"api-{pattern.name}")
        for pattern in _operations()
    ),
    re_path(r"", unknown, name="api-unknown"),
]
