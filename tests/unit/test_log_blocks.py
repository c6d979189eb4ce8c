"""Archived blocks of log: the same chunks come back, and damage never goes unnoticed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.log.blocks import CorruptBlock, pack_block, plain, unpack_block
from jobs.log.frames import Chunk, Position, pack, unpack
from providers.driver import LogFrame, Stream

frames = st.builds(
    LogFrame,
    stream=st.sampled_from(Stream),
    at_ns=st.integers(min_value=10**18, max_value=2 * 10**18),
    data=st.binary(min_size=1, max_size=300),
    starts_line=st.booleans(),
    ends_line=st.booleans(),
)


def chunks_of(groups: list[list[LogFrame]]) -> list[Chunk]:
    position, chunks = Position(), []
    for group in groups:
        packed, position = pack(group, position)
        chunks += packed
    return chunks


def pieces(chunk: Chunk) -> object:
    return unpack(
        codec=chunk.codec, body=chunk.body, crc32=chunk.crc32, first_line=chunk.first_line
    )


@given(st.lists(st.lists(frames, min_size=1, max_size=5), min_size=1, max_size=8))
def test_a_block_gives_back_the_chunks_that_went_in(groups: list[list[LogFrame]]) -> None:
    chunks = chunks_of(groups)
    back = unpack_block(pack_block(plain(chunk) for chunk in chunks))
    assert [c.seq for c in back] == [c.seq for c in chunks]
    assert [pieces(c) for c in back] == [pieces(c) for c in chunks]
    for name in ("first_line", "lines", "first_at", "last_at", "stdout_offset", "stderr_offset"):
        assert [getattr(c, name) for c in back] == [getattr(c, name) for c in chunks]


def one_block() -> bytes:
    lines = [LogFrame(Stream.STDOUT, 10**18 + n, b"line %d\n" % n, True, True) for n in range(50)]
    return pack_block(chunks_of([lines]))


def test_the_same_chunks_give_the_same_bytes() -> None:
    assert one_block() == one_block()


@pytest.mark.parametrize("cut", [0, 3, 20, -1])
def test_a_block_that_breaks_off_is_refused(cut: int) -> None:
    with pytest.raises(CorruptBlock):
        unpack_block(one_block()[:cut])


def test_a_block_that_unpacks_without_end_is_refused() -> None:
    with pytest.raises(CorruptBlock, match="longer"):
        unpack_block(b"GTRB\x01" + zlib.compress(bytes(5 * 2**20)))


def test_a_body_that_does_not_fit_its_checksum_is_kept_as_it_is() -> None:
    lines = [LogFrame(Stream.STDOUT, 10**18, b"x" * 500 + b"\n", True, True)]
    (chunk,) = chunks_of([lines])
    damaged = Chunk(
        **{name: getattr(chunk, name) for name in chunk.__slots__} | {"crc32": chunk.crc32 ^ 1}
    )
    assert plain(damaged) is damaged
