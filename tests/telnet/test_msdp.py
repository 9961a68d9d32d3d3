"""MSDP as bytes in both directions: its grammar, its six commands, and the limits on a client's requests."""

import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud.telnet import Anomaly, AnomalyKind, MsdpReceived, MsdpValue, TelnetEngine
from trio_mud.telnet.msdp_messages import Sendable, decode_msdp, encode_msdp
from trio_mud.telnet.options import Msdp
from trio_mud.testing.playbook import Playbook, check_every_split, drain

# The marks, by the names that the specification gives them.
VAR, VAL, TABLE_OPEN, TABLE_CLOSE, ARRAY_OPEN, ARRAY_CLOSE = (bytes((mark,)) for mark in range(1, 7))


def agreed(option: Msdp | None = None) -> TelnetEngine:
    """Return an engine whose peer has sent DO MSDP, and has received nothing since."""
    engine = TelnetEngine([option or Msdp()], settle_within=None)
    engine.receive(b"\xff\xfd\x45")
    drain(engine)
    return engine


def msdp(*reportable: str) -> Playbook:
    return Playbook(agreed(Msdp(reportable)))


def said(message: bytes) -> bytes:
    return b"\xff\xfa\x45" + message + b"\xff\xf0"


def asks(command: bytes, *names: bytes) -> bytes:
    return said(VAR + command + b"".join(VAL + name for name in names))


def array(*members: str) -> bytes:
    return ARRAY_OPEN + b"".join(VAL + member.encode() for member in members) + ARRAY_CLOSE


def option_of(engine: TelnetEngine) -> Msdp:
    option = engine.option(Msdp)
    assert option is not None
    return option


def malformed(what: str) -> Anomaly:
    return Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"MSDP: {what}")


# The grammar


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", []),
        (b"\x01SOUND\x02on", [MsdpReceived("SOUND", "on")]),
        (b"\x01SOUND\x02", [MsdpReceived("SOUND", "")]),
        (b"\x01A\x02n\xc3\xa9", [MsdpReceived("A", "né")]),
        (b"\x01A\x02caf\xe9", [MsdpReceived("A", "caf\ufffd")]),
        # Mudlet 4.20
        (
            b"\x01CLIENT\x02Mudlet\x01VERSION\x024.20.0",
            [MsdpReceived("CLIENT", "Mudlet"), MsdpReceived("VERSION", "4.20.0")],
        ),
        (b"\x01A\x021\x022", [MsdpReceived("A", ["1", "2"])]),
        (b"\x01A\x02\x05\x021\x022\x06", [MsdpReceived("A", ["1", "2"])]),
        (b"\x01A\x02\x05\x06", [MsdpReceived("A", [])]),
        (b"\x01A\x02\x03\x04", [MsdpReceived("A", {})]),
        (b"\x01A\x02\x03\x01x\x021\x01y\x02\x05\x022\x06\x04", [MsdpReceived("A", {"x": "1", "y": ["2"]})]),
        (b"\x01A\x02\x03\x01x\x021\x01x\x022\x04", [MsdpReceived("A", {"x": "2"})]),
        (b"\x01A\x02\x03\x01x\x021\x022\x04", [MsdpReceived("A", {"x": ["1", "2"]})]),
        (b"\x01A\x02\x05\x06\x02b\x01C\x02", [MsdpReceived("A", [[], "b"]), MsdpReceived("C", "")]),
        (
            b"\x01A\x02" + b"\x05\x02" * 15 + b"\x05\x06" + b"\x06" * 15,
            [MsdpReceived("A", [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]])],
        ),
        (VAR + b"x" * 64 + VAL, [MsdpReceived("x" * 64, "")]),
    ],
)
def test_variables_are_reported(payload: bytes, expected: list[MsdpReceived]) -> None:
    msdp().hears(said(payload), *expected).says(b"")
    check_every_split(said(payload), agreed)


_BRACKET = "a text behind a bracket"
_END = "a table or an array that does not end"
_STRAY = "a value without a variable, or an end without a beginning"


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (b"SOUND", "does not begin with a variable"),
        (b"\x02on", "does not begin with a variable"),
        (b"\x04", "does not begin with a variable"),
        (b"\x01", "a name of 0 bytes"),
        (b"\x01\x02on", "a name of 0 bytes"),
        (b"\x01" + b"x" * 65 + b"\x02", "a name of 65 bytes"),
        (b"\x01A", "a variable without a value"),
        (b"\x01A\x01B\x02", "a variable without a value"),
        (b"\x01A\x03\x04", "a variable without a value"),
        (b"\x01A\x02x\x03\x04", "a text before a table or an array"),
        (b"\x01A\x02\x03x\x04", _BRACKET),
        (b"\x01A\x02\x03\x04x", _BRACKET),
        (b"\x01A\x02\x05x\x06", _BRACKET),
        (b"\x01A\x02\x03", _END),
        (b"\x01A\x02\x05", _END),
        (b"\x01A\x02\x05\x04", _END),
        (b"\x01A\x02\x03\x06", _END),
        (b"\x01A\x02\x03\x02x\x04", _END),
        (b"\x01A\x02\x05\x01B\x02\x06", _END),
        (b"\x01A\x02x\x04", _STRAY),
        (b"\x01A\x02x\x06\x01B\x02", _STRAY),
        (b"\x01A\x02\x03\x01\x02\x04", "a name of 0 bytes"),
        (b"\x01A\x02\x03\x01x\x04", "a variable without a value"),
        (b"\x01A\x02a\0b", "00 or ff in a text"),
        (b"\x01A\x02a\xff\xffb", "00 or ff in a text"),
        (b"\x01A\x02" + b"\x05\x02" * 17, "over 16 deep"),
        (b"\x01A\x02" + b"\x03\x01x\x02" * 17, "over 16 deep"),
        # Several values of one variable are an array, and lie deeper by that.
        (b"\x01A\x02x\x02" + b"\x05\x02" * 16 + b"x" + b"\x06" * 16, "over 16 deep"),
        (b"\x01A\x02" + b"\x03\x01x\x02y\x02" * 9 + b"z" + b"\x04" * 9, "over 16 deep"),
        (b"\x01A\x02" + b"\x03" * 60_000, "over 4096 marks"),
        (b"\x01A" + b"\x02" * 4096, "over 4096 marks"),
        (b"\x01A\x02" * 65, "over 64 variables"),
    ],
)
def test_what_leaves_the_grammar_is_an_anomaly(payload: bytes, what: str) -> None:
    msdp().hears(said(payload), malformed(what)).says(b"")
    if len(payload) < 100:
        check_every_split(said(payload), agreed)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("né", b"n\xc3\xa9"),
        ("", b""),
        (None, b""),
        (42, b"42"),
        (-1.5, b"-1.5"),
        (True, b"1"),
        (False, b"0"),
        ("a\0\1\2\3\4\5\6\7b", b"a\7b"),
        ("\ud800", b"?"),
        ([], b"\x05\x06"),
        (("n", 1), b"\x05\x02n\x021\x06"),
        ({}, b"\x03\x04"),
        ({"x": 1, "y\2z": [{}]}, b"\x03\x01x\x021\x01yz\x02\x05\x02\x03\x04\x06\x04"),
    ],
)
def test_values_are_encoded(value: Sendable, expected: bytes) -> None:
    assert encode_msdp("A", value) == b"\x01A\x02" + expected


@pytest.mark.parametrize("name", ["", "A\1B", "A\0", "x" * 65, "é" * 33, "\ud800"])
def test_a_name_that_no_variable_has_is_a_mistake_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name an MSDP variable"):
        encode_msdp(name, 1)
    with pytest.raises(ValueError, match="cannot name an MSDP variable"):
        Msdp([name])
    with pytest.raises(ValueError, match="cannot name an MSDP variable"):
        Msdp(configurable=[name])


def test_a_value_that_clients_could_not_read_is_a_mistake_of_ours() -> None:
    deep: Sendable = "x"
    for _ in range(16):
        deep = [deep]
    encode_msdp("A", deep)
    with pytest.raises(ValueError, match="over 16 deep"):
        encode_msdp("A", [deep])
    with pytest.raises(ValueError, match="over 16 deep"):
        encode_msdp("A", {"a": deep})
    encode_msdp("A", ["x"] * 4092)
    with pytest.raises(ValueError, match="too large"):
        encode_msdp("A", ["x"] * 4093)
    with pytest.raises(ValueError, match="key of an MSDP table"):
        encode_msdp("A", {"\1": 1})
    with pytest.raises(TypeError, match="cannot encode a bytes"):
        encode_msdp("A", b"raw")


# Its commands


def test_msdp_is_offered_and_agreed() -> None:
    playbook = Playbook(TelnetEngine([Msdp()])).says("IAC WILL MSDP")
    playbook.engine.receive(b"\xff\xfd\x45")
    playbook.says(b"")
    assert playbook.engine.is_ours(69)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("COMMANDS", ("LIST", "REPORT", "RESET", "SEND", "UNREPORT")),
        (
            "LISTS",
            (
                "COMMANDS",
                "CONFIGURABLE_VARIABLES",
                "LISTS",
                "REPORTABLE_VARIABLES",
                "REPORTED_VARIABLES",
                "SENDABLE_VARIABLES",
            ),
        ),
        ("REPORTABLE_VARIABLES", ("HEALTH", "MANA")),
        ("SENDABLE_VARIABLES", ("HEALTH", "MANA")),
        ("REPORTED_VARIABLES", ()),
        ("CONFIGURABLE_VARIABLES", ("SOUND",)),
    ],
)
def test_lists_are_listed(name: str, members: tuple[str, ...]) -> None:
    playbook = Playbook(agreed(Msdp(["HEALTH", "MANA", "HEALTH"], configurable=["SOUND"])))
    answer = said(VAR + name.encode() + VAL + array(*members))
    playbook.hears(asks(b"LIST", name.encode())).says(answer)
    playbook.hears(asks(b"list", name.lower().encode())).says(answer)
    playbook.hears(asks(b"LIST", b"NONSENSE", b"\x05\x06")).says(b"")


def test_several_lists_may_be_asked_for_at_once_each_of_them_once() -> None:
    playbook = msdp("HEALTH")
    playbook.hears(asks(b"LIST", b"REPORTED_VARIABLES", b"REPORTABLE_VARIABLES", b"REPORTED_VARIABLES"))
    reported = said(b"\x01REPORTED_VARIABLES\x02" + array())
    playbook.says(reported + said(b"\x01REPORTABLE_VARIABLES\x02" + array("HEALTH")))


def test_a_variable_is_reported_when_it_was_asked_for_and_has_changed() -> None:
    playbook = msdp("HEALTH", "MANA")
    engine, option = playbook.engine, option_of(playbook.engine)
    assert not option.report(engine, "HEALTH", 42)
    playbook.says(b"").hears(asks(b"REPORT", b"HEALTH")).says(said(b"\x01HEALTH\x0242"))
    assert option.reported == ("HEALTH",)
    assert not option.report(engine, "HEALTH", 42)
    assert not option.report(engine, "MANA", 7)
    playbook.says(b"")
    assert option.report(engine, "HEALTH", 41)
    playbook.says(said(b"\x01HEALTH\x0241"))
    assert option.report(engine, "HEALTH", 42)
    playbook.says(said(b"\x01HEALTH\x0242"))
    playbook.hears(asks(b"LIST", b"REPORTED_VARIABLES")).says(said(b"\x01REPORTED_VARIABLES\x02" + array("HEALTH")))


def test_the_game_is_asked_for_a_variable_that_has_no_value_yet() -> None:
    playbook = msdp("HEALTH", "MANA")
    engine, option = playbook.engine, option_of(playbook.engine)
    playbook.hears(asks(b"REPORT", b"HEALTH", b"MANA"), MsdpReceived("REPORT", ["HEALTH", "MANA"])).says(b"")
    assert option.report(engine, "HEALTH", "")
    playbook.says(said(b"\x01HEALTH\x02"))
    playbook.hears(asks(b"SEND", b"HEALTH", b"MANA"), MsdpReceived("SEND", "MANA")).says(said(b"\x01HEALTH\x02"))
    assert option.send(engine, "MANA", 7)
    playbook.says(said(b"\x01MANA\x027"))
    assert not option.report(engine, "MANA", 7)


@pytest.mark.parametrize("command", [asks(b"UNREPORT", b"A", b"C"), asks(b"RESET", b"REPORTED_VARIABLES")])
def test_a_variable_is_reported_no_more_when_that_is_asked_for(command: bytes) -> None:
    playbook = msdp()
    engine, option = playbook.engine, option_of(playbook.engine)
    playbook.hears(asks(b"REPORT", b"A"), MsdpReceived("REPORT", "A"))
    assert option.report(engine, "A", 1)
    playbook.says(said(b"\x01A\x021")).hears(command)
    assert not option.report(engine, "A", 2)
    assert option.reported == ()
    playbook.says(b"")


def test_a_variable_may_be_sent_unasked() -> None:
    playbook = msdp()
    assert option_of(playbook.engine).send(playbook.engine, "A", 3)
    playbook.says(said(b"\x01A\x023"))


def test_a_reset_of_what_the_game_keeps_is_left_to_it() -> None:
    playbook = msdp("HEALTH").hears(asks(b"REPORT", b"HEALTH"), MsdpReceived("REPORT", "HEALTH"))
    playbook.hears(asks(b"RESET", b"CONFIGURABLE_VARIABLES"), MsdpReceived("RESET", "CONFIGURABLE_VARIABLES"))
    assert option_of(playbook.engine).reported == ("HEALTH",)


def test_what_is_not_offered_can_be_neither_asked_for_nor_reported() -> None:
    playbook = msdp("HEALTH").hears(asks(b"REPORT", b"SECRET")).hears(asks(b"SEND", b"SECRET", b"\x03\x04")).says(b"")
    assert option_of(playbook.engine).reported == ()
    for engine in (playbook.engine, TelnetEngine([Msdp(["HEALTH"])])):
        with pytest.raises(ValueError, match="is not reportable"):
            option_of(engine).report(engine, "HELTH", 1)


def test_without_a_list_of_variables_a_client_learns_those_that_have_a_value() -> None:
    playbook = msdp()
    engine, option = playbook.engine, option_of(playbook.engine)
    assert not option.has_reportable
    option.report(engine, "HEALTH", 1)
    assert option.has_reportable
    playbook.hears(asks(b"LIST", b"REPORTABLE_VARIABLES")).says(said(b"\x01REPORTABLE_VARIABLES\x02" + array("HEALTH")))


def test_nothing_is_sent_or_kept_before_agreement_and_after_its_end() -> None:
    engine = TelnetEngine([Msdp()])
    drain(engine)
    for step in (b"", b"\xff\xfd\x45\xff\xfe\x45"):
        engine.receive(step)
        drain(engine)
        option = option_of(engine)
        assert not option.report(engine, "HEALTH", 1)
        assert not option.send(engine, "HEALTH", 1)
        assert drain(engine) == b""
        assert not option.has_reportable
        assert option.reported == ()


def test_engines_with_one_prototype_keep_to_themselves() -> None:
    prototype = Msdp()
    one, other = agreed(prototype), agreed(prototype)
    one.receive(asks(b"REPORT", b"A"))
    option_of(one).report(one, "A", 1)
    assert option_of(other).reported == prototype.reported == ()
    assert not option_of(other).has_reportable


# Bounds


def test_a_client_cannot_make_up_variables_without_end() -> None:
    engine = agreed()
    for start in range(0, 1000, 100):
        engine.receive(asks(b"REPORT", *[b"V%d" % number for number in range(start, start + 100)], b"x" * 65))
    assert option_of(engine).reported == tuple(f"V{number}" for number in range(128))
    engine.receive(asks(b"REPORT", b"V0"))
    assert len(option_of(engine).reported) == 128


def test_answers_are_bounded_for_ten_seconds() -> None:
    engine = agreed(Msdp(["HEALTH"]))
    engine.tick(0.0)
    option_of(engine).report(engine, "HEALTH", 1)
    engine.receive(asks(b"SEND", b"HEALTH") * 300)
    assert drain(engine) == said(b"\x01HEALTH\x021") * 256
    engine.receive(asks(b"LIST", b"COMMANDS") + asks(b"REPORT", b"HEALTH"))
    assert drain(engine) == b""
    assert option_of(engine).report(engine, "HEALTH", 1)  # it was asked for, and has not been told
    assert drain(engine) == said(b"\x01HEALTH\x021")
    engine.tick(1.0)
    assert engine.next_deadline == 11.0
    engine.tick(11.0)
    engine.receive(asks(b"SEND", b"HEALTH"))
    assert drain(engine) == said(b"\x01HEALTH\x021")


def test_a_message_of_64_kib_is_taken() -> None:
    text = "x" * (64 * 1024 - 3)
    msdp().hears(said(b"\x01A\x02" + text.encode()), MsdpReceived("A", text))


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\1\2\3\4\5\6"))
_values: st.SearchStrategy[MsdpValue] = st.recursive(
    _text, lambda inner: st.lists(inner) | st.dictionaries(_text.filter(bool), inner), max_leaves=60
)


def _depth(value: MsdpValue) -> int:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if members is None else 1 + max(map(_depth, members), default=0)


@pytest.mark.unmeasured
@given(_values.filter(lambda value: _depth(value) <= 16))
def test_any_bounded_value_arrives_as_it_was_sent(value: MsdpValue) -> None:
    # A variable with one value means that value; so an array is told from its member by its brackets.
    assert decode_msdp(encode_msdp("A", value)) == [MsdpReceived("A", value)]


_marks = st.sampled_from([VAR, VAL, TABLE_OPEN, TABLE_CLOSE, ARRAY_OPEN, ARRAY_CLOSE, b"\0", b"\xff", b"x", b"\xc3"])
_commands = st.sampled_from([b"\x01LIST\x02", b"\x01REPORT\x02", b"\x01SEND\x02", b"COMMANDS", b"\x01RESET\x02", b"A"])


@given(st.one_of(st.binary(), st.lists(_marks | _commands, max_size=100).map(b"".join)))
@example(b"\x01A\x02" + b"\x03\x01x\x02" * 30_000)
@example(b"\x05" * 100_000)
def test_no_bytes_raise(payload: bytes) -> None:
    decoded = decode_msdp(payload)
    assert isinstance(decoded, list | Anomaly)
    engine = agreed()
    events = engine.receive(said(payload.replace(b"\xff", b"\xff\xff")))
    assert all(isinstance(event, MsdpReceived | Anomaly) for event in events)


def test_no_more_than_the_beginning_of_a_value_shows() -> None:
    assert repr(MsdpReceived("A", ["b"])) == "MsdpReceived('A', ['b'])"
    assert len(repr(MsdpReceived("A", ["x" * 1000] * 1000))) < 250


CANARY = "correct-horse-battery"


def test_a_broken_message_does_not_show() -> None:
    for payload in (b"\x01PASSWORD\x02%s\x04", b"\x01%s", b"%s", b"\x01A\x02%s\0", b"\x01A\x02%s\x03\x04"):
        (event,) = agreed().receive(said(payload % CANARY.encode()))
        assert isinstance(event, Anomaly)
        assert CANARY not in repr(event)


def test_a_value_of_the_wrong_type_does_not_show_in_the_traceback() -> None:
    with pytest.raises(TypeError) as failure:
        encode_msdp("A", {"password": CANARY.encode()})
    assert CANARY not in "".join(traceback.format_exception(failure.value))
