"""A name for every request, so that an error page and an event can be matched."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_SAFE = re.compile(r"[A-Za-z0-9_-]{8,40}\Z")
Responder = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class RequestIdMiddleware:
    """Takes X-Request-Id from the client (when it is harmless) or makes one, and returns it."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if _SAFE.match(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
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
