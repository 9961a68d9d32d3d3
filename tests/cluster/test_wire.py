"""The messages between a gateway and a world: round trips, neighbouring versions, bounds and junk."""

from __future__ import annotations

import gc
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.cluster import wire
from trio_mud.cluster.frames import (
    MAX_FRAME,
    VERSION,
    UpFrame,
    VersionMismatch,
    WireError,
    decode_down,
    decode_up,
    encode_down,
    encode_up,
)
from trio_mud.cluster.wire import (
    Acknowledged,
    Arrived,
    Departed,
    Down,
    FactsLearned,
    KnownFacts,
    LineTyped,
    MessageReceived,
    Output,
    Preferred,
    TextSent,
    Up,
    off_wire,
    on_wire,
)
from trio_mud.text import Text, link, markup, render, sound
from trio_mud.text.rendering import Rendering

pack = msgspec.msgpack.encode


def _styled(text: str, more: str) -> Text:
    return markup("<b>{text}</b> <on-#204060>{more}</on-#204060>", text=text, more=more) + sound("bell.wav")


TEXTS: st.SearchStrategy[Text] = st.one_of(
    st.text(max_size=40),
    st.builds(_styled, st.text(max_size=20), st.text(max_size=20)),
    st.builds(lambda words: link(words, send="go north"), st.text(min_size=1, max_size=10).filter(str.isprintable)),
)
NUMBERS = st.integers(0, 2**53)
UTF_8 = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def messages(direction: object) -> st.SearchStrategy[Any]:
    """Any message of a direction, with valid fields."""
    return st.one_of([st.builds(kind, **_fields(kind)) for kind in get_args(direction)])


def _fields(kind: type) -> dict[str, st.SearchStrategy[Any]]:
    return {field.name: _values(field.name) for field in msgspec.structs.fields(kind)}


def _values(name: str) -> st.SearchStrategy[Any]:
    facts = st.dictionaries(UTF_8.map(lambda text: text[:20]), st.tuples(st.one_of(st.booleans(), UTF_8), st.just(3)))
    client = st.builds(
        KnownFacts,
        facts=facts,
        terminals=st.lists(UTF_8, max_size=3).map(tuple),
        packages=st.dictionaries(UTF_8.map(lambda text: text[:20]), NUMBERS, max_size=3),
    )
    items = st.deferred(lambda: st.lists(messages(wire.Item), max_size=4))
    return {
        "address": UTF_8,
        "body": st.binary(max_size=40),
        "cause": st.sampled_from(["EOF", "RESET"]),
        "client": client,
        "data": st.binary(max_size=40),
        "ends_line": st.booleans(),
        "has_answered": st.booleans(),
        "in_dialog": st.booleans(),
        "is_answered": st.booleans(),
        "is_hidden": st.booleans(),
        "is_last": st.booleans(),
        "is_recorded": st.booleans(),
        "is_secure": st.booleans(),
        "items": items.map(tuple),
        "kind": st.sampled_from(["break", "abort"]),
        "links": st.lists(NUMBERS, max_size=5),
        "lines": st.integers(-1, 2**53),
        "marks": st.booleans(),
        "name": UTF_8,
        "network": st.sampled_from(["192.0.2.0/24", "2001:db8::/48"]),
        "protocol": st.sampled_from(["gmcp", "msdp"]),
        "request": NUMBERS,
        "seconds": st.floats(-1, 1e9),
        "seen": st.integers(-1, 2**53),
        "size": st.sampled_from([(), (80, 24)]),
        "taken": NUMBERS,
        "text": UTF_8,
        "token": UTF_8,
        "variables": st.dictionaries(UTF_8, UTF_8, max_size=3),
        "waits": st.floats(0, 1e9),
        "was_admitted": st.booleans(),
        "wishes": facts,
    }.get(name, NUMBERS)


SIGNALS = st.builds(wire.Signalled, link=NUMBERS, kind=st.sampled_from(["resized", "client known"]))
TAKEN = st.builds(Acknowledged, taken=st.lists(NUMBERS, max_size=6), secret=st.lists(NUMBERS, max_size=4))
UP = messages(Up).filter(lambda message: not isinstance(message, wire.Signalled)) | SIGNALS
DOWN = messages(Down).filter(lambda message: not isinstance(message, Acknowledged)) | TAKEN


@given(st.lists(UP, max_size=6))
def test_every_message_up_arrives_as_it_was_sent(sent: list[Up]) -> None:
    (frame,) = encode_up("g1", 7, 3, 2, sent)

    received = decode_up(frame, _never)

    assert (received.gateway, received.incarnation, received.epoch, received.roll) == ("g1", 7, 3, 2)
    assert received.messages == sent


@given(st.lists(DOWN, min_size=1, max_size=6))
def test_every_message_down_arrives_as_it_was_sent(sent: list[Down]) -> None:
    (frame,) = encode_down(5, sent)

    received = decode_down(frame, _never)

    assert (received.epoch, received.messages) == (5, sent)


@given(TEXTS)
def test_a_text_reads_the_same_after_the_wire(text: Text) -> None:
    (frame,) = encode_down(1, [Output([1], (TextSent(on_wire(text)),))])
    (message,) = decode_down(frame, _never).messages
    assert isinstance(message, Output)
    (item,) = message.items
    assert isinstance(item, TextSent)

    for rendering in (Rendering(), Rendering(colours=256, width=20, links=True, mxp=True, sounds=True)):
        assert render(off_wire(item.text), rendering).encode(errors="replace") == render(text, rendering).encode(
            errors="replace"
        )


@given(st.binary(max_size=200))
def test_junk_is_refused_or_is_a_frame(junk: bytes) -> None:
    for decode in (decode_up, decode_down):
        with suppress(WireError):
            decode(junk)


@given(st.lists(UP, min_size=1, max_size=3), st.data())
def test_a_damaged_frame_never_raises_anything_else(sent: list[Up], data: st.DataObject) -> None:
    (frame,) = encode_up("g1", 1, 1, 1, sent)
    at = data.draw(st.integers(0, len(frame) - 1))
    damaged = frame[:at] + bytes([data.draw(st.integers(0, 255))]) + frame[at + 1 :]
    with suppress(WireError):
        decode_up(damaged)


def test_deeply_nested_data_is_refused() -> None:
    with pytest.raises(WireError):
        decode_up(b"\x91" * 100_000)


# Neighbouring versions


def test_a_newer_gateway_is_understood_but_for_the_messages_that_are_new() -> None:
    unknown: list[int] = []
    line = [2, 1, 1, "look", False, "a field of version 2"]
    frame = pack([2, "g1", 1, 1, 1, [line, [99, 1, "a kind of version 2"], [2, 1, 2, "north"]], 4, "one more"])

    received = decode_up(frame, unknown.append)

    assert received.messages == [LineTyped(1, 1, "look"), LineTyped(1, 2, "north")]
    assert unknown == [1]


def test_an_older_gateway_is_understood_by_the_defaults_of_the_fields_that_it_lacks() -> None:
    frame = pack([0, "g1", 1, 1, 1, [[2, 1, 1, "look"], [1, 4, "10.0.0.1", True, []]]])

    assert decode_up(frame, _never).messages == [LineTyped(1, 1, "look"), Arrived(4, "10.0.0.1", True, KnownFacts())]


def test_one_malformed_message_costs_itself() -> None:
    unknown: list[int] = []
    frame = pack([1, "g1", 1, 1, 1, [[2, 1, "no number", "look"], [2, 1, 2, "north"]]])

    assert decode_up(frame, unknown.append).messages == [LineTyped(1, 2, "north")]
    assert unknown == [1]


@pytest.mark.parametrize("version", [-1, 3, 2**40])
def test_a_version_further_away_is_refused_with_both_versions(version: int) -> None:
    with pytest.raises(VersionMismatch, match=f"speaks version {version}, and this one 1"):
        decode_up(pack([version, "g1", 1, 1, 1, []]))
    with pytest.raises(VersionMismatch, match="update the older one"):
        decode_down(pack([version, 1, [["no message"]]]))


# Bounds

TOO_LARGE: list[Up | Down] = [
    LineTyped(1, 1, "x" * (wire.MAX_LINE + 1)),
    LineTyped(-1, 1, "x"),
    LineTyped(1, 2**53 + 1, "x"),
    MessageReceived(1, 1, "gmcp", "Char.Vitals", b"x" * (wire.MAX_BODY + 1)),
    MessageReceived(1, 1, "gmcp", "x" * 1025, b""),
    Arrived(1, "x" * 257, False, KnownFacts()),
    Arrived(1, "", False, KnownFacts(terminals=("x",) * 65)),
    FactsLearned(1, KnownFacts(facts={str(number): ("x", 1) for number in range(65)})),
    FactsLearned(1, KnownFacts(facts={"size": ((80, 24, 3), 1)})),
    FactsLearned(1, KnownFacts(packages={str(number): 1 for number in range(257)})),
    Departed(1, "x" * 65),
    Output([1], (TextSent("x" * (wire.MAX_TEXT + 1)),)),
    Output([1], (wire.CaughtUp(1, -2),)),
    Output([1], (Preferred({"x" * 65: ("x", 1)}),)),
    wire.NetworkBanned("x" * 65, "", 1.0),
    wire.TailGiven(1, -2, b""),
    wire.TailGiven(1, 0, bytes(wire.MAX_TAIL + 1)),
    wire.Listed({"NAME": "x" * 1025}),
]


@pytest.mark.parametrize("message", TOO_LARGE, ids=lambda message: type(message).__name__)
def test_a_field_past_its_bound_is_no_message(message: Any) -> None:
    unknown: list[int] = []
    if isinstance(message, get_args(Up)):
        assert decode_up(encode_up("g1", 1, 1, 1, [message])[0], unknown.append).messages == []
    else:
        assert decode_down(encode_down(1, [message])[0], unknown.append).messages == []
    assert unknown == [1]


def test_a_frame_past_the_bound_is_refused() -> None:
    with pytest.raises(WireError, match="the greatest has"):
        decode_up(bytes(MAX_FRAME + 1))


def test_many_messages_are_split_into_frames_within_the_bound() -> None:
    sent = [LineTyped(1, number, "x" * 60_000) for number in range(1, 600)]

    frames = encode_up("g1", 1, 1, 1, sent)

    assert len(frames) == 3
    assert max(map(len, frames)) <= MAX_FRAME
    assert [message for frame in frames for message in decode_up(frame, _never).messages] == sent


def test_a_frame_without_messages_names_its_gateway() -> None:
    (frame,) = encode_up("g1", 9, 0, 0, [])

    assert decode_up(frame, _never) == UpFrame(VERSION, "g1", 9, 0, 0, [])


def test_the_types_of_the_messages_survive_the_garbage_collector() -> None:
    for _ in range(3):
        gc.collect()
    (frame,) = encode_up("g1", 1, 1, 1, [FactsLearned(1, KnownFacts(facts={"size": ((80, 24), 1)}))])
    assert len(decode_up(frame, _never).messages) == 1


def _never(count: int) -> None:
    raise AssertionError(f"{count} messages were not understood")
