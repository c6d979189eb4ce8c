"""The API's side of HTTP: who asks, what they sent, what they get. No rules of its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, cast

from django.core.exceptions import RequestDataTooBig
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.request import UnreadablePostError
from django.utils.cache import patch_cache_control
from django.utils.http import parse_etags, urlencode

from projects.actor import Actor
from projects.cursors import Page
from projects.errors import BadRequest, FieldProblem, GantryError, Invalid
from projects.strict import kind_of

MAX_BODY_BYTES = 512 * 1024
MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_encoder = DjangoJSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class TooLarge(GantryError):
    """The body is longer than any valid one: send less."""


class UnsupportedMedia(GantryError):
    """The body is not JSON by its own account: send application/json."""


class Unhurried(HttpResponse):
    """An answer that is right now, of a view that would rather answer with the next news.

    Whoever serves it may await `news` and then have the view asked anew, in a hurry
    (orchestrator/web_handler.py); it may also be sent as it is.
    """

    def __init__(self, now: HttpResponse, news: Callable[[], Awaitable[None]]) -> None:
        super().__init__(now.content, status=now.status_code, headers=dict(now.items()))
        self.news = news


def in_a_hurry(request: HttpRequest) -> bool:
    """True when this request has waited and is to be answered with what there is."""
    return bool(getattr(request, "in_a_hurry", False))


def request_actor(request: HttpRequest) -> Actor:
    """Who asks: what the API's authentication found out (orchestrator/auth.py)."""
    return cast(Actor, request.auth)  # type: ignore[attr-defined]


def json_body(
    request: HttpRequest, *, optional: bool = False, most_bytes: int = MAX_BODY_BYTES
) -> Any:
    """The decoded JSON body; None for an empty one where it is `optional`.

    Raises TooLarge, UnsupportedMedia, BadRequest. Numbers that JSON does not have (NaN,
    Infinity) and names that stand twice in one object are broken JSON here.
    """
    raw = _raw_body(request, most_bytes)
    if not raw.strip():
        if optional:
            return None
        raise BadRequest("The body is empty; send a JSON object.")
    if request.content_type not in ("application/json", "application/merge-patch+json"):
        raise UnsupportedMedia("Send the body as Content-Type: application/json.")
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_constant
        )
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from None


def object_body(request: HttpRequest) -> dict[str, Any]:
    """The body as an object, for services that take fields by name."""
    data = json_body(request)
    if not isinstance(data, dict):
        raise Invalid([FieldProblem("", f"Send a JSON object, not {kind_of(data)}.")])
    return data


def only_parameters(query: QueryDict, known: Collection[str]) -> None:
    """Refuse query parameters that would be ignored: a typing error must not list all."""
    unknown = sorted(set(query) - set(known))
    if unknown:
        raise Invalid(
            [
                FieldProblem(f"/{name[:80]}", "Unknown parameter; remove it.")
                for name in unknown[:20]
            ]
        )


def read_number(query: QueryDict, name: str, *, default: int, least: int, most: int) -> int:
    """A whole number within its bounds. Raises Invalid."""
    text = query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    raise Invalid([FieldProblem(f"/{name}", f"Use a whole number from {least} to {most}.")])


def read_flag(query: QueryDict, name: str) -> bool:
    """1 or true, 0 or false. Raises Invalid."""
    text = query.get(name, "0").lower()
    if text not in ("0", "1", "false", "true"):
        raise Invalid([FieldProblem(f"/{name}", "Use 1 or 0.")])
    return text in ("1", "true")


def read_choice(query: QueryDict, name: str, choices: Collection[str]) -> str | None:
    """One of some words, or None when it is not given. Raises Invalid."""
    text = query.get(name)
    if text is not None and text not in choices:
        raise Invalid([FieldProblem(f"/{name}", f"Use one of: {', '.join(choices)}.")])
    return text


def read_limit(query: QueryDict) -> int:
    """How many items a page of a list may have."""
    return read_number(query, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT)


def json_reply(value: object, status: int = 200, **headers: str) -> HttpResponse:
    """JSON for the asker alone: no shared cache may keep it."""
    response = HttpResponse(_encoder.encode(value), status=status, content_type="application/json")
    for name, text in headers.items():
        response[name.replace("_", "-")] = text
    patch_cache_control(response, private=True, no_cache=True)
    return response


def page_reply(
    request: HttpRequest, page: Page[Any], show: Callable[[Any], object], **about: object
) -> HttpResponse:
    """A page of a list with its cursor, also as a Link header (RFC 8288), and what else is to
    be told of it."""
    body = {"items": [show(item) for item in page.items], "next_cursor": page.next_cursor}
    response = json_reply(body | about)
    if page.next_cursor:
        query = [(name, value) for name, value in _pairs(request.GET) if name != "cursor"]
        target = f"{request.path}?{urlencode([*query, ('cursor', page.next_cursor)])}"
        response["Link"] = f'<{target}>; rel="next"'
    return response


def unchanged(request: HttpRequest, etag: str) -> HttpResponse | None:
    """304 when the asker's If-None-Match holds this (quoted) tag."""
    given = parse_etags(request.headers.get("If-None-Match", ""))
    if given != ["*"] and etag not in (tag.removeprefix("W/") for tag in given):
        return None
    response = HttpResponse(status=304)
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _pairs(query: QueryDict) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, values in query.lists() for value in values]


def _raw_body(request: HttpRequest, most: int) -> bytes:
    words = f"The body is larger than {most // 1024:,} KiB."
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and (len(length) > 12 or int(length) > most):
        raise TooLarge(words)
    try:
        raw = request.body
    except RequestDataTooBig:
        raise TooLarge(words) from None
    except UnreadablePostError:
        raise BadRequest("The body was cut off.") from None
    if len(raw) > most:
        raise TooLarge(words)
    return raw


def _once_each(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
