"""MCCP as bytes in both directions, against real zlib, and the attacks of a malicious peer."""

import math
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud.telnet import (
    Anomaly,
    AnomalyKind,
    CompressionFailed,
    Line,
    Option,
    Policy,
    Subnegotiation,
    TelnetEngine,
    TelnetEvent,
    WindowResized,
)
from trio_mud.telnet.codes import MCCP2, MCCP3
from trio_mud.telnet.compression import PIECE, UNUSED, InflationLimits
from trio_mud.telnet.options import DEFAULT_OPTIONS, Mccp2, Mccp3, Naws
from trio_mud.testing.playbook import Playbook, check_every_split, converse, drain

START2 = b"\xff\xfa\x56\xff\xf0"
START3 = b"\xff\xfa\x57\xff\xf0"
AGREED3 = b"\xff\xfd\x57" + START3


def chunks_of(engine: TelnetEngine) -> list[bytes]:
    chunks = []
    while engine.has_data_to_send:
        chunks.append(engine.data_to_send())
    assert engine.data_to_send() == b""
    return chunks


def compressing() -> TelnetEngine:
    engine = TelnetEngine([Mccp2()])
    engine.receive(b"\xff\xfd\x56")
    assert chunks_of(engine) == [b"\xff\xfb\x56", START2]
    return engine


class Client:
    """A client's side of MCCP2, which is strict: no text in a chunk that begins or ends a stream."""

    def __init__(self) -> None:
        self.text = b""
        self.streams = 0
        self._zlib: zlib._Decompress | None = None

    def receive(self, chunk: bytes) -> None:
        if self._zlib is None:
            assert START2 not in chunk or chunk == START2
            if chunk == START2:
                self.streams += 1
                self._zlib = zlib.decompressobj()
            else:
                self.text += chunk
            return
        text = self._zlib.decompress(chunk)
        self.text += text
        assert self._zlib.unused_data == b""
        if self._zlib.eof:
            assert text == b""
            self._zlib = None


# MCCP2


def test_both_are_offered_last_and_what_is_sent_meanwhile_is_plain() -> None:
    engine = TelnetEngine(DEFAULT_OPTIONS)
    engine.send_text("Welcome.\n")
    assert engine.data_to_send().endswith(b"\xff\xfb\x56\xff\xfb\x57Welcome.\r\n")


def test_the_marker_is_a_chunk_of_its_own_between_plain_text_and_compressed() -> None:
    engine = TelnetEngine([Mccp2()])
    engine.send_text("before\n")
    engine.receive(b"\xff\xfd\x56")
    engine.send_text("after\n")
    before, marker, after = chunks_of(engine)
    assert (before, marker) == (b"\xff\xfb\x56before\r\n", START2)
    assert zlib.decompressobj().decompress(after) == b"after\r\n"


def test_each_drain_is_one_flush() -> None:
    engine, peer = compressing(), zlib.decompressobj()
    for text in ("A room.\n", "é\n", "> "):
        engine.send_text(text)
        engine.send_prompt("")
        [chunk] = chunks_of(engine)
        assert chunk.endswith(b"\0\0\xff\xff")
        assert peer.decompress(chunk) == engine.encode(text) + engine.prompt_mark


def test_telnet_itself_is_compressed_too() -> None:
    engine = compressing()
    engine.receive(b"\xff\xfb\x2a")
    [chunk] = chunks_of(engine)
    assert zlib.decompressobj().decompress(chunk) == b"\xff\xfe\x2a"


def test_shared_bytes_are_compressed_for_each_and_stay_as_they_are() -> None:
    shared = TelnetEngine().encode("Thunder.\n")
    plain, compressed = TelnetEngine(()), compressing()
    for engine in (plain, compressed):
        engine.send_encoded(shared)
    assert plain.data_to_send() is shared
    assert zlib.decompressobj().decompress(compressed.data_to_send()) == shared


def test_a_client_that_wants_it_no_more_gets_the_end_and_then_plain_text() -> None:
    engine, peer = compressing(), zlib.decompressobj()
    engine.send_text("compressed\n")
    engine.receive(b"\xff\xfe\x56")
    engine.send_text("plain\n")
    stream, end, plain = chunks_of(engine)
    assert peer.decompress(stream) == b"compressed\r\n\xff\xfc\x56"
    assert peer.decompress(end) == b""
    assert peer.eof
    assert plain == b"plain\r\n"
    assert engine.outgoing.deflater is None


def test_compression_ends_when_we_want_and_may_be_offered_again() -> None:
    engine, client = compressing(), Client()
    client.receive(START2)
    engine.send_text("one\n")
    engine.end_compression()
    engine.send_text("two\n")
    for chunk in chunks_of(engine):
        client.receive(chunk)
    engine.receive(b"\xff\xfe\x56")
    engine.enable_ours(MCCP2)
    assert chunks_of(engine) == [b"\xff\xfb\x56"]
    engine.receive(b"\xff\xfd\x56")
    engine.send_text("three\n")
    for chunk in chunks_of(engine):
        client.receive(chunk)
    assert client.text == b"one\r\n\xff\xfc\x56two\r\nthree\r\n"
    assert client.streams == 2


def test_an_offer_taken_back_begins_nothing_whatever_is_on_its_way() -> None:
    engine = TelnetEngine([Mccp2()])
    engine.end_compression()
    engine.receive(b"\xff\xfd\x56")
    engine.send_text("plain\n")
    assert drain(engine) == b"\xff\xfb\x56\xff\xfc\x56plain\r\n"


def test_to_end_what_never_was_changes_nothing() -> None:
    engine = TelnetEngine(())
    engine.end_compression()
    engine.stop_compression()
    assert not engine.has_data_to_send


def test_agreeing_twice_begins_once() -> None:
    engine = compressing()
    engine.receive(b"\xff\xfd\x56\xff\xfd\x56")
    assert chunks_of(engine) == []


def test_an_agreement_inside_a_payload_is_obeyed() -> None:
    engine = TelnetEngine([Mccp2()])
    engine.receive(b"\xff\xfa\x18\0xte\xff\xfd\x56")
    assert chunks_of(engine) == [b"\xff\xfb\x56", START2]


def test_of_version_1_and_2_only_2_is_spoken_and_mccpx_not_at_all() -> None:
    engine = TelnetEngine([Mccp2()])
    drain(engine)
    engine.receive(b"\xff\xfd\x55\xff\xfd\x56\xff\xfd\x58")
    refusal, marker, other = chunks_of(engine)
    assert (refusal, marker) == (b"\xff\xfc\x55", START2)
    assert zlib.decompressobj().decompress(other) == b"\xff\xfc\x58"


def test_a_client_says_that_it_compresses_and_is_refused() -> None:
    # telnetlib3 and TinTin++ answer even a sweep of DO with WILL 86, which means nothing.
    Playbook(TelnetEngine([Mccp2()])).says("IAC WILL MCCP2").hears("IAC WILL MCCP2").says("IAC DONT MCCP2")


def test_a_client_that_changes_its_mind_all_the_time_is_not_followed_for_long() -> None:
    engine, client = TelnetEngine([Mccp2()]), Client()
    engine.receive(b"\xff\xfd\x56\xff\xfe\x56" * 20_000)
    chunks = chunks_of(engine)
    assert len(chunks) < 2000
    for chunk in chunks:
        client.receive(chunk)
    assert 0 < client.streams <= 257


_steps = st.lists(
    st.one_of(
        st.sampled_from(["agree", "refuse", "send", "end", "offer"]),
        st.text(max_size=8).map(lambda text: f"say {text}"),
    ),
    max_size=40,
)


class Uncompressed(Option):
    """Negotiates as MCCP2 does, and does nothing else."""

    code = MCCP2
    ours = Policy.OFFER


@given(_steps)
@settings(max_examples=2 * settings().max_examples)
def test_whatever_happens_in_between_text_arrives_whole_and_in_order(steps: list[str]) -> None:
    engine, plain, client = TelnetEngine([Mccp2()]), TelnetEngine([Uncompressed()]), Client()
    for step in [*steps, "send"]:
        for each in (engine, plain):
            match step.partition(" "):
                case ("agree", _, _):
                    each.receive(b"\xff\xfd\x56")
                case ("refuse", _, _):
                    each.receive(b"\xff\xfe\x56")
                case ("end", _, _):
                    each.end_compression()
                case ("offer", _, _):
                    each.enable_ours(MCCP2)
                case ("say", _, text):
                    each.send_text(text)
        if step == "send":
            while engine.has_data_to_send:
                client.receive(engine.data_to_send())
    assert client.text == drain(plain)


# MCCP3: what TinTin++ 2.02 sends, and what others may


def inflating(limits: InflationLimits | None = None) -> TelnetEngine:
    engine = TelnetEngine([Mccp3(limits)])
    drain(engine)
    engine.receive(AGREED3)
    return engine


def naws_and_mccp3() -> TelnetEngine:
    return TelnetEngine([Naws(), Mccp3(InflationLimits(ratio=20, window=256))])


def stream(text: bytes) -> bytes:
    """As TinTin++ compresses: a flush, and no end."""
    peer = zlib.compressobj(9)
    return peer.compress(text) + peer.flush(zlib.Z_SYNC_FLUSH)


def reports(data: bytes) -> list[TelnetEvent]:
    """Return the engine's events for the bytes, after checking that every split gives the same."""
    check_every_split(data, naws_and_mccp3)
    return converse(naws_and_mccp3(), data)[0]


def test_agreement_beginning_and_stream_come_in_one_write() -> None:
    assert stream(b"look\r\n")[:2] == b"\x78\xda"
    assert TelnetEngine([Mccp3()]).receive(AGREED3 + stream(b"look\r\n")) == [Line("look")]


def test_a_stream_may_be_cut_anywhere_at_its_beginning_too() -> None:
    assert reports(b"plain\r\n" + AGREED3 + stream(b"look\r\n")) == [Line("plain"), Line("look")]


def test_telnet_inside_the_stream_is_telnet() -> None:
    inside = b"lo\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0ok\r\n\xff\xff\n"
    assert reports(AGREED3 + stream(inside)) == [WindowResized(80, 24), Line("look"), Line("\ufffd")]


def test_plain_text_goes_on_where_the_stream_ends_be_it_in_the_middle_of_a_line_or_command() -> None:
    for cut in range(len(whole := b"look\r\n\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0say \xc3\xa9\r\n")):
        data = AGREED3 + zlib.compress(whole[:cut]) + whole[cut:]
        assert reports(data) == [Line("look"), WindowResized(80, 24), Line("say é")]


def test_another_stream_may_follow_the_first() -> None:
    one, two = zlib.compress(b"one\r\n"), stream(b"three\r\n")
    assert reports(AGREED3 + one + b"two\r\n" + START3 + two) == [Line("one"), Line("two"), Line("three")]


def test_the_last_word_of_a_stream_may_be_that_the_option_is_over() -> None:
    data = AGREED3 + zlib.compress(b"one\r\n\xff\xfe\x57two\r\n") + b"three\r\n" + START3 + b"\x78\xda"
    unagreed = CompressionFailed("it began without agreement")
    assert reports(data) == [Line("one"), Line("two"), Line("three"), unagreed]


def test_a_stream_goes_on_when_we_take_the_option_back_until_the_client_ends_it() -> None:
    (
        Playbook(TelnetEngine([Mccp3()]))
        .says("IAC WILL MCCP3")
        .hears(AGREED3 + (data := zlib.compress(b"one\r\ntwo\r\n"))[:5])
        .calls("disable_ours", MCCP3)
        .says("IAC WONT MCCP3")
        .hears(data[5:] + b"three\r\n", Line("one"), Line("two"))
        .hears(b"", Line("three"))
    )


def test_a_beginning_with_a_payload_is_none() -> None:
    malformed = Anomaly(AnomalyKind.MALFORMED_PAYLOAD, "MCCP3 of 1 bytes")
    assert reports(b"\xff\xfd\x57\xff\xfa\x57\x01\xff\xf0look\r\n") == [malformed, Line("look")]


def test_a_game_without_the_option_gets_its_payload_like_any_other() -> None:
    assert TelnetEngine(()).receive(START3 + b"look\n") == [Subnegotiation(MCCP3, b""), Line("look")]


# MCCP3: faults


def with_dictionary() -> bytes:
    peer = zlib.compressobj(zdict=b"look\r\n")
    return peer.compress(b"look\r\n") + peer.flush()


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (AGREED3 + b"look\r\n", [CompressionFailed("incorrect header check")]),
        (AGREED3 + b"\xff\xf1", [CompressionFailed("incorrect header check")]),
        (AGREED3 + with_dictionary(), [CompressionFailed("it wants a dictionary")]),
        (
            AGREED3 + zlib.compress(b"look\r\n")[:-1] + b"!",
            [Line("look"), CompressionFailed("incorrect data check")],
        ),
        (
            AGREED3 + zlib.compress(b"a\n" + START3 + b"b\n"),
            [Line("a"), CompressionFailed("a second stream began inside the first")],
        ),
        (
            AGREED3 + zlib.compress(b"\n" * 300),
            [*[Line("")] * 256, CompressionFailed("over 20 bytes made of one")],
        ),
    ],
    ids=["plain", "command", "dictionary", "checksum", "second", "bomb"],
)
def test_a_broken_stream_is_reported_once_and_what_follows_is_never_read_as_text(
    data: bytes, events: list[TelnetEvent]
) -> None:
    data += b"quit\r\n\xff\xfb\x1f" + START3 + stream(b"quit\r\n")
    assert reports(data) == events
    engine = naws_and_mccp3()
    assert converse(engine, data)[1].endswith(b"\xff\xfc\x57")
    assert not engine.is_full
    assert engine.receive(b"quit\r\n") == []


def test_telnetlib3_which_compresses_later_fails_within_a_line() -> None:
    # Text that begins as a header does needs a few bytes more.
    for text in (b"look", b"who\r\n", b"hb2000", b"x\x9c", b"8O", b"XG"):
        events, _ = converse(inflating(), text + b" and some more words\r\n", b"quit\r\n" * 50)
        assert [CompressionFailed] == [type(event) for event in events if not isinstance(event, Line)], text


@pytest.mark.parametrize("before", [b"", b"\xff\xfe\x57"], ids=["unanswered", "refused"])
def test_a_stream_that_was_not_agreed_on_is_not_read_at_all(before: bytes) -> None:
    data = before + START3 + stream(b"quit\r\n") + b"quit\r\n"
    assert reports(data) == [CompressionFailed("it began without agreement")]


def test_a_broken_stream_leaves_the_way_out_as_it_was() -> None:
    engine = inflating()
    engine.receive(b"look")
    drain(engine)
    engine.send_text("Goodbye.\n")
    assert drain(engine) == b"Goodbye.\r\n"
    assert engine.next_deadline == -math.inf
    engine.tick(0.0)


@pytest.mark.unmeasured
@given(st.data())
@settings(max_examples=2 * settings().max_examples)
def test_no_byte_wrong_in_a_stream_raises_or_depends_on_the_cut(data: st.DataObject) -> None:
    good = AGREED3 + zlib.compress(b"look\r\n\xff\xfb\x1f" * 4 + bytes(range(256))) + b"say plain\r\n"
    broken = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(good)))
    chunks = [bytes(broken[:cut]), bytes(broken[cut:])]
    assert converse(naws_and_mccp3(), bytes(broken)) == converse(naws_and_mccp3(), *chunks)
    one_by_one = [bytes(broken[at : at + 1]) for at in range(len(broken))]
    assert converse(naws_and_mccp3(), bytes(broken)) == converse(naws_and_mccp3(), *one_by_one)


# MCCP3: bounds


def bomb(pattern: bytes) -> bytes:
    """50 MB of this, compressed as well as can be."""
    peer = zlib.compressobj(9)
    block = pattern * (500_000 // len(pattern))
    return b"".join(peer.compress(block) for _ in range(100)) + peer.flush()


@pytest.mark.unmeasured
@pytest.mark.parametrize("pattern", [b"\0", b"\r\n", b"\xff\xfb\x01"], ids=["zeros", "newlines", "commands"])
def test_50_megabytes_are_broken_off_with_little_memory_and_little_work_at_a_time(pattern: bytes) -> None:
    data = bomb(pattern)
    engine = TelnetEngine([Mccp3()], line_limit=4096)
    was_tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        events, calls, last = 0, 1, engine.receive(AGREED3 + data)
        while engine.pending:
            last = engine.receive(b"")
            assert len(last) <= PIECE
            events += len(last)
            calls += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not was_tracing:
            tracemalloc.stop()
    assert last == [CompressionFailed("over 100 bytes made of one")]
    assert events <= 64 * 1024 / len(pattern) + 1
    assert calls == 64 * 1024 / PIECE + 1
    assert peak - before < 512 * 1024
    assert not engine.is_full


@pytest.mark.unmeasured
def test_a_subtler_bomb_waits_for_the_clock_and_nothing_piles_up() -> None:
    engine = inflating(InflationLimits(ratio=2000))
    lines = len(engine.receive(bomb(b"\n")))
    while engine.pending:
        lines += len(engine.receive(b""))
    assert lines == 1024 * 1024
    assert engine.is_full
    assert engine.receive(b"") == []
    engine.tick(0.0)
    assert engine.next_deadline == 1 / 16
    engine.tick(1 / 16)
    assert engine.pending
    while engine.pending:
        lines += len(engine.receive(b""))
    assert lines == (1024 + 16) * 1024
    assert engine.next_deadline == 2 / 16


def test_a_pause_ends_before_a_later_deadline_and_after_an_earlier_one() -> None:
    engine = TelnetEngine([Naws(), Mccp3(InflationLimits(ratio=2000, burst=1))], settle_within=None)
    engine.tick(0.0)
    engine.receive(AGREED3 + stream(bytes(100_000)))
    assert engine.next_deadline == 2.0
    while engine.pending:
        engine.receive(b"")
    assert engine.next_deadline == -math.inf
    engine.tick(1.0)
    allowed = engine.next_deadline
    assert allowed is not None
    assert 1.0 < allowed < 2.0  # when the question for the window's size goes unanswered
    engine.tick(1.99)
    while engine.pending:
        engine.receive(b"")
    assert engine.next_deadline == 2.0
    engine.tick(2.0)
    assert engine.next_deadline is not None


def test_an_engine_that_nobody_compresses_for_has_no_machine_for_it() -> None:
    engine = TelnetEngine(DEFAULT_OPTIONS)
    drain(engine)
    engine.receive(b"look\r\n\xff\xfe\x56\xff\xfe\x57")
    assert (engine.outgoing.deflater, engine.inflater) == (None, None)
    assert (engine.pending, engine.is_full) == (False, False)


# Both


def test_both_directions_at_once() -> None:
    engine, client, to_server = TelnetEngine([Mccp2(), Mccp3()]), Client(), zlib.compressobj()
    events: list[TelnetEvent] = []
    events += engine.receive(b"\xff\xfd\x56" + AGREED3)
    for at in range(20):
        engine.send_text(f"answer {at}\n")
        typed = to_server.compress(b"ask %d\r\n\xff\xfb\x2a" % at) + to_server.flush(zlib.Z_SYNC_FLUSH)
        for byte in typed:
            events += engine.receive(bytes((byte,)))
        for chunk in chunks_of(engine):
            client.receive(chunk)
    assert events == [Line(f"ask {at}") for at in range(20)]
    answers = client.text.replace(b"\xff\xfe\x2a", b"").removeprefix(b"\xff\xfb\x56\xff\xfb\x57")
    assert answers == b"".join(b"answer %d\r\n" % at for at in range(20))
    engine.receive(to_server.compress(b"\xff\xfe\x56last\r\n") + to_server.flush() + b"plain")
    engine.send_text("plain\n")
    for chunk in chunks_of(engine):
        client.receive(chunk)
    assert client.text.endswith(b"\xff\xfc\x56plain\r\n")
    assert engine.receive(b"\r\n") == [Line("plain")]


def test_the_memory_of_a_stream_is_freed_after_seconds_without_output() -> None:
    engine, peer = compressing(), zlib.decompressobj()
    now = 0.0
    for text, pause in (("A room.\n", 1.0), ("A rat bites you.\n", 20.0), ("A room.\n", 0.0)):
        engine.send_text(text)
        assert peer.decompress(b"".join(chunks_of(engine))) == engine.encode(text)
        assert engine.outgoing.deflater is not None
        assert engine.outgoing.deflater.holds_memory
        for end in (now, now + pause):
            engine.tick(end)
        while (due := engine.next_deadline) is not None and due <= now + pause:
            engine.tick(due)
        now += pause
        assert engine.outgoing.deflater.holds_memory == (pause < UNUSED)


def test_an_unused_stream_needs_no_ticks() -> None:
    engine = compressing()
    engine.send_text("A room.\n")
    chunks_of(engine)
    for now in (0.0, UNUSED, UNUSED, 2 * UNUSED):
        engine.tick(now)
    assert engine.next_deadline is None
