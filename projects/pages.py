"""What every page view does: name the actor, answer a refusal, render a live region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.auth.models import User
from django.core.exceptions import BadRequest as UnreadableRequest
from django.core.exceptions import PermissionDenied
from django.db import close_old_connections, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import quote_etag

from projects.actor import Actor, actor_of
from projects.errors import BadRequest, Forbidden, NotFound
from projects.live_marks import list_mark, viewer_scope
from projects.shared_rendering import anybody, shared

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)


def page_actor(request: HttpRequest) -> Actor:
    """The signed-in person as an actor. Every page but the login needs one."""
    return actor_of(
        cast(User, request.user), via="web", request_id=str(getattr(request, "request_id", ""))
    )


def refusals(
    view: Callable[Concatenate[HttpRequest, P], R],
) -> Callable[Concatenate[HttpRequest, P], R]:
    """Answers NotFound, Forbidden and BadRequest with the 404, 403 and 400 page, in their words."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(str(error)) from error
        except Forbidden as error:
            raise PermissionDenied(str(error)) from error
        except BadRequest as error:
            raise UnreadableRequest(str(error)) from error

    return answer


def fragment(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    *,
    etag: str | None = None,
) -> HttpResponse:
    """One live region. With an `etag` (projects/live_marks.py) a known one costs 304 and no
    rendering, nor the gathering of a context that is a function."""

    def made() -> HttpResponse:
        return render(request, template, dict(context() if callable(context) else context))

    return unless_known(request, made, etag)


def shared_fragment(
    request: HttpRequest, template: str, context: Callable[[Actor], Mapping[str, Any]], *topics: str
) -> HttpResponse:
    """One live region of lists (`topics`) that is the same for all who have the same rights: one
    rendering serves them all. `context` is told the rights, as an actor who is nobody."""
    viewer = anybody(page_actor(request))

    def mark() -> str | None:
        return list_mark(viewer, *topics)

    def make() -> str:
        return render_to_string(template, dict(context(viewer)))

    def made() -> HttpResponse:
        return HttpResponse(SharedText(viewer, request.get_full_path(), mark, make).in_turn())

    return unless_known(request, made, mark())


@dataclass(frozen=True, slots=True)
class SharedText:
    """A text that `make` renders for all who have the rights of `viewer`, who is nobody, and ask
    for this `address`: once for those of one `mark` (projects/shared_rendering.py), and for each
    while there is no mark."""

    viewer: Actor
    address: str
    mark: Callable[[], str | None]
    make: Callable[[], str]

    def in_turn(self) -> str:
        """For one of many who fetch it after each change."""
        if self.mark() is None:
            return self.make()
        if not connection.in_atomic_block:  # there are few, and who waits needs none
            close_old_connections()
        return shared.get(self._made_for(), self.mark, self.make)

    def at_once(self) -> Callable[[], str]:
        """For a page that is not there yet: the text of now, as it is asked for in the end. What
        of it is read before that must be read after this, which takes its mark."""
        mark = self.mark()
        if mark is None:
            return self.make
        return partial(shared.get_at_once, self._made_for(), mark, self.make)

    def _made_for(self) -> tuple[str, ...]:
        return self.address, viewer_scope(self.viewer), timezone.get_current_timezone_name()


def unless_known(
    request: HttpRequest, make: Callable[[], HttpResponse], etag: str | None
) -> HttpResponse:
    """An answer of this page to its own region, made unless the browser has the one of this
    mark. Its times are in the zone of the request, so that is part of the tag. What is wrong
    in it is not kept, and nothing is by a shared cache."""
    quoted = quote_etag(f"{etag}.{timezone.get_current_timezone_name()}") if etag else None
    response = get_conditional_response(request, etag=quoted) if quoted else None
    if response is None:
        response = make()
    if quoted and response.status_code < 400:
        response["ETag"] = quoted
    patch_cache_control(response, private=True, no_cache=True)
    return response
