"""API tokens: `gtr_`, 27 random characters of 62 (160 bits), 6 characters of CRC32.

The prefix lets scanners find a leaked token, the check characters let them and us tell a
typing error from an unknown token without a query. Only the SHA-256 is stored: the token
has more entropy than any hash could be searched through, so no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import string
import zlib
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from projects.actor import Actor
from projects.errors import Conflict
from projects.models import ActorKind, ApiToken, Role
from projects.sql import fetch

PREFIX = "gtr_"
_ALPHABET = string.digits + string.ascii_letters
_RANDOM_CHARS = 27
_CHECK_CHARS = 6
_USE_NOTED_EVERY = timedelta(minutes=1)
MOST = 100
"""Tokens of one person that are not revoked, expired ones among them."""


def issue(user: User, name: str, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """A new token of this user, and its text, which nobody can show again. Raises Conflict where
    the user has the most that one may have."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
    text = PREFIX + random + _check(random)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # one after the other
        if ApiToken.objects.filter(user=user, revoked_at__isnull=True).count() >= MOST:
            raise Conflict(
                f"{user.get_username()} has {MOST} tokens, and nobody may have more. Revoke one "
                "that nothing uses any more, an expired one for instance; then make the new one."
            )
        token = ApiToken.objects.create(
            user=user, name=name, digest=_digest(text), hint=text[-4:], expires_at=expires_at
        )
    return token, text


def authenticate(text: str, *, via: str = "api", request_id: str = "") -> Actor | None:
    """Who acts with a token of this text, or None. One query; the roles come with it.

    Nothing is cached: a revoked token, a removed member and a disabled user are refused
    at their next request. The lookup is by digest, so its time tells nothing of a token.
    """
    if not well_formed(text):
        return None
    for token_id, last_used_at, user_id, name, is_superuser, is_staff, roles in fetch(
        "token_bearer", [_digest(text)]
    ):
        _note_use(token_id, last_used_at)
        return Actor(
            kind=ActorKind.TOKEN,
            id=user_id,
            name=name,
            via=via,
            request_id=request_id,
            is_superuser=is_superuser,
            is_staff=is_staff,
            roles={int(project): Role(role) for project, role in json.loads(roles).items()},
        )
    return None


def well_formed(text: str) -> bool:
    """True when prefix, length and check characters are those of a token of ours."""
    random, check = text[len(PREFIX) : -_CHECK_CHARS], text[-_CHECK_CHARS:]
    return (
        text.startswith(PREFIX)
        and len(random) == _RANDOM_CHARS
        and text.isascii()
        and _check(random) == check
    )


def _note_use(token_id: int, used: datetime | None) -> None:
    """Remember that it was used, at most once a minute so that reads stay reads."""
    if used is None or timezone.now() - used > _USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token_id).update(last_used_at=Now())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _check(random: str) -> str:
    """CRC32 in the token's own alphabet, six characters."""
    number, chars = zlib.crc32(random.encode()), []
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        chars.append(_ALPHABET[digit])
    return "".join(reversed(chars))
