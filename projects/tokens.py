"""API tokens: `gtr_`, 27 random characters of 62 (160 bits), 6 characters of CRC32.

The prefix lets scanners find a leaked token, the check characters let them and us tell a
typing error from an unknown token without a query. Only the SHA-256 is stored: the token
has more entropy than any hash could be searched through, so no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q
from django.db.models.functions import JSONObject, Now
from django.utils import timezone

from projects.actor import Actor
from projects.models import ActorKind, ApiToken, Membership, Role

PREFIX = "gtr_"
_ALPHABET = string.digits + string.ascii_letters
_RANDOM_CHARS = 27
_CHECK_CHARS = 6
_USE_NOTED_EVERY = timedelta(minutes=1)


def issue(user: User, name: str, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """A new token of this user, and its text, which nobody can show again."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
    text = PREFIX + random + _check(random)
    token = ApiToken.objects.create(
        user=user, name=name, digest=_digest(text), hint=text[-4:], expires_at=expires_at
    )
    return token, text


def authenticate(text: str) -> tuple[User, ApiToken] | None:
    """The user and token for a token's text, or None. One query; the roles come with it.

    Nothing is cached: a revoked token, a removed member and a disabled user are refused
    at their next request. The lookup is by digest, so its time tells nothing of a token.
    """
    if not well_formed(text):
        return None
    roles = Membership.objects.filter(user=OuterRef("user")).values(
        pair=JSONObject(project=F("project_id"), role=F("role"))
    )
    token = (
        ApiToken.objects.select_related("user")
        .annotate(member_of=ArraySubquery(roles))
        .filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=Now()),
            digest=_digest(text),
            revoked_at__isnull=True,
            user__is_active=True,
        )
        .first()
    )
    if token is None:
        return None
    _note_use(token)
    return token.user, token


def actor_of_token(token: ApiToken, *, via: str, request_id: str) -> Actor:
    """The actor for a token that `authenticate` answered; no query."""
    pairs = getattr(token, "member_of", [])
    return Actor(
        kind=ActorKind.TOKEN,
        id=token.user.pk,
        name=token.user.get_username(),
        via=via,
        request_id=request_id,
        is_superuser=token.user.is_superuser,
        is_staff=token.user.is_staff,
        roles={pair["project"]: Role(pair["role"]) for pair in pairs},
    )


def well_formed(text: str) -> bool:
    """True when prefix, length and check characters are those of a token of ours."""
    random, check = text[len(PREFIX) : -_CHECK_CHARS], text[-_CHECK_CHARS:]
    return (
        text.startswith(PREFIX)
        and len(random) == _RANDOM_CHARS
        and text.isascii()
        and _check(random) == check
    )


def _note_use(token: ApiToken) -> None:
    """Remember that it was used, at most once a minute so that reads stay reads."""
    used = token.last_used_at
    if used is None or timezone.now() - used > _USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=Now())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _check(random: str) -> str:
    """CRC32 in the token's own alphabet, six characters."""
    number, chars = zlib.crc32(random.encode()), []
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        chars.append(_ALPHABET[digit])
    return "".join(reversed(chars))
