"""Secrets never reach the stored log, however the engine cuts the output."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.masking import MASK, Masker
from providers.driver import LogBatch, LogFrame, Stream

SECRET = "correct horse battery"


def batches(data: bytes, cuts: list[int], *, per_batch: int = 1) -> Iterator[LogBatch]:
    """The data as pieces cut at those places, some to a batch."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    frames, starts = [], True
    for start, end in pairwise(edges):
        piece = data[start:end]
        ends = piece.endswith(b"\n")
        frames.append(LogFrame(Stream.STDOUT, start, piece, starts, ends))
        starts = ends
    for at in range(0, len(frames), per_batch):
        yield LogBatch(tuple(frames[at : at + per_batch]), {"v": 1, "at": at})


def masked(masker: Masker, given: Iterator[LogBatch]) -> bytes:
    out = [b for batch in given for b in masker.feed(batch)]
    out += masker.finish()
    return b"".join(frame.data for batch in out for frame in batch.frames)


@given(
    before=st.binary(max_size=40).filter(lambda b: b"\n" not in b),
    after=st.binary(max_size=40),
    cuts=st.lists(st.integers(0, 200), max_size=12),
    per_batch=st.integers(1, 4),
)
def test_a_secret_is_masked_wherever_its_line_is_cut(
    before: bytes, after: bytes, cuts: list[int], per_batch: int
) -> None:
    data = before + SECRET.encode() + after
    assert masked(Masker([SECRET]), batches(data, cuts, per_batch=per_batch)) == data.replace(
        SECRET.encode(), MASK
    )


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=12))
def test_output_without_a_secret_passes_byte_for_byte(data: bytes, cuts: list[int]) -> None:
    assert masked(Masker(["zq-never-in-it-zq"]), batches(data, cuts)) == data
    assert masked(Masker([]), batches(data, cuts)) == data


@given(
    secret=st.text("ab", min_size=4, max_size=40),
    output=st.text("ab", max_size=120),
    cut=st.integers(0, 40),
)
def test_a_secret_that_repeats_itself_is_masked_over_a_cut(
    secret: str, output: str, cut: int
) -> None:
    at = len(output) + cut % len(secret)
    data = f"{output}{secret}\n".encode()
    whole = masked(Masker([secret]), batches(data, []))
    assert masked(Masker([secret]), batches(data, [at])) == whole


def test_a_very_long_secret_costs_no_more_than_its_length() -> None:
    secret = bytes(33 + n * n % 89 for n in range(90_000)).decode()
    masker = Masker([secret])
    pieces = [b"x" * 16_000] * 40 + [secret[:70_000].encode(), secret[70_000:].encode() + b"\n"]
    cuts = [sum(map(len, pieces[:n])) for n in range(1, len(pieces))]
    assert masked(masker, batches(b"".join(pieces), cuts)) == b"x" * 640_000 + MASK + b"\n"


def test_base64_url_and_each_line_of_a_secret_are_masked_too() -> None:
    masker = Masker([SECRET, "first line\nsecond line"])
    forms = b"\n".join(
        [base64.b64encode(SECRET.encode()), b"correct%20horse%20battery", b"x second line y", b""]
    )
    assert masked(masker, batches(forms, [])) == b"***\n***\nx *** y\n"


def test_the_two_streams_are_masked_apart() -> None:
    frames = (
        LogFrame(Stream.STDOUT, 1, b"correct horse", True, False),
        LogFrame(Stream.STDERR, 2, b" battery\n", True, True),
    )
    out = list(Masker([SECRET]).feed(LogBatch(frames, {"v": 1})))
    assert out == []  # the start of a secret is kept back until more is known


@pytest.mark.parametrize("before", [b"", b"u", b"u:", b"user:"])
@pytest.mark.parametrize("after", [b"", b"\n", b"@h", b"@host\n"])
@pytest.mark.parametrize("secret", ["hunter2-hunter2", "hunter2-hunter", "hunter2-hunte?>"])
def test_a_secret_is_masked_inside_longer_base64(before: bytes, after: bytes, secret: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        output = encode(before + secret.encode() + after)
        seen = masked(Masker([secret]), batches(output, []))
        left, mask, right = seen.partition(MASK)
        assert mask
        assert len(left) <= -(-len(before) * 8 // 6)
        assert len(right) <= 4 * (-(-len(after) // 3) + 1)


def test_base64_of_a_short_secret_is_masked_alone_and_not_inside_other_text() -> None:
    words = b"a line with YXNk in it: " + base64.b64encode(b"x pass y")
    assert masked(Masker(["pass"]), batches(words, [])) == words
    assert masked(Masker(["pass"]), batches(base64.b64encode(b"pass"), [])) == MASK
