"""Secrets out of logs, before they are stored or sent. Pure.

An engine hands over whole lines, or pieces of lines longer than 16 KiB. So a secret can
only be split where a piece does not end its line: a batch that ends on the possible start
of a secret is kept back until the next one shows how it goes on (its cursor is not stored
either, so a crash loses nothing). Of a secret of several lines each line counts alone.

Not found: a secret that is encrypted, compressed, hashed, spelled backwards or in hex, or
put over several lines, as `base64` does with more than 57 bytes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from providers.driver import LogBatch, LogFrame, Stream

MASK = b"***"
SHORTEST = 4
"""Shorter values are not masked: they would blank out ordinary text."""
MOST_KEPT = 256
"""Pieces kept back at most, for output that seems to begin a secret without end."""
_SHORTEST_INNER = 8
"""Characters of a secret inside longer base64; fewer are found in ordinary text, too."""
_HEAD = 8
_MOST_PLACES = 64


def forms(values: Iterable[str]) -> list[bytes]:
    """What to look for: each value's lines as they are, and as base64, URL and JSON write them."""
    wanted: set[bytes] = set()
    for value in values:
        for line in {value, *value.splitlines()}:
            plain = line.strip("\r\n")
            if len(plain) < SHORTEST or "\n" in plain:
                continue
            wanted |= {
                plain.encode(),
                *_base64_forms(plain.encode()),
                quote(plain, safe="").encode(),
                json.dumps(plain)[1:-1].encode(),
            }
    return sorted(wanted, key=len, reverse=True)


def _base64_forms(secret: bytes) -> Iterator[bytes]:
    """The secret in base64, alone and with anything before and after it (`echo` adds a
    newline): three bytes make four characters, so there are three ways to begin, and of each
    way the characters that depend on the secret alone."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret)
        for before in range(3):
            first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
            inner = encode(b"\0" * before + secret)[first:last]
            if len(inner) >= _SHORTEST_INNER:
                yield inner


class Masker:
    """Masks one attempt's output. Without secrets it passes everything through."""

    def __init__(self, values: Iterable[str]) -> None:
        self._secrets = forms(values)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets)) or b"(?!)")
        self._kept: LogBatch | None = None

    def feed(self, batch: LogBatch) -> Iterator[LogBatch]:
        """The batches that may be stored now."""
        if not self._secrets:
            yield batch
            return
        if self._kept is not None:
            kept, self._kept = self._kept, None
            batch = LogBatch(kept.frames + batch.frames, batch.cursor, batch.gap or kept.gap)
        masked = LogBatch(self._mask(batch.frames), batch.cursor, batch.gap)
        if self._open_ended(batch.frames) and len(batch.frames) < MOST_KEPT:
            # Kept as it came: what it turns out to be is decided with the next one.
            self._kept = batch
        else:
            yield masked

    def finish(self) -> Iterator[LogBatch]:
        """What was kept back, at the end of the output."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            yield LogBatch(self._mask(kept.frames), kept.cursor, kept.gap)

    def _mask(self, frames: tuple[LogFrame, ...]) -> tuple[LogFrame, ...]:
        """Frames with every secret replaced, also where it goes over from one to the next."""
        result = list(frames)
        for stream in Stream:
            places = [i for i, frame in enumerate(frames) if frame.stream is stream]
            whole = b"".join(frames[i].data for i in places)
            if not self._pattern.search(whole):
                continue
            start = 0
            for i in places:
                end = start + len(frames[i].data)
                result[i] = frames[i]._replace(data=self._piece(whole, start, end))
                start = end
        return tuple(frame for frame in result if frame.data)

    def _piece(self, whole: bytes, start: int, end: int) -> bytes:
        """Bytes start to end of the whole, masked; a secret's mask stands where it begins."""
        parts: list[bytes] = []
        at = start
        for found in self._pattern.finditer(whole):
            if found.end() <= start:
                continue
            if found.start() >= end:
                break
            if found.start() >= at:
                parts += (whole[at : found.start()], MASK)
            at = max(at, found.end())
        parts.append(whole[at:end])
        return b"".join(parts)

    def _open_ended(self, frames: tuple[LogFrame, ...]) -> bool:
        """True when the end of a stream may be the start of a secret."""
        most = max(map(len, self._secrets))
        for stream in Stream:
            pieces = [frame for frame in frames if frame.stream is stream]
            if not pieces or pieces[-1].ends_line:
                continue
            tail = b"".join(frame.data for frame in pieces)[-most:]
            if any(_begun(tail, secret) for secret in self._secrets):
                return True
        return False


def _begun(tail: bytes, secret: bytes) -> bool:
    """True when the tail ends with a beginning of the secret, or with what may be one.

    A secret may be some 100 KiB long, so not every beginning is tried: only where its first
    bytes stand, and in no more than `_MOST_PLACES` of those.
    """
    if any(tail.endswith(secret[:n]) for n in range(1, min(len(secret), _HEAD))):
        return True
    at = max(-1, len(tail) - len(secret))
    for _ in range(_MOST_PLACES):
        at = tail.find(secret[:_HEAD], at + 1)
        if at < 0:
            return False
        if secret.startswith(tail[at:]):
            return True
    return True
