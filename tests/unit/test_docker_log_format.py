"""The Docker log format and the place in it: however the bytes are cut, nothing changes."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.driver import Cursor, LogFrame, Stream
from providers.drivers.docker.body import BadBody, Body
from providers.drivers.docker.decoding import GAP, LogDecoder
from providers.drivers.docker.frames import FrameParser, NotALog, PieceReader
from providers.drivers.docker.lines import FULL_BYTES

SECOND = 10**9
START = int(datetime(2026, 11, 23, 15, 28, 7, tzinfo=UTC).timestamp()) * SECOND
Record = tuple[int, int, bytes]  # nanoseconds after START, stream id, data


def encode(record: Record) -> bytes:
    """One record as the engine sends it with timestamps=1."""
    offset, stream, data = record
    at = START + offset
    moment = datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    payload = f"{moment}.{at % SECOND:09d}Z ".encode() + data
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at these places (taken modulo its length)."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


cuts = st.lists(st.integers(0, 2**20), max_size=30)
datas = st.binary(max_size=40)
records = st.tuples(st.integers(0, 3 * SECOND), st.sampled_from([1, 2]), datas)


@given(st.lists(st.tuples(st.integers(0, 3), datas)), cuts)
def test_any_split_of_the_bytes_gives_the_same_frames(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    sent = b"".join(bytes([s, 0, 0, 0]) + len(d).to_bytes(4, "big") + d for s, d in frames)
    parser = FrameParser()
    got = [frame for piece in pieces(sent, cuts) for frame in parser.feed(piece)]
    assert got == frames
    assert not parser.unfinished


@given(st.binary(min_size=1, max_size=30).filter(lambda data: data[0] <= 3))
def test_a_frame_that_never_completes_is_told(data: bytes) -> None:
    whole = bytes([1, 0, 0, 0]) + len(data).to_bytes(4, "big") + data
    parser = FrameParser()
    assert parser.feed(whole[:-1]) == []
    assert parser.unfinished


def test_bytes_that_are_no_log_are_refused() -> None:
    with pytest.raises(NotALog):
        FrameParser().feed(b"HTTP/1.1 200 OK")
    with pytest.raises(NotALog):
        PieceReader().piece(1, b"no stamp here, only the text of a terminal")


@given(st.lists(datas.filter(bool)), cuts, st.sampled_from([b"", b";note=1"]))
def test_any_split_of_a_chunked_body_gives_the_same_bytes(
    chunks: list[bytes], cuts: list[int], note: bytes
) -> None:
    sent = b"".join(b"%x%s\r\n%s\r\n" % (len(c), note, c) for c in chunks) + b"0\r\n\r\n"
    body = Body(chunked=True)
    assert b"".join(body.feed(piece) for piece in pieces(sent, cuts)) == b"".join(chunks)
    assert body.complete


@given(st.lists(datas.filter(bool), min_size=1), st.integers(1, 2**20))
def test_a_chunked_body_that_is_cut_is_not_complete(chunks: list[bytes], cut: int) -> None:
    sent = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks)
    body = Body(chunked=True)
    body.feed(sent[: cut % len(sent)])
    assert not body.complete


def test_a_body_of_known_length_is_complete_with_its_last_byte_and_ends_there() -> None:
    body = Body(chunked=False, length=3)
    assert (body.feed(b"ab"), body.complete) == (b"ab", False)
    assert (body.feed(b"cd"), body.complete) == (b"c", True)


@pytest.mark.parametrize("size", [b"zz", b"-100", b""])
def test_a_chunk_that_starts_with_no_size_is_refused(size: bytes) -> None:
    with pytest.raises(BadBody):
        Body(chunked=True).feed(b"1\r\nx\r\n" + size + b"\r\n" + b"x" * 200)


@given(st.lists(records), cuts)
def test_lines_are_followed_per_stream_and_bytes_are_kept(
    written: list[Record], cuts: list[int]
) -> None:
    decoder = LogDecoder(None)
    sent = b"".join(map(encode, written))
    batches = [decoder.feed(piece) for piece in pieces(sent, cuts)]
    frames = [frame for batch in batches if batch for frame in batch.frames]
    assert [(f.at_ns - START, f.data) for f in frames] == [(at, data) for at, _, data in written]
    for stream in Stream:
        own = [frame for frame in frames if frame.stream is stream]
        for before, after in pairwise(own):
            assert after.starts_line == before.ends_line
        assert all(frame.ends_line == frame.data.endswith(b"\n") for frame in own)


def as_engine_logs(line: bytes) -> list[bytes]:
    """A line as the engine's `local` driver gives it back: cut, then without its newline."""
    if len(line) <= FULL_BYTES:
        return [line]
    text = line.removesuffix(b"\n")
    return [text[at : at + FULL_BYTES] for at in range(0, len(text) + 1, FULL_BYTES)]


@pytest.mark.parametrize("size", [1, 2, 16383, 16384, 16385, 32767, 32768, 32769, 2**20])
def test_a_line_that_the_engine_cut_gets_its_newline_back(size: int) -> None:
    line = b"x" * (size - 1) + b"\n"
    pieces = [(0, 1, piece) for piece in as_engine_logs(line)]
    frames, _, _ = Engine([*pieces, (1, 2, b"next\n"), (2, 1, b"last")]).read_from(None)
    own = [frame for frame in frames if frame.stream is Stream.STDOUT]
    assert b"".join(frame.data for frame in own) == line + b"last"
    assert [frame.starts_line for frame in own] == [True, *[False] * (len(pieces) - 1), True]
    assert [frame.ends_line for frame in own] == [*[False] * (len(pieces) - 1), True, False]


class Engine:
    """The engine's log file. Before 23 it drops every record stamped before `since`, later
    only those before the first at or after it; rotation takes the oldest away."""

    def __init__(self, written: list[Record], *, old: bool = False) -> None:
        self.written = written
        self.old = old

    def read(self, since: str) -> bytes:
        seconds, _, fraction = since.partition(".")
        stamp = int(seconds) * SECOND + int(fraction) - START if since else -(10**30)
        match = [record[0] >= stamp for record in self.written]
        if self.old:
            found = [record for record, fits in zip(self.written, match, strict=True) if fits]
        else:
            found = self.written[match.index(True) :] if True in match else []
        return b"".join(map(encode, found))

    def read_from(self, cursor: Cursor | None) -> tuple[list[LogFrame], Cursor | None, str]:
        """All that a reader gets from a cursor on, with the new cursor and any gap."""
        decoder = LogDecoder(json.loads(json.dumps(cursor)) if cursor else None)
        fed = [decoder.feed(self.read(decoder.since)), decoder.finish()]
        batches = [batch for batch in fed if batch]
        frames = [frame for batch in batches for frame in batch.frames]
        gap = "".join(batch.gap for batch in batches)
        return frames, batches[-1].cursor if batches else cursor, gap


# Runs of equal records: the pieces of one endless line share stamp, size and content.
# Steps are tenths of seconds, so that some cursors anchor within the log.
runs = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from([1, 2]),
        st.sampled_from([b"x", b"y\n", b"z" * FULL_BYTES]),
        st.integers(1, 90),
    ),
    max_size=10,
)


def unrolled(drawn: list[tuple[int, int, bytes, int]], *, clock: str) -> list[Record]:
    """The records of these runs. The clock goes forward, steps back anyhow, or the streams
    overtake each other by less than two seconds."""
    found, at = [], 0
    for turn, (step, stream, data, count) in enumerate(drawn):
        at = step * SECOND if clock == "steps back" else at + step * SECOND // 2
        stamp = max(0, at - SECOND * 3 // 2) if clock == "overtaken" and turn % 2 else at
        found += [(stamp, stream, data)] * count
    return found


@pytest.mark.parametrize(
    ("clock", "old"),
    [
        ("forward", False),
        ("forward", True),
        ("overtaken", False),
        ("overtaken", True),
        ("steps back", False),
    ],
)
@given(drawn=runs, stops=st.lists(st.integers(0, 900), max_size=8))
@example(drawn=[(0, 1, b"x", 90), (0, 1, b"x", 90)], stops=[80, 81, 150])
def test_a_reader_that_resumes_anywhere_neither_loses_nor_doubles_a_frame(
    clock: str, old: bool, drawn: list[tuple[int, int, bytes, int]], stops: list[int]
) -> None:
    written = unrolled(drawn, clock=clock)
    got: list[LogFrame] = []
    cursor: Cursor | None = None
    for stop in [*sorted(stops), len(written)]:
        frames, cursor, gap = Engine(written[:stop], old=old).read_from(cursor)
        got += frames
        assert gap == ""
    whole, _, _ = Engine(written).read_from(None)
    assert got == whole


@pytest.mark.parametrize("old", [False, True])
def test_a_late_piece_of_a_slow_line_is_not_lost_on_any_engine(old: bool) -> None:
    """It bears the stamp of the line's first piece, however long ago that was written."""
    piece = (5 * SECOND, 1, b"z" * FULL_BYTES)
    written = [(0, 1, b"a\n"), piece]
    written += [(second * SECOND, 2, b"e\n") for second in range(6, 100)]
    _, cursor, _ = Engine(written, old=old).read_from(None)
    frames, _, gap = Engine([*written, (5 * SECOND, 1, b"end")], old=old).read_from(cursor)
    assert ([frame.data for frame in frames], gap) == ([b"end\n"], "")


def test_a_long_log_is_not_read_again_from_its_beginning() -> None:
    written: list[Record] = [(number * SECOND, 1, b"%d\n" % number) for number in range(1000)]
    _, cursor, _ = Engine(written).read_from(None)
    again = Engine(written).read(LogDecoder(cursor).since)
    assert len(again) < 10 * len(encode(written[-1]))


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 200))
def test_rotation_shows_a_gap_exactly_when_unread_output_went_with_it(
    count: int, read: int, rotated: int
) -> None:
    written: list[Record] = [(number * 5, 1, b"%d\n" % number) for number in range(count)]
    read, rotated = min(read, count), min(rotated, count)
    _, cursor, _ = Engine(written[:read]).read_from(None)
    frames, _, gap = Engine(written[rotated:]).read_from(cursor)
    assert [frame.data for frame in frames] == [d for _, _, d in written[max(read, rotated) :]]
    if read and frames:
        # With all that was read gone, nothing proves that the rest follows on directly.
        assert gap == (GAP if rotated >= read else "")


@given(st.integers(2, 400), st.data())
def test_a_frame_that_a_followed_answer_repeats_is_not_believed(
    count: int, data: st.DataObject
) -> None:
    """A plain answer from the cursor on then goes on where the followed one was right."""
    written: list[Record] = [
        (number * 5, 1 + number % 2, b"%d\n" % number) for number in range(count)
    ]
    last = data.draw(st.integers(1, count - 1))
    again = data.draw(st.integers(0, last))
    decoder = LogDecoder(None, followed=True)
    sent = b"".join(map(encode, [*written[: last + 1], written[again], *written[last + 1 :]]))
    first = decoder.feed(sent)
    assert first is not None
    assert decoder.doubtful
    frames, _, gap = Engine(written).read_from(first.cursor)
    assert ([*first.frames, *frames], gap) == (Engine(written).read_from(None)[0], "")


def test_the_pieces_of_a_long_line_share_their_stamp_and_are_believed() -> None:
    pieces: list[Record] = [(0, 1, b"x" * FULL_BYTES), (0, 1, b"x" * FULL_BYTES), (0, 1, b"x")]
    decoder = LogDecoder(None, followed=True)
    decoder.feed(b"".join(map(encode, pieces)))
    assert not decoder.doubtful


@given(st.integers(70, 200), st.integers(1, 60), st.integers(0, 200))
def test_after_a_hole_in_a_followed_answer_nothing_is_lost_or_doubled_and_it_is_told(
    count: int, hole: int, more: int
) -> None:
    """Unless the hole lies further back than the window: a reader gives up before that."""
    written: list[Record] = [(number * 5, 1, b"%d\n" % number) for number in range(count + more)]
    seen = [*written[: count - hole - 1], *written[count - 1 : count]]
    _, cursor, _ = Engine(seen).read_from(None)
    frames, cursor, gap = Engine(written).read_from(cursor)
    assert [frame.data for frame in frames] == [data for _, _, data in written[count:]]
    assert gap == GAP
    if more:
        later = [*written, (count * 5 + more * 5 + 7, 1, b"later\n")]
        frames, _, gap = Engine(later).read_from(cursor)
        assert ([frame.data for frame in frames], gap) == ([b"later\n"], "")


def test_an_error_of_the_engine_is_a_gap_and_keeps_the_place() -> None:
    decoder = LogDecoder(None)
    text = b"Error grabbing logs: unexpected EOF"
    first = decoder.feed(encode((0, 1, b"a\n")))
    batch = decoder.feed(bytes([3, 0, 0, 0]) + len(text).to_bytes(4, "big") + text)
    assert first is not None
    assert batch is not None
    assert "unexpected EOF" in batch.gap
    assert batch.cursor == first.cursor


def test_a_cursor_stays_small_json_however_long_the_log() -> None:
    written: list[Record] = [(number, 1, b"line\n") for number in range(5000)]
    _, cursor, _ = Engine(written).read_from(None)
    assert len(json.dumps(cursor)) < 4096


def test_of_a_flood_little_is_kept_while_the_place_in_it_is_looked_for() -> None:
    """Much was written in a moment, with a gap before it, and its beginning is gone since."""
    lost = [(number, 1, b"before\n") for number in range(100)]
    _, cursor, _ = Engine(lost).read_from(None)
    flood = [(SECOND + number * 100_000, 1, b"%999d\n" % number) for number in range(19_000)]
    _, cursor, gap = Engine(flood).read_from(cursor)
    assert (gap, cursor and cursor["anchor"]) == (GAP, [])
    for rotated in (0, 3000, 18_000):
        decoder = LogDecoder(json.loads(json.dumps(cursor)))
        last = (10 * SECOND, 1, b"last\n")
        sent = Engine([*flood[rotated:], last]).read(decoder.since)
        tracemalloc.start()
        fed = [decoder.feed(sent[at : at + 65536]) for at in range(0, len(sent), 65536)]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        (batch,) = [batch for batch in fed if batch]
        assert [frame.data for frame in batch.frames] == [b"last\n"]
        assert not batch.gap
        assert most < 4 * 2**20
