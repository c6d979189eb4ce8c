"""Secrets at rest: Fernet under a key derived from SECRET_KEY, which is not in the database.

A sealed value is one version byte, four bytes that name the key, and a Fernet token. To
change SECRET_KEY keep the old one in SECRET_KEY_FALLBACKS: what it sealed stays readable,
what is sealed from then on uses the new one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_VERSION = b"\x01"
_ID_BYTES = 4


class SecretUnreadable(Exception):
    """A stored secret cannot be opened: SECRET_KEY changed, or the value is damaged."""


def encrypt(plain: bytes) -> bytes:
    """Seal a value under the present key."""
    key_id, fernet = _key(settings.SECRET_KEY)
    return _VERSION + key_id + base64.urlsafe_b64decode(fernet.encrypt(plain))


def decrypt(sealed: bytes | memoryview) -> bytes:
    """Open a sealed value. Raises SecretUnreadable, whose words do not repeat it."""
    data = bytes(sealed)
    if data[:1] != _VERSION:
        raise SecretUnreadable("The stored secret has an unknown format.")
    key_id, body = data[1 : 1 + _ID_BYTES], data[1 + _ID_BYTES :]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        known, fernet = _key(secret)
        if known == key_id:
            try:
                return fernet.decrypt(base64.urlsafe_b64encode(body))
            except InvalidToken:
                raise SecretUnreadable("The stored secret is damaged.") from None
    raise SecretUnreadable(
        "The stored secret was sealed with another GANTRY_SECRET_KEY; set that key again, "
        "or enter the secret anew."
    )


def seal_values(values: Mapping[str, str]) -> bytes | None:
    """Seal named values together; None when there are none."""
    return encrypt(json.dumps(dict(values)).encode()) if values else None


def open_values(sealed: bytes | memoryview | None) -> dict[str, str]:
    """The named values that `seal_values` sealed. Raises SecretUnreadable."""
    if sealed is None:
        return {}
    return {str(name): str(value) for name, value in json.loads(decrypt(sealed)).items()}


@lru_cache(maxsize=8)
def _key(secret: str) -> tuple[bytes, Fernet]:
    """The name and the cipher of the key derived from a SECRET_KEY."""
    raw = HKDF(SHA256(), length=32, salt=None, info=b"gantry secrets v1").derive(secret.encode())
    return hashlib.sha256(raw).digest()[:_ID_BYTES], Fernet(base64.urlsafe_b64encode(raw))
