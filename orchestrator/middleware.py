"""A name for every request, so that an error page and an event can be matched; the way to login."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib import messages
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.contrib.messages.storage.base import BaseStorage
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from orchestrator.log_lines import request_number

_SAFE = re.compile(r"[A-Za-z0-9_-]{8,40}\Z")
Responder = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class RequestIdMiddleware:
    """Takes X-Request-Id from the client (when it is harmless) or makes one, and returns it.

    It stays the number of what is logged here, also after the answer, when Django tells of it:
    each request has a context of its own (web_handler.py).
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if _SAFE.match(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        request_number.set(request.request_id)  # type: ignore[attr-defined]
        if self.is_async:
            return self._answer_async(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        pending = self.get_response(request)
        assert isinstance(pending, Awaitable)
        response = await pending
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


NOT_DONE = "You had been signed out, so that was not done. Do it again if you still want it."


class LoginRequired(LoginRequiredMiddleware):
    """Login leads back to a page: for a button that was pressed too late, the one it is on, which
    then says that nothing came of it."""

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseRedirect:
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        if _was_pressed(request):
            _say_not_done(request)
        try:
            came_from = urlsplit(request.headers.get("Referer", ""))
        except ValueError:  # no address: it is the client's, who may write anything
            came_from = urlsplit("")
        back = came_from._replace(scheme="", netloc="", fragment="").geturl()
        known = came_from.netloc == request.get_host() and back.startswith("/")
        return redirect_to_login(back if known else "/", self.get_login_url(view_func))


def _was_pressed(request: HttpRequest) -> bool:
    """Somebody did this, as a form or through htmx, and it came to nothing: what scripts send of
    themselves nobody meant, a part of a page (/_/) does nothing, and who signs out is out."""
    meant = "text/html" in request.headers.get("Accept", "") or "HX-Current-URL" in request.headers
    signs_out = request.path.rstrip("/").endswith("/logout")
    return meant and not signs_out and not request.path.startswith("/_/")


def _say_not_done(request: HttpRequest) -> None:
    """On the page after the login, once however often it was pressed. The login shows no messages,
    and they are signed, so nobody else can put one there."""
    waiting = messages.get_messages(request)
    assert isinstance(waiting, BaseStorage)
    if NOT_DONE not in [str(message) for message in waiting]:
        messages.warning(request, NOT_DONE, extra_tags="not-done")
    waiting.used = False  # they were looked at here, not shown
