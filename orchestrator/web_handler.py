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
import logging
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.signals import request_started
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from orchestrator.admission import AT_REST, CUT_OFF, MOST_AT_WORK, PROBES
from orchestrator.log_lines import request_number
from projects.http import Unhurried
from projects.offload import in_thread
from projects.pool import look_over_if_lost

log = logging.getLogger("gantry.web")
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
            if not await self._wait(request, response, receive):
                return
            # Asked anew from the beginning: who may see it is checked again, too.
            request = ASGIRequest(request.scope, request._stream)
            request.in_a_hurry = True  # type: ignore[attr-defined]
            response = await self._ask(request)
        if not response.streaming:
            await self.send_response(_head_of(request, response), send)
            return
        try:
            sending = self.send_response(_head_of(request, response), send)
            await self._while_there(receive, sending)
        except Exception as error:
            _say_broken_off(request, error)
            cut_off = request.scope.get(CUT_OFF)
            if cut_off is None:
                raise
            cut_off(error)
        finally:
            await in_thread(_threads, response.close)

    async def _wait(self, request: ASGIRequest, response: Unhurried, receive: Any) -> bool:
        """Wait for news as long as the client is there; whether it still is. Where that fails the
        view, asked anew, tells of it: it has an answer for every error."""
        try:
            return await self._while_there(receive, response.news())
        except Exception as error:
            _say_broken_off(request, error)
            return True

    async def _ask(self, request: ASGIRequest) -> HttpResponseBase:
        threads = _for_probes if request.path in PROBES else _threads
        response = await in_thread(threads, self._answer, request)
        # It was set in the thread's context; what is logged of a stream or a wait is logged here.
        request_number.set(getattr(request, "request_id", ""))
        return response

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
            look_over_if_lost()
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


def _head_of(request: ASGIRequest, response: HttpResponseBase) -> HttpResponseBase:
    """What is to be sent: to HEAD none of what would follow, which daphne would send after all
    where it comes in pieces, as if it were the answer to the next request."""
    if request.method != "HEAD":
        return response
    head = HttpResponse(status=response.status_code)
    head.headers, head.cookies = response.headers, response.cookies
    return head


def _say_broken_off(request: ASGIRequest, error: Exception) -> None:
    """That of the database is a line, as everywhere; what nobody expected has its traceback."""
    unexpected = None if isinstance(error, DatabaseError) else error
    log.error("%s %r broke off: %s", request.method, request.path, error, exc_info=unexpected)
