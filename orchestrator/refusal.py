"""The answer to a request that is not let in: the page, problem document or line of
`views_wrong.busy`, made on the spot.

It passes only through middleware that asks nothing of the database, so that an overload is
made no greater; a browser gets the headers that every page has.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from orchestrator.views_wrong import busy

log = logging.getLogger("gantry.refusal")
MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "orchestrator.middleware.RequestIdMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""Those of settings.py that need no database, in its order."""


class Refusal(ASGIHandler):
    """The ASGI application that answers 503."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Only those that need nothing."""
        answer: Any = convert_exception_to_response(busy)
        for name in reversed(MIDDLEWARE):
            answer = convert_exception_to_response(import_string(name)(answer))
        self._chain = answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse one request; what it sends is not read."""
        await self.send_response(self.refused(ASGIRequest(scope, BytesIO())), send)

    def refused(self, request: HttpRequest) -> HttpResponseBase:
        """The answer."""
        response: HttpResponseBase = self._chain(request)
        log.warning("%s %r is not let in: too busy", request.method, request.path)
        return response
