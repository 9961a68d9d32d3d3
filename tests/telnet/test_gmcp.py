"""GMCP as bytes in both directions, the greetings of clients, and JSON that must do no harm."""

import json
import math
import traceback

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud.telnet import (
    Anomaly,
    AnomalyKind,
    ClientHello,
    GmcpReceived,
    GmcpSupports,
    Json,
    MsdpReceived,
    TelnetEngine,
    TelnetEvent,
)
from trio_mud.telnet.gmcp_messages import decode_gmcp, encode_gmcp
from trio_mud.telnet.json_bounds import MAX_DEPTH, MAX_NUMBER, MAX_VALUES, fault_of
from trio_mud.telnet.options import Gmcp, Msdp
from trio_mud.testing.playbook import Playbook, check_every_split, converse, drain


def agreed(*options: Gmcp | Msdp) -> TelnetEngine:
    """Return an engine whose peer has sent DO GMCP, and has received nothing since."""
    engine = TelnetEngine(options or (Gmcp(),), settle_within=None)
    engine.receive(b"\xff\xfd\xc9")
    drain(engine)
    return engine


def gmcp() -> Playbook:
    return Playbook(agreed())


def said(message: bytes) -> bytes:
    return b"\xff\xfa\xc9" + message + b"\xff\xf0"


def option_of(engine: TelnetEngine) -> Gmcp:
    option = engine.option(Gmcp)
    assert option is not None
    return option


def malformed(what: str) -> Anomaly:
    return Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"GMCP: {what}")


# What the client sends


def test_gmcp_is_offered_and_agreed() -> None:
    playbook = Playbook(TelnetEngine([Gmcp()])).says("IAC WILL GMCP")
    playbook.engine.receive(b"\xff\xfd\xc9")
    playbook.says(b"")
    assert playbook.engine.is_ours(201)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b'Char.Skills.Get {"group": "magic"}', GmcpReceived("Char.Skills.Get", {"group": "magic"})),
        (b"Char.Items.Inv", GmcpReceived("Char.Items.Inv", None)),
        (b"Char.Items.Inv ", GmcpReceived("Char.Items.Inv", None)),
        (b"Char.Items.Inv \r\n", GmcpReceived("Char.Items.Inv", None)),
        (b'Char.Items.Contents "1234"', GmcpReceived("Char.Items.Contents", "1234")),
        (b"char.items.contents  1234 ", GmcpReceived("char.items.contents", 1234)),
        (b"A [1, 2.5, true, false, null, {}]", GmcpReceived("A", [1, 2.5, True, False, None, {}])),
        (b'A_1.b-c "n\xc3\xa9 \\u6728 \\ud83c\\udf81"', GmcpReceived("A_1.b-c", "né 木 \U0001f381")),
        (b'A {"a": 1, "a": 2}', GmcpReceived("A", {"a": 2})),
        (b"x" * 64, GmcpReceived("x" * 64, None)),
        (b"Core.Redirect 1", GmcpReceived("Core.Redirect", 1)),
    ],
)
def test_a_package_of_the_game_is_reported(message: bytes, expected: GmcpReceived) -> None:
    gmcp().hears(said(message), expected).says(b"")
    check_every_split(said(message), agreed)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (b"", "a name of 0 bytes"),
        (b" {}", "a name of 0 bytes"),
        (b"x" * 65, "a name of 65 bytes"),
        (b"Char/Vitals {}", "a name of 11 bytes"),
        (b'Core.Hello{"client":"Mudlet"}', "a name of 29 bytes"),
        (b"n\xc3\xa9 {}", "a name of 3 bytes"),
        (b"A\n {}", "a name of 2 bytes"),
        (b"A hello", "not JSON"),
        (b'A {"a": }', "not JSON"),
        (b'A {"a": 1', "not JSON"),
        (b"A 1 2", "not JSON"),
        (b"A [1,]", "not JSON"),
        (b"A {'a': 1}", "not JSON"),
        (b"A NaN", "not JSON"),
        (b"A [Infinity]", "not JSON"),
        (b"A -Infinity", "not JSON"),
        (b"A 1e400", "not JSON"),
        (b'A "\\ud800"', "not JSON"),
        (b'A "\\ud800 and more"', "not JSON"),
        (b'A {"\\udfff": 1}', "not JSON"),
        (b'A "\xed\xa0\x80"', "not JSON"),
        (b'A "\xff\xff"', "not JSON"),
        (b'A "caf\xe9"', "not JSON"),
        (b'A "a\nb"', "not JSON"),
        (b"A " + b"1" * 33, "a number of over 32 characters"),
        (b"A [0." + b"1" * 5000 + b"]", "a number of over 32 characters"),
        (b"A " + b"9" * 5000, "a number of over 32 characters"),
        (b"A " + b"[" * 33 + b"]" * 33, "over 32 deep"),
        (b"A " + b'{"a":' * 33 + b"1" + b"}" * 33, "over 32 deep"),
        (b"A " + b"[" * 60_000, "over 4096 values"),
        (b"A [" + b"[]," * 5000 + b"1]", "over 4096 values"),
    ],
)
def test_what_is_no_message_is_an_anomaly(message: bytes, what: str) -> None:
    gmcp().hears(said(message), malformed(what)).says(b"")


def test_a_hundred_thousand_brackets_do_not_even_fit() -> None:
    oversized = Anomaly(AnomalyKind.OVERSIZED_SUBNEGOTIATION, "over 65536 bytes for option 201")
    gmcp().hears(said(b"A " + b"[" * 100_000), oversized)
    assert isinstance(decode_gmcp(b"A " + b"[" * 100_000), Anomaly)


def test_a_message_of_64_kib_is_taken() -> None:
    text = "x" * (64 * 1024 - 4)
    gmcp().hears(said(b'A "' + text.encode() + b'"'), GmcpReceived("A", text))


def test_a_message_before_agreement_is_unexpected() -> None:
    playbook = Playbook(TelnetEngine([Gmcp()]))
    playbook.hears(said(b"A 1"), Anomaly(AnomalyKind.UNEXPECTED_SUBNEGOTIATION, "GMCP is not on"))


# Core


def test_mudlet_greets_in_one_segment_before_it_can_have_heard_of_us() -> None:
    greeting = (
        b"\xff\xfd\xc9\xff\xfd\x45"
        + said(b'Core.Hello { "client": "Mudlet", "version": "4.17.2" }')
        + said(b'Core.Supports.Set [ "Char 1", "Char.Skills 1", "Room 1", "IRE.Rift 1", "Client.Media 1" ]')
        + said(b'External.Discord.Hello {"private": false}')
        + b"\xff\xfa\x45\x01LIST\x02COMMANDS\xff\xf0"
    )

    def new_engine() -> TelnetEngine:
        return TelnetEngine([Gmcp(), Msdp()])

    events, sent = converse(new_engine(), greeting)

    packages = {"char": 1, "char.skills": 1, "room": 1, "ire.rift": 1, "client.media": 1}
    assert [
        ClientHello("Mudlet", "4.17.2"),
        GmcpSupports(packages),
        GmcpReceived("External.Discord.Hello", {"private": False}),
    ] == [event for event in events if isinstance(event, ClientHello | GmcpSupports | GmcpReceived | Anomaly)]
    offers = b"\xff\xfb\xc9\xff\xfb\x45"
    commands = b"\x02LIST\x02REPORT\x02RESET\x02SEND\x02UNREPORT"
    assert sent == offers + b"\xff\xfa\x45\x01COMMANDS\x02\x05" + commands + b"\x06\xff\xf0"
    check_every_split(greeting, new_engine)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"client": "Mudlet", "version": "4.17.2"}', ClientHello("Mudlet", "4.17.2")),
        (b'{"Client": "BeipMU", "VERSION": "4.00"}', ClientHello("BeipMU", "4.00")),
        (b'{"client": "Mudlet"}', ClientHello("Mudlet", "")),
        (b'{"version": 4.5}', ClientHello("", "4.5")),
        (b'{"client": "", "more": [1]}', ClientHello("", "")),
        (b"", ClientHello("", "")),
        (b"{}", ClientHello("", "")),
        (b'{"client": "' + b"x" * 64 + b'"}', ClientHello("x" * 64, "")),
        (b'{"client": "' + b"x" * 65 + b'"}', malformed("a hello without a short name and version")),
        (b'{"client": "\\u001b[31m"}', malformed("a hello without a short name and version")),
        (b'{"client": 7}', ClientHello("7", "")),
        (b'{"client": null}', malformed("a hello without a short name and version")),
        (b'{"client": "a", "version": [1]}', malformed("a hello without a short name and version")),
        (b'"Mudlet"', malformed("a hello that is no object")),
        (b"[]", malformed("a hello that is no object")),
    ],
)
def test_a_hello_names_the_program(data: bytes, expected: TelnetEvent) -> None:
    gmcp().hears(said(b"Core.Hello " + data), expected)


def test_a_hello_may_be_repeated_but_not_for_ever() -> None:
    playbook = gmcp()
    for number in range(4):
        playbook.hears(said(b'core.hello {"client": "C%d"}' % number), ClientHello(f"C{number}", ""))
    playbook.hears(said(b'core.hello {"client": "C5"}')).hears(said(b"core.hello 1"))


def test_supported_packages_are_set_added_and_removed() -> None:
    playbook = gmcp()
    playbook.hears(said(b'Core.Supports.Set ["Char 1", "Room  2"]'), GmcpSupports({"char": 1, "room": 2}))
    playbook.hears(said(b'Core.Supports.Add ["IRE.Rift 1"]'), GmcpSupports({"char": 1, "room": 2, "ire.rift": 1}))
    playbook.hears(said(b'CORE.SUPPORTS.ADD ["room 3"]'), GmcpSupports({"char": 1, "room": 3, "ire.rift": 1}))
    playbook.hears(said(b'Core.Supports.Remove ["Char", "Comm 1"]'), GmcpSupports({"room": 3, "ire.rift": 1}))
    playbook.hears(said(b'Core.Supports.Remove ["Char"]'))
    playbook.hears(said(b'Core.Supports.Set ["Char", " Room 1 "]'), GmcpSupports({"char": 1, "room": 1}))
    assert option_of(playbook.engine).packages == {"char": 1, "room": 1}
    playbook.hears(said(b"Core.Supports.Set []"), GmcpSupports({}))
    playbook.hears(said(b'Core.Supports.Add "Char 1"'), GmcpSupports({"char": 1}))


@pytest.mark.parametrize("entry", [b"1", b"null", b'""', b'"Char x"', b'"Char 0"', b'"Ch ar 1"', b'"a/b 1"', b"[]"])
def test_an_unreadable_package_costs_itself_only(entry: bytes) -> None:
    playbook = gmcp()
    unreadable = malformed("a package that cannot be read")
    message = b'Core.Supports.Set ["Char 1", ' + entry + b", " + entry + b', "Room 1"]'
    playbook.hears(said(message), GmcpSupports({"char": 1, "room": 1}), unreadable)


def test_supported_packages_are_bounded() -> None:
    playbook = gmcp()
    names = [f"P{number} 1" for number in range(200)]
    expected = GmcpSupports({f"p{number}": 1 for number in range(128)})
    message = said(b"Core.Supports.Set " + json.dumps(names).encode())
    playbook.hears(message, expected, malformed("over 128 packages"))
    expected = GmcpSupports({**expected.packages, "p0": 2})
    playbook.hears(said(b'Core.Supports.Add ["P0 2", "Q 1"]'), expected, malformed("over 128 packages"))


def test_what_is_supported_covers_what_lies_below_it() -> None:
    engine = agreed()
    option = option_of(engine)
    assert option.supports("Core")
    assert option.supports("core.ping")
    assert not option.supports("Corelli")
    assert not option.supports("Char.Vitals")
    assert not option.supports("")
    engine.receive(said(b'Core.Supports.Set ["Char 1", "Room.Info 1"]'))
    option = option_of(engine)
    assert option.supports("Char")
    assert option.supports("Char.Vitals")
    assert option.supports("CHAR.items.inv")
    assert option.supports("Room.Info")
    assert not option.supports("Room")
    assert not option.supports("Room.Players")
    assert not option.supports("Character")


def test_what_is_supported_is_forgotten_when_gmcp_goes_off() -> None:
    engine = agreed()
    engine.receive(said(b'Core.Supports.Set ["Char 1"]'))
    assert option_of(engine).send(engine, "Char.Vitals")
    engine.receive(b"\xff\xfe\xc9")
    drain(engine)
    assert not option_of(engine).send(engine, "Char.Vitals")
    assert not option_of(engine).send(engine, "Core.Ping")
    engine.receive(b"\xff\xfd\xc9")
    assert not option_of(engine).send(engine, "Char.Vitals")
    Playbook(engine).says("IAC WILL GMCP")


def test_a_ping_is_answered_without_data() -> None:
    gmcp().hears(said(b"Core.Ping")).says(said(b"Core.Ping")).hears(said(b"core.ping 120")).says(said(b"Core.Ping"))


def test_eight_pings_are_answered_in_ten_seconds() -> None:
    playbook = gmcp()
    for now in (0.0, 100.0):
        playbook.engine.tick(now)
        playbook.hears(said(b"Core.Ping") * 5).hears(said(b"Core.Ping") * 5).says(said(b"Core.Ping") * 8)
        assert playbook.engine.next_deadline == -math.inf
        playbook.engine.tick(now)
        assert playbook.engine.next_deadline == now + 10.0
        playbook.engine.tick(now + 9.9)
        playbook.hears(said(b"Core.Ping")).says(b"")
        playbook.engine.tick(now + 10.0)
        assert playbook.engine.next_deadline is None


@pytest.mark.parametrize("message", [b"Core.KeepAlive", b"core.keepalive {}", b'Core.Goodbye "bye"'])
def test_keepalive_and_goodbye_ask_for_nothing(message: bytes) -> None:
    gmcp().hears(said(message)).says(b"")


# What we send


def test_a_package_is_sent_if_it_is_supported() -> None:
    playbook = gmcp()
    engine, option = playbook.engine, option_of(playbook.engine)
    assert not option.send(engine, "Char.Vitals", {"hp": 42})
    playbook.says(b"").hears(said(b'Core.Supports.Set ["Char 1"]'), GmcpSupports({"char": 1}))
    assert option.send(engine, "Char.Vitals", {"hp": 42, "name": "Né"})
    playbook.says(b"\xff\xfa\xc9" + 'Char.Vitals {"hp":42,"name":"Né"}'.encode() + b"\xff\xf0")
    assert option.send(engine, "Char.Items.List")
    playbook.says(said(b"Char.Items.List"))
    assert option.send(engine, "Char.Name", None)
    playbook.says(said(b"Char.Name null"))


def test_a_package_that_clients_never_declare_may_be_sent_all_the_same() -> None:
    playbook = gmcp()
    engine, option = playbook.engine, option_of(playbook.engine)
    assert not option.send(engine, "Client.GUI", {"version": "1"})
    assert option.send(engine, "Client.GUI", {"version": "1"}, undeclared=True)
    playbook.says(said(b'Client.GUI {"version":"1"}'))


def test_nothing_is_sent_before_agreement() -> None:
    engine = TelnetEngine([Gmcp()])
    drain(engine)
    assert not option_of(engine).send(engine, "Core.Ping")
    assert not option_of(engine).send(engine, "Client.GUI", undeclared=True)
    assert not option_of(engine).accepts(engine, "Core.Ping")
    assert drain(engine) == b""


def test_many_clients_may_share_one_encoded_message() -> None:
    encoded = encode_gmcp("Comm.Channel.Text", {"channel": "say"})
    for _ in range(2):
        engine = agreed()
        engine.receive(said(b'Core.Supports.Set ["Comm.Channel 1"]'))
        assert option_of(engine).accepts(engine, "Comm.Channel.Text")
        engine.send_encoded(encoded)
        assert engine.data_to_send() is encoded


def test_ready_made_json_is_escaped_for_telnet() -> None:
    assert encode_gmcp("A", msgspec.Raw(b"\xff")) == b"\xff\xfa\xc9A \xff\xff\xff\xf0"


@pytest.mark.parametrize("name", ["", "Char Vitals", "Né", "a\n", "x" * 65, "a\xff", "\ud800"])
def test_a_name_that_no_package_has_is_a_mistake_of_ours_even_if_nobody_listens(name: str) -> None:
    engine = TelnetEngine([Gmcp()])
    with pytest.raises(ValueError, match="cannot name a GMCP package"):
        option_of(engine).send(engine, name)
    with pytest.raises(ValueError, match="cannot name a GMCP package"):
        encode_gmcp(name, 1)


def test_what_json_cannot_say_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError):
        encode_gmcp("A", object())
    with pytest.raises(ValueError, match="surrogates"):
        encode_gmcp("A", "\ud800")


# MSDP inside GMCP


def test_msdp_inside_gmcp_is_answered_inside_gmcp() -> None:
    playbook = Playbook(agreed(Gmcp(), Msdp(["HEALTH", "ROOM"])))
    engine = playbook.engine
    playbook.hears(said(b'MSDP {"LIST": "REPORTABLE_VARIABLES"}'))
    playbook.says(said(b'MSDP {"REPORTABLE_VARIABLES":["HEALTH","ROOM"]}'))
    playbook.hears(said(b'msdp {"REPORT": ["HEALTH", "ROOM"]}'), MsdpReceived("REPORT", ["HEALTH", "ROOM"]))
    option = engine.option(Msdp)
    assert option is not None
    assert option.report(engine, "HEALTH", 42)
    assert option.report(engine, "ROOM", {"NAME": "Ford", "EXITS": ["n", "s"]})
    playbook.says(said(b'MSDP {"HEALTH":"42"}') + said(b'MSDP {"ROOM":{"NAME":"Ford","EXITS":["n","s"]}}'))
    playbook.hears(
        said(b'MSDP {"VOLUME": 7.5, "MUTE": true}'), MsdpReceived("VOLUME", "7.5"), MsdpReceived("MUTE", "1")
    )


def test_msdp_inside_gmcp_is_ignored_if_there_is_nothing_to_report() -> None:
    for engine in (agreed(), agreed(Gmcp(), Msdp())):
        Playbook(engine).hears(said(b'MSDP {"LIST": "COMMANDS"}')).hears(said(b"MSDP 1")).says(b"")


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"1", "GMCP: MSDP that is no object"),
        (b'{"": 1}', "MSDP: inside GMCP what MSDP could not say"),
        (b'{"a": {"": 1}}', "MSDP: inside GMCP what MSDP could not say"),
        (b'{"a": ' + b"[" * 17 + b"]" * 17 + b"}", "MSDP: inside GMCP what MSDP could not say"),
        (json.dumps({f"V{number}": 1 for number in range(65)}).encode(), "MSDP: over 64 variables"),
    ],
)
def test_msdp_inside_gmcp_has_the_bounds_of_both(data: bytes, detail: str) -> None:
    playbook = Playbook(agreed(Gmcp(), Msdp(["HEALTH"])))
    playbook.hears(said(b"MSDP " + data), Anomaly(AnomalyKind.MALFORMED_PAYLOAD, detail)).says(b"")


# Passwords


CANARY = "correct-horse-battery"


@pytest.mark.parametrize("package", ["Char.Login.Credentials", "char.login.credentials", "CHAR.LOGIN"])
def test_a_password_does_not_show(package: str) -> None:
    message = f'{package} {{"account": "ann", "password": "{CANARY}"}}'.encode()
    (event,) = agreed().receive(said(message))
    assert event == GmcpReceived(package, {"account": "ann", "password": CANARY})
    assert repr(event) == f"GmcpReceived('{package}', hidden)"
    with pytest.raises(AttributeError) as failure:
        event.data = None  # type: ignore[misc, union-attr]
    assert CANARY not in "".join(traceback.format_exception(failure.value))


@pytest.mark.parametrize("tail", ['"', "\\ud800", "\udcff", '", "b": NaN', '", "b": ' + "[" * 50, '", ' + "1" * 40])
def test_a_password_in_a_broken_message_does_not_show(tail: str) -> None:
    message = f'Char.Login.Credentials {{"password": "{CANARY}{tail}'.encode("utf-8", "surrogateescape")
    for data in (message, f"Char.Login.{CANARY}/ 1".encode()):
        (event,) = agreed().receive(said(data.replace(b"\xff", b"\xff\xff")))
        assert isinstance(event, Anomaly)
        assert CANARY not in repr(event)


def test_other_messages_show_their_beginning() -> None:
    assert repr(GmcpReceived("Char.Vitals", {"hp": 1})) == "GmcpReceived('Char.Vitals', {'hp': 1})"
    large: Json = {"x" * 1000: ["y" * 1000, [[[[1]]]], 10**31] * 100, "z": {"a" * 40: "b" * 40, "c" * 40: "d" * 40}}
    assert len(repr(GmcpReceived("A", large))) < 250


# Bounds


_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=60,
)  # fmt: skip


@given(_json)
def test_any_bounded_json_arrives_as_it_was_sent(data: Json) -> None:
    engine = agreed()
    assert engine.receive(encode_gmcp("Round.Trip", data)) == [GmcpReceived("Round.Trip", data)]


@given(st.binary())
@example(b"A " + b"[" * 70_000)
@example(b"A " + b'"\\' * 30_000)
def test_no_bytes_raise(payload: bytes) -> None:
    assert isinstance(decode_gmcp(payload), GmcpReceived | Anomaly)
    assert isinstance(decode_gmcp(b"A " + payload), GmcpReceived | Anomaly)


@given(st.lists(st.sampled_from(["{", "}", "[", "]", ",", '"', "\\", '\\"', "\\\\", "1", "e", "-", ":", " ", "a"])))
def test_nothing_that_looks_like_json_raises(pieces: list[str]) -> None:
    engine = agreed()
    payload = ("A " + "".join(pieces)).encode()
    events = engine.receive(said(payload)) + engine.receive(said(b"Core.Supports.Add " + payload[2:]))
    assert all(isinstance(event, GmcpReceived | GmcpSupports | Anomaly) for event in events)


@given(st.lists(st.sampled_from(["[", "]", "{", "}", ",", '"', "\\", '"[', "1" * 20]), max_size=200).map("".join))
def test_what_passes_the_bounds_lies_no_deeper_than_they_say(text: str) -> None:
    if fault_of(text.encode() + b" " * MAX_VALUES) is None:
        depth = deepest = 0
        is_in_string = is_escaped = False
        for character in text:
            if is_in_string:
                is_in_string = is_escaped or character != '"'
                is_escaped = character == "\\" and not is_escaped
            elif character == "\\":
                break  # Here a decoder stops.
            else:
                is_in_string = character == '"'
                depth += (character in "[{") - (character in "]}")
                deepest = max(depth, deepest)
        assert deepest <= MAX_DEPTH


@pytest.mark.parametrize("filling", [" ", " " * MAX_VALUES], ids=["small", "large"])
def test_json_at_the_bounds_passes(filling: str) -> None:
    for text in (
        "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH,
        "[[],[]," * 10 + "1" + "]" * 10,
        json.dumps("[" * 100 + "1" * 100 + '\\"[{"' * 100 + "," * 5000),
        json.dumps({"[" * 100: "\\"}),
        "[" + "0," * (MAX_VALUES - 2) + "0]",
        "1" * MAX_NUMBER,
    ):
        assert fault_of((text + filling).encode()) is None
        assert isinstance(decode_gmcp(b"A " + (text + filling).encode()), GmcpReceived)
