"""The two machines around zlib: chunks in order, and limits that hold for any stream."""

import math
import random
import zlib
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud.telnet.compression import PIECE, SLICE, BrokenStream, Deflater, Inflater, InflationLimits

MARKER = b"<marker>"
LAX = InflationLimits(per_second=1000, burst=1 << 30, ratio=1 << 20)
TEXT = b"You are in a maze of twisty little passages, all alike.\r\n"


def take_all(deflater: Deflater, *queue: bytes) -> list[bytes]:
    waiting = list(queue)
    return list(iter(lambda: deflater.take(waiting), b""))


def started(*queue: bytes) -> Deflater:
    deflater = Deflater()
    deflater.start(list(queue), MARKER)
    return deflater


def read(inflater: Inflater) -> bytes:
    """Take everything there is."""
    text = b""
    while inflater.is_full and not inflater.is_paused:
        text += inflater.take()
    return text


def inside(data: bytes = b"", limits: InflationLimits = LAX) -> Inflater:
    inflater = Inflater(limits)
    inflater.begin()
    inflater.feed(data)
    return inflater


def fault_of(inflater: Inflater) -> str:
    with pytest.raises(BrokenStream) as fault:
        read(inflater)
    return str(fault.value)


def outcome(chunks: list[bytes], limits: InflationLimits = LAX) -> tuple[bytes, str]:
    """Return the bytes read from a stream, and the fault if it ends with one."""
    inflater, text = inside(limits=limits), b""
    for chunk in chunks:
        inflater.feed(chunk)
        while inflater.is_full:
            try:
                text += inflater.take()
            except BrokenStream as fault:
                inflater.close()
                return text, str(fault)
    return text, ""


# Deflater


def test_before_a_stream_everything_is_plain() -> None:
    deflater = Deflater()
    assert take_all(deflater, b"a", b"b") == [b"ab"]
    assert deflater.is_over


def test_plain_marker_and_stream_are_chunks_of_their_own() -> None:
    deflater = started(b"plain")
    assert deflater.has_chunks
    plain, marker, stream = take_all(deflater, TEXT)
    assert (plain, marker) == (b"plain", MARKER)
    assert zlib.decompressobj().decompress(stream) == TEXT
    assert not deflater.is_over


def test_nothing_before_the_marker_makes_no_chunk() -> None:
    assert take_all(started(b"")) == [MARKER]


def test_each_take_is_one_flush_that_the_peer_can_read_at_once() -> None:
    deflater, peer = started(), zlib.decompressobj()
    take_all(deflater)
    for text in (TEXT, b"x", TEXT * 100):
        [chunk] = take_all(deflater, text[:1], text[1:])
        assert chunk.endswith(b"\0\0\xff\xff")
        assert peer.decompress(chunk) == text


def test_nothing_to_compress_makes_no_chunk() -> None:
    deflater = started()
    take_all(deflater)
    assert take_all(deflater) == []
    assert take_all(deflater, b"", b"") == []


def test_what_was_queued_is_compressed_and_the_end_of_the_stream_is_a_chunk_of_its_own() -> None:
    deflater, peer = started(), zlib.decompressobj()
    take_all(deflater)
    queue = [TEXT]
    deflater.stop(queue)
    assert queue == []
    stream, end, plain = deflater.take(queue), deflater.take(queue), deflater.take([b"plain"])
    assert peer.decompress(stream) == TEXT
    assert not peer.eof
    assert peer.decompress(end) == b""
    assert peer.eof
    assert plain == b"plain"
    assert deflater.is_over


def test_a_stream_without_text_is_whole_all_the_same() -> None:
    deflater = started()
    deflater.stop([])
    marker, stream = take_all(deflater)
    assert marker == MARKER
    assert zlib.decompress(stream) == b""


def test_to_stop_what_is_not_on_changes_nothing() -> None:
    deflater = Deflater()
    queue = [b"plain"]
    deflater.stop(queue)
    assert queue == [b"plain"]
    assert not deflater.has_chunks


def test_streams_follow_each_other_and_the_second_knows_nothing_of_the_first() -> None:
    deflater = started()
    deflater.stop([TEXT])
    deflater.start([b"between"], MARKER)
    chunks = take_all(deflater, TEXT)
    assert chunks[0] == chunks[4] == MARKER
    assert chunks[3] == b"between"
    assert zlib.decompressobj().decompress(chunks[1]) == zlib.decompressobj().decompress(chunks[5]) == TEXT


def test_a_stream_goes_on_after_its_unused_memory_was_freed() -> None:
    deflater, peer = started(), zlib.decompressobj()
    take_all(deflater)
    for frees in (0, 1, 2, 2, 3, 0):
        [chunk] = take_all(deflater, TEXT)
        assert peer.decompress(chunk) == TEXT
        for _ in range(frees):
            deflater.free_unused()
        assert deflater.holds_memory == (frees < 2), "the first call finds it used"
    deflater.free_unused()
    deflater.free_unused()
    deflater.stop([])
    [end] = take_all(deflater)
    assert peer.decompress(end) == b""
    assert peer.eof, "the checksum is that of all texts"


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=3000), st.none(), st.just(TEXT)), max_size=30))
def test_freed_at_any_moment_a_stream_is_one_stream(texts: list[bytes | None]) -> None:
    deflater, stream = started(), b""
    for text in texts:
        if text is None:
            deflater.free_unused()
        else:
            stream += b"".join(take_all(deflater, text)).removeprefix(MARKER)
    deflater.stop([])
    stream += b"".join(take_all(deflater)).removeprefix(MARKER)
    assert zlib.decompress(stream) == b"".join(filter(None, texts))


# Inflater: what it reads


def test_between_streams_bytes_pass_through_in_pieces() -> None:
    inflater = Inflater(LAX)
    assert not inflater.is_full
    inflater.feed(b"x" * (PIECE + 1))
    assert inflater.take() == b"x" * PIECE
    assert inflater.is_full
    assert inflater.take() == b"x"
    assert not inflater.is_full
    assert inflater.take() == b""


def test_a_stream_begins_with_what_is_put_back() -> None:
    inflater = Inflater(LAX)
    stream = zlib.compress(TEXT)
    inflater.feed(b"<begin>" + stream[:4])
    inflater.feed(stream[4:] + b"plain")
    piece = inflater.take()
    inflater.begin()
    inflater.put_back(piece[len(b"<begin>") :])
    assert read(inflater) == TEXT + b"plain"


@pytest.mark.parametrize("cut", range(len(zlib.compress(TEXT)) + 1))
def test_a_stream_may_be_cut_anywhere_in_its_header_and_checksum_too(cut: int) -> None:
    stream = zlib.compress(TEXT)
    inflater = inside(stream[:cut])
    text = read(inflater)
    inflater.feed(stream[cut:] + b"plain")
    assert text + read(inflater) == TEXT + b"plain"


def test_pieces_are_bounded_and_a_slice_is_forgotten_when_it_is_read() -> None:
    text = random.Random(1).randbytes(3 * SLICE + 100)
    inflater = inside(zlib.compress(text))
    pieces = []
    while inflater.is_full:
        pieces.append(inflater.take())
    assert b"".join(pieces) == text
    assert max(map(len, pieces)) == PIECE
    assert inflater._text == b""
    assert len(inflater._waiting) == 0


def test_what_zlib_holds_back_is_asked_for() -> None:
    # All the bytes are taken with the first slice, and they mean several.
    inflater = inside(zlib.compress(bytes(10 * SLICE)))
    assert len(read(inflater)) == 10 * SLICE


@pytest.mark.parametrize("bits", [9, 15])
def test_every_window_is_understood(bits: int) -> None:
    peer = zlib.compressobj(9, zlib.DEFLATED, bits)
    assert read(inside(peer.compress(TEXT * 50) + peer.flush(zlib.Z_SYNC_FLUSH))) == TEXT * 50


# Inflater: faults


def with_dictionary() -> bytes:
    peer = zlib.compressobj(zdict=b"passages")
    return peer.compress(TEXT) + peer.flush()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"look\r\n", "incorrect header check"),
        (b"\x79\x9c", "incorrect header check"),
        (b"\x1f\x8b\x08\0", "incorrect header check"),  # gzip
        (zlib.compress(TEXT)[2:], "incorrect header check"),  # raw deflate
        (b"\x78\x9c\x07", "invalid block type"),
        (zlib.compress(TEXT)[:-1] + b"!", "incorrect data check"),
        (with_dictionary(), "it wants a dictionary"),
    ],
)
def test_what_is_no_stream_of_zlib_is_a_fault(data: bytes, fault: str) -> None:
    assert fault_of(inside(data)) == fault


def test_what_comes_before_a_fault_is_read_however_the_bytes_are_cut() -> None:
    stream = zlib.compress(TEXT)[:-1] + b"!"
    for chunks in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        assert outcome(chunks) == (TEXT, "incorrect data check")


def test_a_beginning_inside_a_stream_is_a_fault_up_to_its_last_byte() -> None:
    inflater = inside(zlib.compress(b"<begin>") + b"plain")
    inflater.take()
    inflater.begin()
    inflater.put_back(b"")
    assert fault_of(inflater) == "a second stream began inside the first"


def test_closed_it_takes_nothing_and_says_nothing() -> None:
    inflater = inside(zlib.compress(TEXT))
    inflater.take()
    inflater.close()
    inflater.feed(TEXT)
    assert not inflater.is_full
    assert not inflater.is_paused
    assert inflater.next_deadline is None
    assert inflater.take() == b""


@given(st.data())
@settings(max_examples=2 * settings().max_examples)
def test_any_byte_may_be_wrong(data: st.DataObject) -> None:
    stream = bytearray(zlib.compress(TEXT * 3) + TEXT)
    for _ in range(data.draw(st.integers(1, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(stream)))
    whole = outcome([bytes(stream)])
    assert whole == outcome([bytes(stream[:cut]), bytes(stream[cut:])])
    assert whole == outcome([bytes(stream[at : at + 1]) for at in range(len(stream))])


# Inflater: limits


def test_many_bytes_of_one_break_the_stream_off_at_the_windows_end() -> None:
    limits = InflationLimits(ratio=20, window=1000)
    inflater = inside(zlib.compress(bytes(1000)), limits)
    text = b"".join(inflater.take() for _ in range(2))
    assert text == bytes(1000)
    assert fault_of(inflater) == "over 20 bytes made of one"


def test_less_than_a_window_may_come_of_little() -> None:
    assert read(inside(zlib.compress(bytes(999)), InflationLimits(ratio=20, window=1000))) == bytes(999)


def test_windows_are_counted_across_streams() -> None:
    limits = InflationLimits(ratio=20, window=1000)
    inflater = inside(zlib.compress(bytes(999)), limits)
    read(inflater)
    inflater.take()
    inflater.begin()
    inflater.feed(zlib.compress(b"x"))
    assert inflater.take() == b"x"
    assert fault_of(inflater) == "over 20 bytes made of one"


@pytest.mark.unmeasured
def test_text_as_people_type_it_never_breaks_the_ratio() -> None:
    peer = zlib.compressobj(9)
    inflater = inside(limits=InflationLimits(burst=1 << 30))
    for _ in range(40_000):
        inflater.feed(peer.compress(b"north\r\n") + peer.flush(zlib.Z_SYNC_FLUSH))
        assert read(inflater) == b"north\r\n"


def test_a_fault_at_the_end_of_a_window_is_told_before_its_ratio() -> None:
    peer = zlib.compressobj(9)
    data = peer.compress(bytes(1000)) + peer.flush(zlib.Z_SYNC_FLUSH) + b"\x07"
    inflater = inside(data, InflationLimits(ratio=20, window=1001))
    assert len(inflater.take()) + len(inflater.take()) == 1000
    assert fault_of(inflater) == "invalid block type"


@pytest.mark.parametrize("checksum", [b"", b"!"])
def test_the_end_of_a_stream_is_not_counted_to_the_window_that_its_text_fills(checksum: bytes) -> None:
    stream = zlib.compress(b"a" * 64)
    stream = stream[: len(stream) - len(checksum)] + checksum
    limits = InflationLimits(burst=1 << 30, ratio=8, window=32)
    whole = outcome([stream], limits)
    assert whole == outcome([stream[at : at + 1] for at in range(len(stream))], limits)
    assert whole == (b"a" * 64, "over 8 bytes made of one")


@given(st.data())
@settings(max_examples=2 * settings().max_examples)
def test_limits_and_faults_do_not_depend_on_the_cut(data: st.DataObject) -> None:
    limits = InflationLimits(burst=1 << 30, ratio=data.draw(st.integers(1, 30)), window=data.draw(st.integers(1, 100)))
    text = data.draw(st.one_of(st.binary(max_size=200), st.builds(lambda size: b"a" * size, st.integers(0, 1000))))
    peer = zlib.compressobj(9, zlib.DEFLATED, 9, 9, data.draw(st.sampled_from([zlib.Z_FIXED, zlib.Z_DEFAULT_STRATEGY])))
    stream = bytearray(peer.compress(text) + peer.flush() + TEXT)
    for _ in range(data.draw(st.integers(0, 2))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(1, len(stream)))
    with mock.patch("trio_mud.telnet.compression.SLICE", data.draw(st.sampled_from([SLICE, 7, 40]))):
        whole = outcome([bytes(stream)], limits)
        assert whole == outcome([bytes(stream[at : at + size]) for at in range(0, len(stream), size)], limits)
        assert whole == outcome([bytes(stream[at : at + 1]) for at in range(len(stream))], limits)


def test_what_may_be_inflated_is_spent_and_earned_by_the_second() -> None:
    zeros = bytes(20 * SLICE)
    inflater = inside(zlib.compress(zeros), InflationLimits(per_second=SLICE, burst=2 * SLICE, ratio=2000))
    text = read(inflater)
    assert len(text) == 2 * SLICE
    assert inflater.is_full
    assert inflater.take() == b""
    assert inflater.next_deadline == -math.inf
    inflater.tick(100.0)
    assert inflater.is_paused
    assert inflater.next_deadline == 101.0
    inflater.tick(101.0)
    assert inflater.next_deadline is None
    text += read(inflater)
    assert len(text) == 3 * SLICE
    inflater.tick(1000.0)  # so long a time is worth a burst, and no more
    text += read(inflater)
    assert len(text) == 5 * SLICE
    inflater.tick(1000.5)  # early: a slice may come on credit, and is paid before the next
    text += read(inflater)
    assert inflater.next_deadline == 1002.0
    while inflater.is_full:
        inflater.tick(inflater.next_deadline or 0)
        text += read(inflater)
    assert text == zeros


def test_the_clock_is_not_asked_for_as_long_as_little_comes() -> None:
    inflater = inside(zlib.compress(TEXT))
    read(inflater)
    assert inflater.next_deadline is None


def test_plain_bytes_behind_a_stream_wait_for_no_clock() -> None:
    inflater = inside(zlib.compress(TEXT) + b"plain", InflationLimits(burst=1))
    assert read(inflater) == TEXT + b"plain"


@pytest.mark.parametrize("bomb", [b"\0", b"\r\n", b"\xff\xfb\x01"], ids=["zeros", "newlines", "commands"])
def test_a_bomb_is_broken_off_after_a_window(bomb: bytes) -> None:
    inflater = inside(zlib.compress(bomb * (5_000_000 // len(bomb)), 9), InflationLimits())
    text = 0
    while not inflater._fault or inflater._text:
        text += len(inflater.take())
    assert text == InflationLimits().window
    assert fault_of(inflater) == "over 100 bytes made of one"
