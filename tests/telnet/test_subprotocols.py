"""The codecs of subprotocols: messages as telnet bytes, telnet bytes as messages, and the answers in a client's place.

Many rows are from the mudstandards.org draft and from clients of Evennia 6, some of which expect something else; the
remark of the row says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.telnet import (
    DEFAULT_OPTIONS,
    Anomaly,
    AnomalyKind,
    GmcpReceived,
    GmcpSupports,
    Json,
    Line,
    NegotiationSettled,
    TelnetEngine,
    WindowResized,
)
from trio_mud.telnet.gmcp_messages import decode_gmcp
from trio_mud.telnet.options import Gmcp, Msp, Mssp, Mxp
from trio_mud.telnet.scanner import Scanner
from trio_mud.telnet.subprotocols import AsciiCodec, GmcpCodec, JsonCodec, Message, TerminalCodec
from trio_mud.testing.playbook import drain

CODECS = [TerminalCodec, AsciiCodec, GmcpCodec, JsonCodec]
EOR = b"\xff\xef"
TEXT, BINARY = True, False

every_codec = pytest.mark.parametrize("make", CODECS)


def gmcp(payload: str) -> bytes:
    return b"\xff\xfa\xc9" + payload.encode() + b"\xff\xf0"


def enveloped(**fields: object) -> bytes:
    return json.dumps(fields).encode()


# Messages of the client


@pytest.mark.parametrize("make", [TerminalCodec, GmcpCodec, JsonCodec])
@pytest.mark.parametrize(
    ("message", "heard"),
    [
        (b"look", b"look\r\n"),
        (b"look\n", b"look\n"),
        (b"look\r\n", b"look\r\n"),
        (b"look\r", b"look\r"),
        (b"one\ntwo", b"one\ntwo\r\n"),
        (b"  look  \n", b"  look  \n"),  # Evennia removes the blanks
        (b"   ", b"   \r\n"),  # Evennia drops it
        (b"", b"\r\n"),  # Evennia drops it; here, Enter alone is an empty line, as by telnet
        ("grün 世".encode(), "grün 世\r\n".encode()),
        (b"\xff\xfe", b"\xff\xff\xfe\r\n"),
        (b"\xff\xfd\x46look", b"\xff\xff\xfd\x46look\r\n"),  # DO MSSP, if the ff were not doubled
    ],
)
def test_a_binary_message_is_a_line(make: type[TerminalCodec], message: bytes, heard: bytes) -> None:
    assert make().hear(message, is_text=False) == heard


def test_a_text_message_of_a_terminal_is_a_line_too() -> None:
    assert TerminalCodec().hear(b"look", is_text=True) == b"look\r\n"


@pytest.mark.parametrize(
    "payload",
    [
        "Core.Ping",
        'Char.Vitals {"hp": 100}',
        "Char.X 0",
        "Char.X false",
        "Char.X null",
        'Char.X ["a", "b"]',
        "Char.X hello world",  # no JSON: the engine reports it as malformed
        "",
        'Char.X "ÿ"',
    ],
)
def test_a_text_message_of_gmcp_is_one_gmcp_message(payload: str) -> None:
    assert GmcpCodec().hear(payload.encode(), is_text=True) == gmcp(payload)


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        (enveloped(proto="text", id="", data="look around"), b"look around\r\n"),
        (enveloped(proto="text", data="a\nb"), b"a\nb\r\n"),
        (enveloped(proto="text", data="ÿ"), "ÿ\r\n".encode()),
        (enveloped(proto="text"), b"\r\n"),  # Evennia drops it; here, it is an empty line
        (enveloped(proto="gmcp", id="Core.Ping", data=""), gmcp("Core.Ping")),
        (enveloped(proto="gmcp", id="Core.Ping"), gmcp("Core.Ping")),
        (enveloped(proto="gmcp", id="Char.Vitals", data='{"hp": 100}'), gmcp('Char.Vitals {"hp": 100}')),
        (enveloped(proto="gmcp", id="Char.Vitals", data={"hp": 100}), gmcp('Char.Vitals {"hp":100}')),
        (enveloped(proto="gmcp", id="Char.X", data=False), gmcp("Char.X false")),
        (enveloped(proto="gmcp", id="A\0B", data=""), gmcp("A\0B")),  # the engine reports the name as malformed
        (enveloped(proto="telnet_31", data="AFAAGA=="), b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0"),
        (enveloped(proto="telnet_31", data="AP8A/w=="), b"\xff\xfa\x1f\x00\xff\xff\x00\xff\xff\xff\xf0"),
        (enveloped(proto="websocket_close", id="", data=""), b""),  # from Evennia's page, before it closes
    ],
)
def test_an_envelope_is_a_line_gmcp_or_the_size_of_a_window(message: bytes, heard: bytes) -> None:
    assert JsonCodec().hear(message, is_text=True) == heard


@pytest.mark.parametrize(
    "message",
    [
        b"not json",
        b"",
        b"[]",
        b"{}",
        b'{"id": "my_cmd", "data": "x"}',
        b'{"proto": 1}',
        b'{"proto": "text", "data": 1}',
        b'{"proto": "text", "data": {"a": 1}}',
        b'{"proto": "gmcp", "id": 1}',
        b'{"proto": "gmcp", "id": "X", "data": "\\ud800"}',
        b'{"proto": "gmcp", "id": "\\udc00"}',
        b'{"proto": "custom", "id": "my_cmd", "data": "{}"}',  # Evennia passes it on as a command
        b'{"proto": "telnet_31", "data": "AFAAGAA="}',
        b'{"proto": "telnet_31", "data": "AFA"}',
        b'{"proto": "telnet_31", "data": "!!!!"}',
        b'{"proto": "text", "data": "\xff"}',
        b'{"proto": "gmcp", "id": "X", "data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"proto": "gmcp", "id": "X", "data": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_malformed_envelope_counts_as_malformed_gmcp(message: bytes) -> None:
    heard = JsonCodec().hear(message, is_text=True)
    blanks = [payload.removesuffix(b"\xff\xf0") for payload in heard.split(b"\xff\xfa\xc9")[1:]]
    assert b"".join(blanks) == b" " * len(message)  # it costs as much as GMCP of its length
    assert max(map(len, blanks)) <= 4096
    assert all(isinstance(decode_gmcp(blank), Anomaly) for blank in blanks)


def test_keys_of_ascii_are_a_line_when_the_client_ends_it() -> None:
    codec = AsciiCodec()
    engine = TelnetEngine([])
    heard = [
        event for key in (b"l", b"o", b"", b"k\r", b"\n") for event in engine.receive(codec.hear(key, is_text=True))
    ]
    assert heard == [Line("lok")]


@every_codec
@given(message=st.binary(max_size=64), is_text=st.booleans())
def test_no_byte_of_a_message_begins_a_telnet_command(make: type[TerminalCodec], message: bytes, is_text: bool) -> None:
    recorder = Recorder()
    heard = make().hear(message, is_text=is_text)
    Scanner().receive(heard, recorder)
    assert recorder.commands == []
    assert recorder.codes <= ({201, 31} if make is JsonCodec else {201} if make is GmcpCodec else set())
    if make is TerminalCodec:
        assert recorder.text.removesuffix(b"\r\n") == message.removesuffix(b"\r\n")


class Recorder:
    """Collects what a scanner reports."""

    def __init__(self) -> None:
        self.text = b""
        self.commands: list[tuple[int, ...]] = []
        self.codes: set[int] = set()

    def heard_text(self, data: bytes) -> None:
        self.text += data

    def heard_command(self, code: int) -> None:
        self.commands.append((code,))

    def heard_negotiation(self, verb: int, code: int) -> None:
        self.commands.append((verb, code))

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        self.codes.add(code)

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        raise AssertionError(detail)

    def payload_limit(self, code: int) -> int:
        return 1 << 20


# Messages to the client

SAID: list[tuple[type[TerminalCodec], bytes, Sequence[tuple[bool, bytes]]]] = [
    (TerminalCodec, b"Hello \x1b[31mworld\x1b[0m\r\n", [(BINARY, b"Hello \x1b[31mworld\x1b[0m\r\n")]),
    (TerminalCodec, gmcp('Room.Info {"num":1}'), []),
    (TerminalCodec, b"HP: 100> " + EOR, [(BINARY, b"HP: 100> ")]),
    (TerminalCodec, b"a\xff\xffb", [(BINARY, b"a\xffb")]),
    (TerminalCodec, b"", []),
    (TerminalCodec, b"\xff\xfb\x01", []),  # WILL ECHO: it cannot hide its input, and does not answer
    (TerminalCodec, b"one" + EOR + b"two\r\n", [(BINARY, b"one"), (BINARY, b"two\r\n")]),
    (AsciiCodec, b"Hello\r\n> " + EOR, [(TEXT, b"Hello\r\n> ")]),
    (AsciiCodec, b"gr\xfcn\r\n", [(TEXT, "gr\N{REPLACEMENT CHARACTER}n\r\n".encode())]),  # the game chose Latin-1
    (GmcpCodec, b"Hello\r\n", [(BINARY, b"Hello\r\n")]),
    (GmcpCodec, b"HP: 100> " + EOR, [(BINARY, b"HP: 100> ")]),
    (GmcpCodec, gmcp("Core.Ping"), [(TEXT, b"Core.Ping")]),
    (
        GmcpCodec,
        b"one\r\n" + gmcp("Core.Ping") + b"two\r\n",
        [(BINARY, b"one\r\n"), (TEXT, b"Core.Ping"), (BINARY, b"two\r\n")],
    ),
    (JsonCodec, b"Hello\r\n", [(BINARY, b"Hello\r\n")]),
    (JsonCodec, b"HP: 100> " + EOR, [(TEXT, b'{"proto":"prompt","id":"","data":"HP: 100> "}')]),
    (JsonCodec, b"a\r\n> " + EOR, [(BINARY, b"a\r\n"), (TEXT, b'{"proto":"prompt","id":"","data":"> "}')]),
    (JsonCodec, EOR, []),
    (JsonCodec, gmcp("Core.Ping"), [(TEXT, b'{"proto":"gmcp","id":"Core.Ping","data":""}')]),
    (
        JsonCodec,
        gmcp('Char.Vitals {"hp":100}'),
        [(TEXT, b'{"proto":"gmcp","id":"Char.Vitals","data":"{\\"hp\\":100}"}')],
    ),
]


@pytest.mark.parametrize(("make", "data", "said"), SAID)
def test_text_prompts_and_gmcp_become_messages_in_order(
    make: type[TerminalCodec], data: bytes, said: Sequence[tuple[bool, bytes]]
) -> None:
    assert make().say(data) == said


@every_codec
@given(cuts=st.lists(st.integers(0, 60), max_size=4))
def test_however_output_is_cut_the_text_and_the_gmcp_are_the_same(make: type[TerminalCodec], cuts: list[int]) -> None:
    data = "Grün 世界 👩\r\n> ".encode() + EOR + gmcp('Char.Vitals {"hp":"ü"}') + b"a\xff\xffb\r\n"
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    codec = make()
    cut = [message for at, end in pairwise(places) for message in codec.say(data[at:end])]
    whole = make().say(data)
    assert shown(cut) == shown(whole)
    for message in cut:
        if message.is_text or b"\xff" not in message.payload:
            message.payload.decode()  # no character is divided between two messages


def shown(messages: Sequence[Message]) -> tuple[str, list[Any]]:
    """Return all text that messages show, with a prompt in its place, and the GMCP among them."""
    text, beside = b"", []
    for is_text, payload in messages:
        if is_text and payload.startswith(b"{"):
            envelope = json.loads(payload)
            if envelope["proto"] == "prompt":
                text += envelope["data"].encode()
            else:
                beside.append(envelope)
        elif is_text and payload.startswith(b"Char"):
            beside.append(payload)
        else:
            text += payload
    return text.decode(errors="replace"), beside


def test_the_beginning_of_a_character_is_kept_until_its_end_follows_or_the_prompt_ends() -> None:
    codec = TerminalCodec()
    assert codec.say(b"\xe4\xb8") == []
    assert codec.say(b"\x96!") == [(BINARY, "世!".encode())]
    assert codec.say(b"\xe4" + EOR) == [(BINARY, b"\xe4")]
    assert codec.say(b"\xf0\x9f\x91") == []
    assert codec.say(b"\xff\xef") == [(BINARY, b"\xf0\x9f\x91")]
    assert codec.say(b"\x96\x96\x96") == [(BINARY, b"\x96\x96\x96")]  # no beginning of a character among them


# In the client's place


def converse(codec: TerminalCodec, engine: TelnetEngine) -> list[object]:
    """Pass a codec's greeting to an engine and the answers back; return the events."""
    engine.tick(0)
    codec.say(drain(engine))
    events: list[object] = [*engine.receive(codec.greeting), *engine.tick(0.01)]
    codec.say(drain(engine))
    return events


@every_codec
def test_the_greeting_answers_every_offer_at_once_and_nothing_is_answered_in_turn(make: type[TerminalCodec]) -> None:
    engine = TelnetEngine([*DEFAULT_OPTIONS, Mxp(), Msp(), Mssp(dict)])
    events = converse(make(), engine)
    assert any(isinstance(event, NegotiationSettled) for event in events)
    assert not any(isinstance(event, Anomaly) for event in events)
    assert not engine.negotiation.is_asking
    assert not engine.has_data_to_send
    assert engine.prompt_mark == EOR
    assert engine.is_ours(201) is issubclass(make, GmcpCodec)


@every_codec
def test_an_engine_without_options_refuses_the_greeting_in_few_bytes(make: type[TerminalCodec]) -> None:
    engine = TelnetEngine([])
    engine.receive(make().greeting)
    assert len(drain(engine)) <= 9
    assert engine.receive(make().hear(b"look\n", is_text=False))[-1] == Line("look")


@pytest.mark.parametrize("make", [GmcpCodec, JsonCodec])
def test_a_client_gets_the_usual_packages_until_it_names_its_own(make: type[GmcpCodec]) -> None:
    engine, codec = TelnetEngine(), make()
    converse(codec, engine)
    option = engine.option(Gmcp)
    assert option is not None
    assert option.supports("Char.Vitals")
    named = 'Core.Supports.Set ["Room 1"]'
    message = named.encode() if make is GmcpCodec else enveloped(proto="gmcp", id=named[:17], data=named[18:])
    assert engine.receive(codec.hear(message, is_text=True)) == [GmcpSupports({"room": 1})]
    assert not option.supports("Char.Vitals")


def test_a_size_in_an_envelope_resizes_the_window() -> None:
    engine, codec = TelnetEngine(), JsonCodec()
    converse(codec, engine)
    message = enveloped(proto="telnet_31", data="AFAAGA==")
    assert engine.receive(codec.hear(message, is_text=True)) == [WindowResized(80, 24)]


@pytest.mark.parametrize(
    ("make", "message"),
    [(GmcpCodec, b"Char.X hello world"), (GmcpCodec, b""), (JsonCodec, b"no json"), (JsonCodec, b"{}")],
)
def test_the_engine_counts_a_malformed_message_as_harmless_and_charges_for_it(
    make: type[GmcpCodec], message: bytes
) -> None:
    engine, codec = TelnetEngine(), make()
    converse(codec, engine)
    engine.take_cost()
    (event,) = engine.receive(codec.hear(message, is_text=True))
    assert isinstance(event, Anomaly)
    assert event.kind.is_harmless
    assert engine.take_cost() >= 256


@pytest.mark.parametrize("make", [GmcpCodec, JsonCodec])
@pytest.mark.parametrize("package", ["Core.Ping", 'Char.Value {"hp":100}'])
def test_gmcp_to_the_client_reads_the_same_when_it_is_sent_back(make: type[GmcpCodec], package: str) -> None:
    codec = make()
    ((is_text, payload),) = codec.say(gmcp(package))
    assert codec.hear(payload, is_text=is_text) == gmcp(package)


@given(name=st.from_regex(r"[A-Za-z.]{1,20}", fullmatch=True), data=st.dictionaries(st.text(), st.integers(0, 9)))
def test_gmcp_data_means_the_same_in_a_string_and_as_an_object(name: str, data: dict[str, Json]) -> None:
    engine, codec = TelnetEngine(), JsonCodec()
    converse(codec, engine)
    heard = [
        engine.receive(codec.hear(enveloped(proto="gmcp", id=f"X.{name}", data=way), is_text=True))
        for way in (data, json.dumps(data))
    ]
    assert heard == [[GmcpReceived(f"X.{name}", data)]] * 2
