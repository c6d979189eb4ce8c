"""Django under ASGI: one thread for one request, from its first middleware to its answer.

Django's own handler runs middleware on the event loop and takes each of them to a thread
and back, some thirty changes of thread a request, and keeps that thread until the answer
has ended. Here the whole chain runs at once in one thread of a bounded pool, which is free
again as soon as there is an answer: an answer that streams, or that waits for news, holds
neither a thread nor a database connection. Probes of health have two threads to themselves,
so that a process whose pages are slow is not taken for a dead one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orchestrator.admission import AT_REST, MOST_AT_WORK, PROBES
from projects.http import Unhurried

_threads = ThreadPoolExecutor(MOST_AT_WORK, thread_name_prefix="request")
_for_probes = ThreadPoolExecutor(2, thread_name_prefix="probe")


class WebHandler(ASGIHandler):
    """The application that asgi.py serves. Its views and middleware are synchronous."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the chain in its synchronous form."""
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. Django's would set a thread of its own aside for each."""
        await self.handle(scope, receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The answer; that of a view which can wait for news comes with the news."""
        assert isinstance(request, ASGIRequest)
        response = await self._ask(request)
        if not isinstance(response, Unhurried):
            return response
        if at_rest := request.scope.get(AT_REST):
            at_rest()
        await response.news()
        # Asked anew from the beginning: who may see it is checked again, too.
        again = ASGIRequest(request.scope, request._stream)
        again.in_a_hurry = True  # type: ignore[attr-defined]
        return await self._ask(again)

    async def _ask(self, request: ASGIRequest) -> HttpResponseBase:
        threads = _for_probes if request.path in PROBES else _threads
        in_thread = sync_to_async(self._answer, thread_sensitive=False, executor=threads)
        return await in_thread(request)

    def _answer(self, request: ASGIRequest) -> HttpResponseBase:
        close_old_connections()
        try:
            response: HttpResponseBase = self.get_response(request)
        finally:
            close_old_connections()
        return response
