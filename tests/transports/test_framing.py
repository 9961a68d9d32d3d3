"""Frames without I/O: what is in them, the violations, and the bounds, however the bytes are cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud.limits import Rate
from trio_mud.telnet.subprotocols import AsciiCodec, GmcpCodec, JsonCodec, TerminalCodec
from trio_mud.transports.framing import Codec, Framing

from .frames import BINARY, CLOSE, CONTINUATION, FAULTS, MASK, PING, PONG, TEXT, client_frames, fragments, frame, raw


def framing(codec: Codec | None = None) -> Framing:
    return Framing(codec, max_message=64 * 1024, empty_frames=Rate(10, burst=32))


def received_by(peer: Framing, data: bytes, size: int | None = None) -> bytes:
    """Let it receive data in pieces of a size, as the transport does: nothing after its end."""
    heard = b""
    for at in range(0, len(data), size or len(data) or 1):
        if peer.is_open:
            heard += peer.receive(data[at : at + (size or len(data))], now=0.0)
    return heard


def close_code(data: bytes) -> int | None:
    *_, last = client_frames(data)
    return int.from_bytes(last.data[:2], "big") if last.opcode is CLOSE and last.data else None


# What is in frames


@pytest.mark.parametrize(
    ("codec", "data", "heard"),
    [
        (None, frame(BINARY, b"look\r\n"), b"look\r\n"),
        (None, frame(BINARY, b"\xff\xfd\x46"), b"\xff\xfd\x46"),
        (None, frame(TEXT, b"look\r\n"), b"look\r\n"),
        (None, fragments(BINARY, [b"lo" * 70, b"ok\r\n"]), b"lo" * 70 + b"ok\r\n"),
        (None, fragments(TEXT, [b"gr\xc3", b"\xbcn\r\n"]), "grün\r\n".encode()),
        (None, frame(BINARY, b"one\r\n") + frame(PING) + frame(BINARY, b"two\r\n"), b"one\r\ntwo\r\n"),
        (None, frame(BINARY, b"one", fin=False) + frame(PING) + frame(CONTINUATION, b"two"), b"onetwo"),
        (TerminalCodec, frame(BINARY, b"look"), b"look\r\n"),
        (TerminalCodec, fragments(TEXT, [b"l", b"", b"ook"]), b"look\r\n"),
        (TerminalCodec, frame(BINARY), b"\r\n"),
        (GmcpCodec, frame(TEXT, b"Core.Ping") + frame(BINARY, b"look"), b"\xff\xfa\xc9Core.Ping\xff\xf0look\r\n"),
        (GmcpCodec, fragments(TEXT, [b"Core", b".Ping"]), b"\xff\xfa\xc9Core.Ping\xff\xf0"),
        (None, frame(BINARY, b"x" * 65_536), b"x" * 65_536),
    ],
)
@pytest.mark.parametrize("size", [1, 3, None])
def test_the_telnet_bytes_in_frames_are_the_same_however_they_are_cut(
    codec: Callable[[], Codec] | None, data: bytes, heard: bytes, size: int | None
) -> None:
    peer = framing(codec and codec())
    assert received_by(peer, data, 1000 if size and len(data) > 60_000 else size) == heard
    assert peer.is_open
    assert peer.fault is None


@given(lines=st.lists(st.binary(min_size=1, max_size=300), max_size=8), cut=st.integers(1, 40))
def test_a_stream_of_telnet_survives_any_framing_and_any_cut(lines: list[bytes], cut: int) -> None:
    data = b"".join(frame(BINARY, line) for line in lines)
    assert received_by(framing(), data, cut) == b"".join(lines)


def in_a_long_head(payload: bytes) -> bytes:
    """Return a binary message whose length takes two bytes more than needed."""
    return bytes((0x82, 0xFE)) + len(payload).to_bytes(2, "big") + frame(BINARY, payload)[2:]


@given(
    st.lists(
        st.builds(
            frame,
            st.sampled_from([BINARY, TEXT, CONTINUATION, PING, CLOSE]),
            st.one_of(st.binary(max_size=130), st.text(max_size=40).map(str.encode)),
            fin=st.booleans(),
        )
        | st.binary(max_size=125).map(in_a_long_head)
        | st.binary(min_size=1, max_size=132),
        max_size=6,
    )
)
@example([frame(BINARY, b"one", fin=False), frame(BINARY, b"two")])  # the second one may not begin a message
@example([raw(0x82, 130)[:4] + MASK, frame(BINARY, b"x" * 124)])  # the second one is the payload of the first
@example([in_a_long_head(b"one"), frame(BINARY, b"two")])
@example([in_a_long_head(b"x" * 124)])  # as long as a short message of 126 bytes would be
@example([frame(TEXT, b"\xff")])
@example([frame(TEXT, "grün".encode())])
@example([raw(0x82, 4, b"look", masked=False) + b"1234"])
@example([frame(TEXT, b"\xff") + raw(0x83, 0)])  # two faults in one read
def test_one_frame_a_read_means_the_same_as_byte_by_byte(reads: list[bytes]) -> None:
    for make in (lambda: None, TerminalCodec, GmcpCodec):
        whole, bytewise = framing(make()), framing(make())
        heard = b"".join([whole.receive(data, 0.0) for data in reads if data and whole.is_open])
        assert heard == received_by(bytewise, b"".join(reads), 1)
        assert (whole.fault, whole.is_open) == (bytewise.fault, bytewise.is_open)
        # The parser is ahead of the check of text by the rest of a read, so a fault in this rest is answered first.
        if "UTF-8" not in (whole.fault or ""):
            assert whole.take_answers() == bytewise.take_answers()


def test_a_ping_is_answered_with_its_content() -> None:
    peer = framing()
    assert received_by(peer, frame(PING, b"here?")) == b""
    assert [(answer.opcode, answer.data) for answer in client_frames(peer.take_answers())] == [(PONG, b"here?")]


def test_what_is_sent_is_one_message_for_each_call() -> None:
    assert [(sent.opcode, sent.data) for sent in client_frames(framing().send(b"Welcome.\r\n"))] == [
        (BINARY, b"Welcome.\r\n")
    ]
    sent = framing(GmcpCodec()).send(b"a\xff\xfa\xc9Core.Ping\xff\xf0")
    assert [(each.opcode, each.data) for each in client_frames(sent)] == [(BINARY, b"a"), (TEXT, b"Core.Ping")]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_message_of_any_size_is_one_frame(size: int) -> None:
    assert [(sent.opcode, sent.data) for sent in client_frames(framing().send(b"x" * size))] == [(BINARY, b"x" * size)]


# The end


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9going away", b"\x0f\xa1"])
@pytest.mark.parametrize("size", [1, None])
def test_a_close_frame_is_echoed_and_ends_it_after_the_frames_before(payload: bytes, size: int | None) -> None:
    peer = framing()
    data = frame(BINARY, b"one\r\n") + frame(CLOSE, payload) + frame(BINARY, b"two\r\n")
    assert received_by(peer, data, size) == b"one\r\n"
    assert not peer.is_open
    assert peer.fault is None
    assert [(answer.opcode, answer.data) for answer in client_frames(peer.take_answers())] == [(CLOSE, payload)]


@pytest.mark.parametrize("payload", [b"\x03\xe9", b"\x03\xe8"])
def test_the_unmasked_close_frame_of_caddy_is_not_a_fault_of_the_player(payload: bytes) -> None:
    peer = framing()
    assert received_by(peer, frame(BINARY, b"one\r\n") + raw(0x88, 2, payload, masked=False)) == b"one\r\n"
    assert not peer.is_open
    assert (peer.fault is None) is (payload == b"\x03\xe9")  # as Caddy 2.6 sends it, and in no other form


def test_after_the_end_nothing_more_is_sent() -> None:
    peer = framing()
    received_by(peer, frame(CLOSE))
    peer.take_answers()
    peer.ping(0.0)
    peer.close(1000)
    assert peer.take_answers() == b""
    assert peer.send(b"too late\r\n") == b""


def test_the_close_frame_of_this_side_has_its_code() -> None:
    peer = framing()
    peer.close(4001)
    assert close_code(peer.take_answers()) == 4001
    assert not peer.is_open


@pytest.mark.parametrize(("name", "data", "code"), FAULTS, ids=[row[0] for row in FAULTS])
@pytest.mark.parametrize("size", [1, 7, None])
@pytest.mark.parametrize("codec", [None, GmcpCodec])
def test_a_violation_ends_it_with_its_close_code_after_the_frames_before(
    name: str, data: bytes, code: int, size: int | None, codec: Callable[[], Codec] | None
) -> None:
    if codec is not None and name == "empty messages without end":
        return  # they are empty lines there, and the driver meters lines
    if size is not None and len(data) > 5000:
        size *= 500
    peer = framing(codec and codec())
    assert received_by(peer, frame(BINARY, b"look\r\n") + data, size).startswith(b"look\r\n")
    assert peer.fault is not None
    assert not peer.is_open
    assert close_code(peer.take_answers()) == code


@pytest.mark.parametrize(("data", "code"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_violation_is_the_same_wherever_its_bytes_are_cut(data: bytes, code: int) -> None:
    whole = frame(BINARY, b"look\r\n") + data
    heard = received_by(framing(), whole)
    places = range(1, len(whole)) if len(whole) < 400 else (*range(1, 16), len(whole) - 1)
    for at in places:
        peer = framing()
        found = received_by(peer, whole[:at]) + received_by(peer, whole[at:])
        assert found == heard, f"cut before byte {at}"
        assert peer.fault is not None, f"cut before byte {at}"
        assert close_code(peer.take_answers()) == code, f"cut before byte {at}"


@pytest.mark.parametrize("make", [TerminalCodec, AsciiCodec, GmcpCodec, JsonCodec])
def test_messages_are_the_same_wherever_their_bytes_are_cut(make: Callable[[], Codec]) -> None:
    whole = (
        fragments(TEXT, [b'{"proto": "gmcp", "id": "Core.Ping", ', b'"data": ""}'])
        + frame(PING, b"?")
        + frame(TEXT, '{"proto": "text", "data": "grün"}'.encode())
        + fragments(BINARY, ["grü".encode()[:-1], "ü\r\n".encode()[1:]])
        + frame(BINARY)
        + frame(TEXT, b"no json")
        + frame(CLOSE, b"\x03\xe9")
    )
    heard = received_by(framing(make()), whole)
    assert "grün".encode() in heard
    for at in range(1, len(whole)):
        peer = framing(make())
        assert received_by(peer, whole[:at]) + received_by(peer, whole[at:]) == heard, f"cut before byte {at}"
        assert (peer.is_open, peer.fault) == (False, None)
        assert [answer.opcode for answer in client_frames(peer.take_answers())] == [PONG, CLOSE]


def test_nothing_after_a_violation_is_heard() -> None:
    peer = framing()
    assert received_by(peer, frame(TEXT, b"\xff") + frame(BINARY, b"quit\r\n")) == b""
    assert peer.fault == "invalid UTF-8 in a text message"


@pytest.mark.parametrize("data", [frame(PING), frame(PONG), frame(BINARY)])
def test_frames_that_carry_nothing_are_free_at_the_rate_of_the_limit(data: bytes) -> None:
    peer = framing()
    for second in range(60):
        peer.receive(data * 10, float(second))
        peer.take_answers()
    assert peer.is_open
    peer.receive(data * 40, 60.0)
    assert peer.fault == "too many frames that carry nothing"


def test_empty_lines_of_a_terminal_do_not_count_as_frames_that_carry_nothing() -> None:
    peer = framing(TerminalCodec())
    assert received_by(peer, frame(BINARY) * 500) == b"\r\n" * 500
    assert peer.is_open


def test_large_fragments_are_free_up_to_the_limit_of_the_message() -> None:
    peer = framing(TerminalCodec())
    assert received_by(peer, fragments(BINARY, [b"x" * 125] * 500)) == b"x" * 62_500 + b"\r\n"


@given(st.binary(max_size=120))
def test_no_bytes_raise_anything(data: bytes) -> None:
    for codec in (None, GmcpCodec()):
        peer = framing(codec)
        received_by(peer, frame(BINARY, b"x", fin=False) + data, 5)
        assert peer.is_open or peer.take_answers()
