"""Django under ASGI: one thread for one request, from its first middleware to its answer.

Django's own handler runs middleware on the event loop and takes each of them to a thread
and back, some thirty changes of thread a request, and keeps that thread until the answer
has ended. Here the whole chain runs at once in one thread of a bounded pool, which is free
again as soon as there is an answer: an answer that streams, or that waits for news, holds
neither a thread nor a database connection. Only these two end early when the client goes
away: nothing else could be ended. Probes of health have two threads to themselves, so that
a process whose pages are slow is not taken for a dead one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.signals import request_started
from django.db import close_old_connections
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from orchestrator.admission import AT_REST, MOST_AT_WORK, PROBES
from projects.http import Unhurried
from projects.offload import in_thread

_threads = ThreadPoolExecutor(MOST_AT_WORK, thread_name_prefix="request")
_for_probes = ThreadPoolExecutor(2, thread_name_prefix="probe")


class WebHandler(ASGIHandler):
    """The application that asgi.py serves. Its views and middleware are synchronous."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the chain in its synchronous form."""
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            request, wrong = self.create_request(scope, body)
            if wrong is not None:
                await self.send_response(wrong, send)
            elif request is not None:
                await self._serve(request, receive, send)

    async def _serve(self, request: ASGIRequest, receive: Any, send: Any) -> None:
        response = await self._ask(request)
        if isinstance(response, Unhurried):
            if at_rest := request.scope.get(AT_REST):
                at_rest()
            if not await self._while_there(receive, response.news()):
                return
            # Asked anew from the beginning: who may see it is checked again, too.
            again = ASGIRequest(request.scope, request._stream)
            again.in_a_hurry = True  # type: ignore[attr-defined]
            response = await self._ask(again)
        if response.streaming:
            await self._while_there(receive, self.send_response(response, send))
            await in_thread(_threads, response.close)
        else:
            await self.send_response(response, send)

    async def _ask(self, request: ASGIRequest) -> HttpResponseBase:
        threads = _for_probes if request.path in PROBES else _threads
        return await in_thread(threads, self._answer, request)

    def _answer(self, request: ASGIRequest) -> HttpResponseBase:
        """The whole of Django, with its signals; the answer is closed if nothing is left to do
        for it but to send what it holds."""
        set_script_prefix(get_script_prefix(request.scope))
        request_started.send(sender=self.__class__, scope=request.scope)
        try:
            response: HttpResponseBase = self.get_response(request)
            response._handler_class = self.__class__  # type: ignore[attr-defined]
            if isinstance(response, FileResponse):
                response.block_size = self.chunk_size
            if not response.streaming and not isinstance(response, Unhurried):
                response.close()
        finally:
            close_old_connections()
        return response

    async def _while_there(self, receive: Any, work: Awaitable[None]) -> bool:
        """Do it as long as the client is there; False when it went away before it was done."""
        doing = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
            done = doing.done()
        finally:
            doing.cancel()
            leaving.cancel()
            await asyncio.gather(doing, leaving, return_exceptions=True)
        if done:
            doing.result()
        return done
