"""Every option, every verb and every command, on an engine with all options."""

from __future__ import annotations

from itertools import pairwise

import pytest

from trio_mud.telnet import DEFAULT_OPTIONS, Anomaly, Line, Option, OptionFailed, Policy, TelnetEngine, TelnetEvent
from trio_mud.telnet.codes import DO, DONT, EOF, IAC, LINEMODE, MCCP3, MSSP, SB, SE, TIMING_MARK, WILL, WONT
from trio_mud.telnet.options import Msp, Mssp, Mxp
from trio_mud.testing.playbook import check_every_split, converse, drain

OPTIONS: tuple[Option, ...] = (Mssp(dict), *DEFAULT_OPTIONS, Mxp(), Msp())
BY_CODE = {option.code: option for option in OPTIONS}
VERBS = (WILL, WONT, DO, DONT)
COMMANDS = [code for code in range(256) if code not in (*VERBS, SB, IAC)]

# LINEMODE (RFC 1184) as it was met: MODE, FORWARDMASK under all four verbs, SLC; and what of it made servers crash.
LINEMODE_PAYLOADS = [
    b"",
    *(bytes((first,)) for first in range(256)),
    *(b"\x01" + bytes((mask,)) for mask in range(256)),
    *(bytes((verb, 2)) + mask for verb in VERBS for mask in (b"", b"\x00", b"\xff" * 32)),
    *(b"\x03" + bytes(range(size)) for size in range(100)),  # a table of three bytes each, whole and cut
]


def new_engine() -> TelnetEngine:
    engine = TelnetEngine(OPTIONS, are_you_there="")
    drain(engine)
    return engine


def is_welcome(verb: int, code: int) -> bool:
    option = BY_CODE.get(code)
    return option is not None and (option.ours if verb == DO else option.theirs) is not Policy.REFUSE


def failures(events: list[TelnetEvent]) -> list[OptionFailed]:
    return [event for event in events if isinstance(event, OptionFailed)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_agreed_refused_or_passed_over(verb: int) -> None:
    for code in range(256):
        engine = new_engine()
        events = engine.receive(bytes((IAC, verb, code)))
        said = drain(engine)
        assert failures(events) == []
        assert (engine.is_ours(code), engine.is_theirs(code)) == (
            verb == DO and is_welcome(verb, code),
            verb == WILL and is_welcome(verb, code),
        )
        refusal = {WILL: bytes((IAC, DONT, code)), DO: bytes((IAC, WONT, code))}.get(verb, b"")
        if (verb, code) == (DO, TIMING_MARK):
            assert said == bytes((IAC, WILL, TIMING_MARK))
        elif verb in (WILL, DO) and not is_welcome(verb, code):
            assert said == refusal
        elif verb in (WONT, DONT):
            assert said == b""
        else:
            assert refusal not in said
        events = engine.receive(bytes((IAC, verb, code)))
        said_again = drain(engine)
        assert events == []
        if verb in (WILL, DO) and not is_welcome(verb, code):
            assert said_again == said  # a refusal, or the answer to a timing mark
        else:
            assert said_again == b""  # nothing has changed
        assert engine.receive(b"look\r\n") == [Line("look")]


@pytest.mark.parametrize("first", VERBS)
@pytest.mark.parametrize("second", VERBS)
def test_every_change_of_mind_about_every_option_is_survived(first: int, second: int) -> None:
    for code in range(256):
        engine = new_engine()
        events, _ = converse(engine, bytes((IAC, first, code, IAC, second, code, IAC, first, code)) + b"look\r\n")
        assert failures(events) == []
        assert events[-1] == Line("look")


def test_every_command_leaves_the_line_around_it_whole() -> None:
    for code in COMMANDS:
        engine = new_engine()
        events = engine.receive(b"lo" + bytes((IAC, code)) + b"ok\r\n")
        erased = {0xF7: "look"[:1] + "ok", 0xF8: "ok"}  # EC and EL edit it
        assert events[-1] == Line(erased.get(code, "look"))
        assert len(events) <= 2


@pytest.mark.unmeasured
def test_every_command_inside_every_payload_ends_it_and_nothing_else() -> None:
    for option in range(255):
        commands = [code for code in COMMANDS if code >= EOF and code != SE]
        broken = [bytes((IAC, SB, option, 1, IAC, code)) + b"\x15look\r\n" for code in commands]
        events = new_engine().receive(b"".join(broken))
        whole = [at for at, event in enumerate(events) if isinstance(event, Line)]
        assert len(broken) == len(whole)
        for start, end in pairwise([-1, *whole]):
            assert isinstance(events[start + 1], Anomaly)
            assert events[end] == Line("look")


@pytest.mark.unmeasured
@pytest.mark.parametrize("agreed", [False, True])
def test_no_payload_of_one_byte_hurts_any_option(agreed: bool) -> None:
    for code in range(256):
        if code in (MCCP3, IAC):  # what follows the one is no text; the other is written twice
            continue
        engine = new_engine()
        if agreed:
            engine.receive(bytes((IAC, WILL, code, IAC, DO, code)))
        payloads = [b"", *(bytes((byte,)) for byte in range(255)), b"\xff\xff"]
        data = b"".join(bytes((IAC, SB, code)) + payload + bytes((IAC, SE)) + b"look\r\n" for payload in payloads)
        events, _ = converse(engine, data)
        assert failures(events) == []
        assert [Line("look")] * len(payloads) == [event for event in events if isinstance(event, Line)]


@pytest.mark.parametrize("verb", VERBS)
def test_no_linemode_payload_hurts(verb: int) -> None:
    for payload in LINEMODE_PAYLOADS:
        engine = new_engine()
        doubled = payload.replace(b"\xff", b"\xff\xff")
        heard = bytes((IAC, verb, LINEMODE, IAC, SB, LINEMODE)) + doubled + bytes((IAC, SE)) + b"look\r\n"
        events, said = converse(engine, heard)
        assert failures(events) == []
        assert events[-1] == Line("look")
        assert said in (b"", bytes((IAC, DONT, LINEMODE)), bytes((IAC, WONT, LINEMODE)))


def test_linemode_payloads_that_made_servers_crash_may_be_cut_anywhere() -> None:
    met = b"\xff\xfc\x22\xff\xfa\x22\xff\xf0\xff\xff\xfc\x03\xff\xf0"  # FluffOS: refused, and then an empty payload
    for payload in (b"", b"\x01", b"\x03\x01", b"\x02", b"\xfd\x02"):
        check_every_split(met + bytes((IAC, SB, LINEMODE)) + payload + bytes((IAC, SE)) + b"look\r\n", new_engine)


def test_all_options_are_among_these() -> None:
    assert {MSSP, *(option.code for option in DEFAULT_OPTIONS)} <= set(BY_CODE)
