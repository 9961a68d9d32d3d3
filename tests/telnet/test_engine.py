"""The complete engine: its result does not depend on segmentation, and no input can harm it."""

import gc
import math
import tracemalloc
import weakref
import zlib
from codecs import encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud.telnet import DEFAULT_OPTIONS, Line, NegotiationSettled, TelnetEngine
from trio_mud.telnet.codes import DO, DONT, IAC, MCCP2, SB, WILL, WONT
from trio_mud.telnet.options import Echo, Naws, Ttype
from trio_mud.testing.playbook import check_every_split, converse, drain

_iac_heavy = st.lists(
    st.one_of(
        st.sampled_from([bytes((code,)) for code in (*range(0xEC, 0x100), 0, 1, 3, 6, 10, 13, 24, 31, 201)]),
        st.sampled_from([b"\xff\xfa", b"\xff\xf0", b"\xff\xff", b"\xff\xfb\x1f", b"\xff\xfb\x18", b"\xff\xfa\x18\0"]),
        st.binary(max_size=4),
        st.text(max_size=3).map(lambda text: encode(text, "utf-8", "replace")),
    ),
    max_size=40,
).map(b"".join)


def small_engine() -> TelnetEngine:
    # Without an answer to AYT: an AO would drop it or not, as it was taken before or not.
    return TelnetEngine(line_limit=6, subnegotiation_limit=6, are_you_there="")


@pytest.mark.unmeasured
@given(_iac_heavy)
@settings(max_examples=2 * settings().max_examples)
def test_any_bytes_mean_the_same_at_every_split(data: bytes) -> None:
    check_every_split(data, small_engine)


@pytest.mark.unmeasured
@given(st.lists(_iac_heavy))
def test_any_bytes_in_any_pieces_mean_the_same(chunks: list[bytes]) -> None:
    assert converse(small_engine(), b"".join(chunks)) == converse(small_engine(), *chunks)


@given(st.lists(st.one_of(_iac_heavy, st.booleans(), st.floats(0, 1e9))))
def test_no_sequence_of_calls_raises(steps: list[bytes | bool | float]) -> None:
    engine = small_engine()
    for step in steps:
        if isinstance(step, bool):
            engine.hide_input(step)
            assert engine.input_hidden is step
        elif isinstance(step, float):
            engine.tick(step)
        else:
            engine.receive(step)


@given(_iac_heavy)
def test_answers_never_outweigh_requests_but_for_one_to_ayt(data: bytes) -> None:
    engine = TelnetEngine(())
    engine.receive(data)
    assert len(drain(engine).replace(b"\r\n[Yes]\r\n", b"", 1)) <= len(data)


def test_every_verb_for_every_option_gets_at_most_one_answer() -> None:
    for verb in (WILL, WONT, DO, DONT):
        for code in range(256):
            engine = TelnetEngine(())
            engine.receive(bytes((IAC, verb, code)))
            sent = drain(engine)
            expected = {WILL: bytes((IAC, DONT, code)), DO: bytes((IAC, WONT, code))}.get(verb, b"")
            if (verb, code) == (DO, 6):
                expected = bytes((IAC, WILL, 6))
            assert sent == expected, (verb, code)


def test_every_verb_for_every_option_in_one_connection_gets_at_most_one_answer() -> None:
    engine = TelnetEngine([option for option in DEFAULT_OPTIONS if option.code != MCCP2])  # it would compress the rest
    drain(engine)
    for verb in (WILL, WONT, DO, DONT):
        for code in range(256):
            engine.receive(bytes((IAC, verb, code)))
            sent = drain(engine)
            assert len(sent) <= 3 or sent.startswith(bytes((IAC, SB, code)))


def test_text_may_come_before_any_negotiation_is_done() -> None:
    assert TelnetEngine().receive(b"guest\r\n") == [Line("guest")]


def test_offers_leave_in_one_piece_and_once() -> None:
    engine = TelnetEngine([Ttype(), Naws()])
    assert engine.has_data_to_send
    assert engine.data_to_send() == b"\xff\xfd\x18\xff\xfd\x1f"
    assert not engine.has_data_to_send
    assert engine.data_to_send() == b""


def test_nothing_is_pending() -> None:
    engine = TelnetEngine()
    engine.receive(b"look\r\n")
    assert not engine.pending


# Text to the peer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        ("You see\nnothing.\n", b"You see\r\nnothing.\r\n"),
        ("a\r\nb", b"a\r\nb"),
        ("a\rb", b"a\r\0b"),
        ("a\r\r\nb", b"a\r\0\r\nb"),
        ("a\0b", b"ab"),
        ("a\r\0\nb", b"a\r\nb"),
        ("né ÿ", b"n\xc3\xa9 \xc3\xbf"),
        ("\ud800", b"?"),
    ],
)
def test_text_is_encoded_for_the_network_virtual_terminal(text: str, expected: bytes) -> None:
    assert TelnetEngine().encode(text) == expected


def test_a_charset_that_has_ff_gets_it_doubled() -> None:
    engine = TelnetEngine()
    engine.charset = "Latin-1"
    assert engine.charset == "iso8859-1"
    assert engine.encode("ÿ€") == b"\xff\xff?"
    assert engine.receive(b"\xff\xff\xe9\n") == [Line("ÿé")]


def test_a_new_charset_holds_for_lines_finished_after_it() -> None:
    engine = TelnetEngine()
    engine.receive(b"caf")
    engine.charset = "latin-1"
    assert engine.receive(b"\xe9\n") == [Line("café")]


@pytest.mark.parametrize("name", ["raw_unicode_escape", "utf-16", "utf-7", "cp037"])
def test_a_charset_that_is_not_a_superset_of_ascii_is_a_mistake_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="superset of ASCII"):
        TelnetEngine().charset = name


def test_an_unknown_charset_is_a_mistake_of_ours() -> None:
    with pytest.raises(LookupError):
        TelnetEngine().charset = "klingon"


@given(st.text())
def test_what_is_encoded_never_holds_a_bare_cr_or_a_single_ff(text: str) -> None:
    for charset in ("utf-8", "iso8859-1", "cp437"):
        engine = TelnetEngine(())
        engine.charset = charset
        data = engine.encode(text)
        assert b"\xff" not in data.replace(b"\xff\xff", b"")
        assert b"\r" not in data.replace(b"\r\n", b"").replace(b"\r\0", b"")


@given(st.text(st.characters(exclude_characters="\r\n\0\x08\x7f\x15", exclude_categories=["Cs"]), max_size=100))
def test_what_one_engine_says_another_hears(text: str) -> None:
    events = TelnetEngine(()).receive(TelnetEngine(()).encode(text + "\n"))
    assert events == [Line(text)]


def test_a_prompt_and_its_mark_leave_together() -> None:
    engine = TelnetEngine(())
    engine.send_text("A room.\n")
    engine.send_prompt("> ")
    assert engine.data_to_send() == b"A room.\r\n> \xff\xf9"


def test_engines_may_share_encoded_text() -> None:
    shared = TelnetEngine().encode("Thunder.\n")
    for engine in (TelnetEngine(()), TelnetEngine(())):
        engine.send_encoded(shared)
        assert engine.data_to_send() is shared


# Time and memory


def test_an_idle_engine_waits_for_nothing() -> None:
    engine = TelnetEngine([Ttype(), Naws()])
    assert engine.next_deadline == -math.inf
    engine.receive(b"\xff\xfc\x18\xff\xfc\x1f")
    assert engine.tick(0.0) == [NegotiationSettled()]
    assert engine.next_deadline is None


def test_the_earliest_question_decides_the_deadline() -> None:
    engine = TelnetEngine([Ttype(), Naws(), Echo()], settle_within=None)
    engine.tick(10.0)
    engine.hide_input(True)
    assert engine.next_deadline == -math.inf
    engine.tick(11.0)
    assert engine.next_deadline == 12.0
    engine.receive(b"\xff\xfb\x18\xff\xfb\x1f")
    assert engine.next_deadline == 13.0


def test_an_ended_engine_is_freed_without_the_cycle_collector() -> None:
    class Watched(TelnetEngine):
        pass

    gc.disable()
    try:
        engine = Watched()
        engine.receive(b"look\r\n\xff\xfb\x18\xff\xfb\x1f\xff\xfa")
        watch = weakref.ref(engine)
        del engine
        assert watch() is None
    finally:
        gc.enable()


@pytest.mark.unmeasured
def test_an_idle_engine_takes_at_most_1600_bytes() -> None:
    def idle() -> TelnetEngine:
        """TinTin++, which agrees to most of what is no package, has answered."""
        engine = TelnetEngine()
        engine.tick(0.0)
        engine.receive(b"\xff\xfb\x18\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0\xff\xfb\x27\xff\xfd\x2a\xff\xfd\x19")
        for name in (b"TINTIN++", b"XTERM-256COLOR", b"MTTS 271"):
            engine.receive(b"\xff\xfa\x18\0" + name + b"\xff\xf0")
        for name in (b"CLIENT_NAME", b"CLIENT_VERSION", b"MTTS", b"CHARSET", b"TERMINAL_TYPE"):
            engine.receive(b"\xff\xfa\x27\0\0" + name + b"\1x\xff\xf0")
        engine.receive(b"\xff\xfa\x2a\x02UTF-8\xff\xf0\xff\xfe\xc9\xff\xfe\x45\xff\xfe\x56\xff\xfe\x57")
        drain(engine)
        assert engine.tick(0.1) == [NegotiationSettled()]
        assert engine.next_deadline is None
        engine.receive(b"look\r\n")
        return engine

    assert idle().prompt_mark == b"\xff\xef"
    was_tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        engines = [idle() for _ in range(1000)]  # so many that what the interpreter keeps for itself does not count
        after, _ = tracemalloc.get_traced_memory()
    finally:
        if not was_tracing:
            tracemalloc.stop()
    assert (after - before) / len(engines) <= 1600


# What it costs

UNIT = 256  # of a command


@pytest.mark.parametrize(
    ("data", "cost"),
    [
        (b"look\r\n", 0),
        (b"l\xc3\xb6ok\r\nunfin", 0),
        (b"\xff\xff\r\n", 64),
        (b"\xff\xf1\xff\xf5\xff\xf6\xff\xf4", 4 * UNIT),
        (b"a\xff\xf7b\xff\xf8", 2 * UNIT),
        (b"\xff\xfb\x63\xff\xfe\x63", 2 * UNIT),
        (b"\xff\xfa\xff\xf0", UNIT),
        (b"\xff\xfa\x63\xff\xf0", UNIT),
        (b"\xff\xfa\x63abc\xff\xff\xff\xf0", UNIT + 4),
        (b"\xff\xfa\xff\xffabc\xff\xf0", UNIT + 3),
        (b"\xff\xfa\x63ab\xff\xf1", 2 * UNIT + 2),
        (b"\xff\xfa\x63" + b"x" * 500, UNIT + 500),  # also what is discarded
        (b"ab\x7f\x08\r\n", 2 * UNIT),
        (b"ab\x15\r\n", UNIT),
        (b"x" * 500, 494),
        (b"abcdef" + b"g\x7f" * 5, 10),  # the line has room for six; the keys erase nothing any more
    ],
)
def test_what_it_has_worked_on_is_counted_the_same_at_every_split(data: bytes, cost: int) -> None:
    for at in range(len(data) + 1):
        engine = small_engine()
        engine.receive(data[:at])
        engine.receive(data[at:])
        assert engine.take_cost() == cost
        assert engine.take_cost() == 0


@pytest.mark.parametrize("key", [b"", b"x\x7f"])
def test_a_long_line_costs_by_its_length_however_it_is_cut(key: bytes) -> None:
    for size in (128, 129, 300):
        data = key + b"a" * size + b"\n"
        cost = 8 * (size - 128) + (UNIT if key else 0)
        for at in range(len(data) + 1):
            engine = TelnetEngine()
            engine.receive(data[:at])
            engine.receive(data[at:])
            assert engine.take_cost() == cost
        assert TelnetEngine().receive_line(data) == ("a" * size if cost == 0 else None)  # which counts nothing


_EAST_ASIAN = ["gbk", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "johab"]


@pytest.mark.parametrize("charset", _EAST_ASIAN)
def test_a_cut_line_of_two_byte_characters_costs_the_same_at_every_split(charset: str) -> None:
    data = b"ab\x7f" + "\u6f22\u5b57".encode(charset) * 4 + b"\x08ab\n"
    for at in range(len(data) + 1):
        engine = small_engine()
        engine.charset = charset
        engine.receive(data[:at])
        engine.receive(data[at:])
        assert engine.take_cost() == UNIT + 1 + 12 + 3  # of the second one a byte in UTF-8; what follows it


@given(st.lists(_iac_heavy), st.sampled_from(["utf-8", "latin-1", *_EAST_ASIAN]))
def test_any_bytes_in_any_pieces_cost_the_same(chunks: list[bytes], charset: str) -> None:
    whole, cut = small_engine(), small_engine()
    whole.charset = cut.charset = charset
    whole.receive(b"".join(chunks))
    for chunk in chunks:
        cut.receive(chunk)
    assert cut.take_cost() == whole.take_cost()


def test_compressed_bytes_cost_what_they_are_and_what_they_mean() -> None:
    engine = TelnetEngine()
    engine.receive(b"\xff\xfd\x57\xff\xfa\x57\xff\xf0")
    assert engine.take_cost() == 2 * UNIT
    stream = zlib.compress(b"look\r\n" + b"\xff\xf1" * 300)
    engine.receive(stream)
    while engine.pending:
        engine.receive(b"")
    assert engine.take_cost() == 300 * UNIT + len(stream)
