"""Log chunks: what is packed comes back byte for byte, with the right line numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.log.frames import BODY_LIMIT, Chunk, CorruptChunk, Piece, Position, pack, unpack
from providers.driver import LogFrame, Stream

STAMP = 1_800_000_000_123_456_789


def frame(data: bytes, stream: Stream = Stream.STDOUT, *, starts: bool = True) -> LogFrame:
    return LogFrame(stream, STAMP, data, starts, data.endswith(b"\n"))


def pieces_of(chunks: Sequence[Chunk]) -> list[Piece]:
    return [
        piece
        for chunk in chunks
        for piece in unpack(
            codec=chunk.codec, body=chunk.body, crc32=chunk.crc32, first_line=chunk.first_line
        )
    ]


def joined(frames: Sequence[LogFrame], stream: Stream) -> bytes:
    return b"".join(frame.data for frame in frames if frame.stream == stream)


@st.composite
def outputs(draw: st.DrawFn) -> list[LogFrame]:
    """What a driver may deliver: pieces of lines on two streams, with true flags."""
    fresh = {Stream.STDOUT: True, Stream.STDERR: True}
    frames = []
    sizes = st.one_of(st.just(b""), st.binary(max_size=40), st.integers(1, 200_000).map(bytes))
    for _ in range(draw(st.integers(0, 30))):
        stream = draw(st.sampled_from(Stream))
        text = draw(sizes).replace(b"\n", b"") + draw(st.sampled_from([b"", b"\n"]))
        if not text:
            continue
        stamp = draw(st.integers(0, 2**63))
        frames.append(LogFrame(stream, stamp, text, fresh[stream], text.endswith(b"\n")))
        fresh[stream] = text.endswith(b"\n")
    return frames


@given(outputs())
def test_what_was_packed_comes_back_and_nothing_else(frames: list[LogFrame]) -> None:
    chunks, _ = pack(frames, Position())
    back = [piece.frame for piece in pieces_of(chunks)]
    if all(len(f.data) < BODY_LIMIT - 100 for f in frames):
        assert back == frames
    for stream in Stream:
        assert joined(back, stream) == joined(frames, stream)
    assert sum(f.starts_line for f in back) == sum(f.starts_line for f in frames)
    assert sum(f.ends_line for f in back) == sum(f.ends_line for f in frames)


@given(outputs(), st.integers(0, 30))
def test_packing_in_two_goes_numbers_lines_like_packing_at_once(
    frames: list[LogFrame], cut: int
) -> None:
    whole, end = pack(frames, Position())
    first, between = pack(frames[:cut], Position())
    second, end_of_two = pack(frames[cut:], between)
    numbers = [(p.line, p.frame.stream, p.frame.starts_line) for p in pieces_of(whole)]
    assert [
        (p.line, p.frame.stream, p.frame.starts_line) for p in pieces_of([*first, *second])
    ] == numbers
    assert (end.lines, end.stdout_bytes, end.stderr_bytes, end.open_stdout, end.open_stderr) == (
        end_of_two.lines,
        end_of_two.stdout_bytes,
        end_of_two.stderr_bytes,
        end_of_two.open_stdout,
        end_of_two.open_stderr,
    )


@given(outputs())
def test_every_chunk_says_where_it_stands(frames: list[LogFrame]) -> None:
    start = Position(seq=7, lines=3, stdout_bytes=11, stderr_bytes=13)
    chunks, end = pack(frames, start)
    lines, offsets = start.lines, {Stream.STDOUT: 11, Stream.STDERR: 13}
    for number, chunk in enumerate(chunks, start=8):
        pieces = pieces_of([chunk])
        assert (chunk.seq, chunk.first_line) == (number, lines + 1)
        assert chunk.lines == sum(p.frame.starts_line for p in pieces)
        assert chunk.stdout_offset == offsets[Stream.STDOUT]
        assert chunk.stderr_offset == offsets[Stream.STDERR]
        assert len(chunk.body) <= BODY_LIMIT
        lines += chunk.lines
        for piece in pieces:
            offsets[piece.frame.stream] += len(piece.frame.data)
    assert (end.seq, end.lines) == (7 + len(chunks), lines)
    assert (end.stdout_bytes, end.stderr_bytes) == (*offsets.values(),)


def test_lines_are_numbered_as_they_begin_and_their_later_pieces_keep_the_number() -> None:
    chunks, end = pack(
        [
            frame(b"one, be"),
            frame(b"two\n", Stream.STDERR),
            frame(b"gun\n", starts=False),
            frame(b"three"),
        ],
        Position(),
    )
    assert [piece.line for piece in pieces_of(chunks)] == [1, 2, 1, 3]
    assert (end.lines, end.open_stdout, end.open_stderr) == (3, 3, 0)


def test_a_frame_of_several_lines_is_cut_at_its_newlines() -> None:
    chunks, _ = pack([frame(b"a\nb\n\nc")], Position())
    assert [(p.line, p.frame.data) for p in pieces_of(chunks)] == [
        (1, b"a\n"),
        (2, b"b\n"),
        (3, b"\n"),
        (4, b"c"),
    ]


def test_a_line_of_one_mebibyte_is_one_line_over_many_chunks() -> None:
    line = bytes(range(256)).replace(b"\n", b"x") * 4096 + b"\n"
    chunks, end = pack([frame(line)], Position())
    pieces = pieces_of(chunks)
    assert len(chunks) > 16
    assert {piece.line for piece in pieces} == {1}
    assert b"".join(piece.frame.data for piece in pieces) == line
    assert [piece.frame.starts_line for piece in pieces].count(True) == 1
    assert end.lines == 1


def test_a_piece_whose_beginning_is_lost_begins_a_line() -> None:
    chunks, _ = pack([frame(b"tail\n", starts=False)], Position(lines=4))
    (piece,) = pieces_of(chunks)
    assert (piece.line, piece.frame.starts_line) == (5, True)


def test_nothing_makes_no_chunk() -> None:
    at = Position(seq=3, lines=2)
    assert pack([frame(b"")], at) == ([], at)


def test_what_repeats_is_stored_compressed_and_what_does_not_is_stored_plain() -> None:
    noise = random.Random(1).randbytes(4000).replace(b"\n", b"")
    assert pack([frame(b"ha" * 4000)], Position())[0][0].codec == 1
    assert pack([frame(noise)], Position())[0][0].codec == 0


@pytest.mark.parametrize("spoil", ["flip", "cut", "codec"])
def test_bytes_that_rotted_are_reported_and_never_shown(spoil: str) -> None:
    (chunk,), _ = pack([frame(b"hello there\n" * 20)], Position())
    body, codec = bytearray(chunk.body), chunk.codec
    if spoil == "flip":
        body[len(body) // 2] ^= 0x55
    elif spoil == "cut":
        del body[-3:]
    else:
        codec = 9
    with pytest.raises(CorruptChunk):
        unpack(codec=codec, body=bytes(body), crc32=chunk.crc32, first_line=1)
