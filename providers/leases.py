"""Leases: who may plan the queue or drive a provider now, and the term that fences writes.

Expiry is by the database's clock; a takeover raises the term. `fenced` locks the lease's
row FOR KEY SHARE inside the writing transaction, and the term is part of a key: a takeover
waits for it, so a stale owner's open transaction either lands before the takeover or not at
all. Renewing changes no key and waits for nobody: a busy owner, of whose writes one is always
open, would else lose its leases for want of a moment without any.
Engine connections carry `idle_in_transaction_session_timeout`, so it does not wait long.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection

from providers.sql import fetch

SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True)
class Fence:
    """A lease at a term: what an engine write must still hold."""

    name: str
    term: int


def provider_lease(provider_id: int) -> str:
    """The name of a provider's lease."""
    return f"provider:{provider_id}"


# Apart from taking it: a lease has two keys, and an upsert names the one it gives way to;
# of two that make it at once, one would fail on the other key.
_MAKE = """
INSERT INTO providers_lease (name, holder, term, expires_at, acquired_at)
SELECT n, '', 0, clock_timestamp(), clock_timestamp() FROM unnest(%s::text[]) AS n ORDER BY n
ON CONFLICT DO NOTHING
"""

_ACQUIRE = """
WITH free AS (
    SELECT name FROM providers_lease
    WHERE name = ANY(%(names)s)
      AND (expires_at <= clock_timestamp() OR holder = '' OR holder = ANY(%(takeable)s))
    ORDER BY name FOR UPDATE
)
UPDATE providers_lease l
SET holder = %(holder)s, term = l.term + 1, acquired_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => %(ttl)s)
FROM free WHERE l.name = free.name
RETURNING l.name, l.term
"""

# By name, as `fenced` locks them: in any other order the two could wait for each other.
_MINE = """
WITH mine AS (
    SELECT l.name FROM providers_lease l
    JOIN unnest(%s::text[], %s::bigint[]) AS f (name, term)
        ON l.name = f.name AND l.term = f.term
    ORDER BY l.name FOR NO KEY UPDATE OF l
)
"""

_RENEW = f"""{_MINE}
UPDATE providers_lease l
SET expires_at = clock_timestamp() + make_interval(secs => %s)
FROM mine WHERE l.name = mine.name AND l.holder = %s
RETURNING l.name
"""

_RELEASE = f"""{_MINE}
UPDATE providers_lease l SET holder = '', expires_at = clock_timestamp()
FROM mine WHERE l.name = mine.name
"""


def fenced(fences: Collection[Fence]) -> set[Fence]:
    """Those of the fences that still hold, their rows locked until the transaction ends."""
    if not fences:
        return set()
    ordered = sorted(fences, key=lambda f: f.name)
    standing = fetch("fenced", [[f.name for f in ordered], [f.term for f in ordered]])
    return {Fence(name, term) for name, term in standing}


def acquire(
    names: Sequence[str], holder: str, ttl: float, dead_holders: Sequence[str] = ()
) -> list[Fence]:
    """Take those of the leases that are free, expired, held by a process known dead, or one's
    own. Ask only for what you do not hold: of your own lease the term that you have ends.

    `ttl` in seconds. `dead_holders` are holders whose file lock was found free on this
    machine. Each success has a new term.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, [list(names)])
        cursor.execute(
            _ACQUIRE,
            {
                "holder": holder,
                "ttl": ttl,
                "names": list(names),
                "takeable": [holder, *dead_holders],
            },
        )
        return [Fence(name, term) for name, term in cursor.fetchall()]


def renew(held: Sequence[Fence], holder: str, ttl: float) -> set[str]:
    """Prolong leases that nobody took; returns the names that are still held."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [[f.name for f in held], [f.term for f in held], ttl, holder])
        return {row[0] for row in cursor.fetchall()}


def release(held: Sequence[Fence]) -> None:
    """Give leases back, so that another process may take them at once."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [[f.name for f in held], [f.term for f in held]])
