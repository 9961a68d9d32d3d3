"""Contradicting facts about a client's program, and which of them takes precedence."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import trio

from trio_mud import Client, Connection, Hooks, Input, Limits, Size, broadcast
from trio_mud.driver.core.thread import HomeThread
from trio_mud.driver.link.client import TRUECOLOUR, FactSource
from trio_mud.telnet import DEFAULT_OPTIONS, TelnetEngine
from trio_mud.telnet.codes import CHARSET, DO, IAC, NEW_ENVIRON, SB, SE, TTYPE, WILL
from trio_mud.telnet.options.charset import ACCEPTED, REJECTED, REQUEST
from trio_mud.testing import OpenMud

from ..conftest import engine_of, first_connection, open_house, settled

PATIENT = Limits(first_input_timeout=None)


def sb(option: int, payload: bytes) -> bytes:
    return bytes((IAC, SB, option)) + payload + bytes((IAC, SE))


ACCEPTS_UTF8 = sb(CHARSET, bytes((ACCEPTED,)) + b"UTF-8")
REJECTS_UTF8 = sb(CHARSET, bytes((REJECTED,)))
ASKS_FOR_KOI8 = sb(CHARSET, bytes((REQUEST,)) + b";KOI8-R")
NAMES_LATIN1 = sb(NEW_ENVIRON, b"\0\0CHARSET\1ISO-8859-1")
NAMES_UTF8 = sb(NEW_ENVIRON, b"\0\0CHARSET\1utf8")
NAMES_NOTHING = sb(NEW_ENVIRON, b"\0\0CHARSET\1KLINGON")
MTTS_WITH = sb(TTYPE, b"\0MTTS 13")
MTTS_WITHOUT = sb(TTYPE, b"\0MTTS 267")

DOES = bytes((IAC, DO, CHARSET))
WILLS = bytes((IAC, WILL, TTYPE, IAC, WILL, NEW_ENVIRON))


@pytest.mark.parametrize(
    ("said", "charset", "source"),
    [
        ([], "utf-8", FactSource.DEFAULT),
        ([MTTS_WITH], "utf-8", FactSource.MTTS),
        ([MTTS_WITHOUT], "ascii", FactSource.MTTS),
        ([NAMES_LATIN1], "iso8859-1", FactSource.NEW_ENVIRON),
        ([NAMES_NOTHING], "utf-8", FactSource.DEFAULT),
        ([ACCEPTS_UTF8], "utf-8", FactSource.CHARSET),
        ([REJECTS_UTF8], "ascii", FactSource.CHARSET),
        ([NAMES_LATIN1, MTTS_WITH], "iso8859-1", FactSource.NEW_ENVIRON),
        ([NAMES_UTF8, MTTS_WITHOUT], "utf-8", FactSource.NEW_ENVIRON),
        ([NAMES_LATIN1, MTTS_WITHOUT, ACCEPTS_UTF8], "utf-8", FactSource.CHARSET),
        ([REJECTS_UTF8, NAMES_UTF8, MTTS_WITH], "ascii", FactSource.CHARSET),
        ([REJECTS_UTF8, MTTS_WITHOUT], "ascii", None),
        ([REJECTS_UTF8, NAMES_LATIN1, MTTS_WITH], "iso8859-1", FactSource.NEW_ENVIRON),
        ([REJECTS_UTF8, NAMES_LATIN1, MTTS_WITHOUT], "iso8859-1", FactSource.NEW_ENVIRON),
    ],
)
async def test_of_what_a_client_says_of_its_charset_the_best_is_believed_in_any_order(
    autojump_clock: trio.testing.MockClock, said: list[bytes], charset: str, source: FactSource | None
) -> None:
    for order in itertools.permutations(said):
        async with open_house(Hooks(), limits=PATIENT, options=DEFAULT_OPTIONS) as house:
            wire = await house.connect()
            connection = first_connection(house.server)
            wire.say(DOES + WILLS + b"".join(order))
            await settled()
            assert connection.client.charset == engine_of(connection).charset == charset
            assert connection.client.rendering.charset == charset
            assert source in (None, connection.client.source_of("charset"))


async def test_a_client_that_rejects_and_asks_for_its_own_gets_it(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=DEFAULT_OPTIONS) as house:
        wire = await house.connect()
        connection = first_connection(house.server)
        wire.say(DOES + REJECTS_UTF8 + bytes((IAC, WILL, CHARSET)) + ASKS_FOR_KOI8 + WILLS + NAMES_LATIN1)
        await settled()
        assert connection.client.charset == engine_of(connection).charset == "koi8-r"


async def test_the_players_choice_outweighs_whatever_the_client_says_until_it_is_taken_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=DEFAULT_OPTIONS) as house:
        wire = await house.connect()
        connection = first_connection(house.server)
        connection.client.prefer(charset="Latin-1")
        wire.say(DOES + ACCEPTS_UTF8 + WILLS + NAMES_UTF8 + MTTS_WITH)
        await settled()
        assert connection.client.charset == engine_of(connection).charset == "iso8859-1"
        assert connection.client.source_of("charset") is FactSource.PREFERENCE
        connection.client.clear_preference("charset")
        assert connection.client.charset == engine_of(connection).charset == "utf-8"
        assert connection.client.source_of("charset") is FactSource.CHARSET


async def test_text_goes_both_ways_in_the_charset_that_was_chosen(autojump_clock: trio.testing.MockClock) -> None:
    hooks, lines = Hooks(), list[str]()

    @hooks.on(Input)
    def repeat(event: Input) -> None:
        lines.append(event.line)
        event.connection.write(f"\u201c{event.line}\u201d")

    async with open_house(hooks, limits=PATIENT, options=()) as house:
        wire = await house.connect()
        first_connection(house.server).client.prefer(charset="koi8-r")
        wire.say("да\r\n".encode("koi8-r"))
        await settled()
        assert lines == ["да"]
        assert b"".join(wire.sent).endswith('"да"\r\n'.encode("koi8-r"))


def test_a_charset_that_nobody_knows_is_an_error_and_changes_nothing() -> None:
    client = Client()
    with pytest.raises(ValueError, match="unknown charset 'klingon': choose one of UTF-8"):
        client.prefer(charset="klingon", colours=16)
    assert (client.charset, client.colours) == ("utf-8", 0)


def test_another_preference_leaves_the_charset_alone() -> None:
    engine = TelnetEngine(())
    engine.charset = "latin-1"  # by a game of its own
    client = Client()
    client._attach(engine, HomeThread())
    client.prefer(colours=16)
    client.clear_preference("colours")
    assert engine.charset == "iso8859-1"


async def test_those_of_one_charset_share_what_is_rendered_for_it(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=()) as house:
        first, second, third = [await house.connect() for _ in range(3)]
        connections: list[Connection] = list(house.server.connections)
        connections[0].client.prefer(charset="ascii")
        connections[1].client.prefer(charset="ascii")
        encoded: dict[object, bytes] = {}
        for connection in connections:
            connection._link.write_shared("caf\u00e9\u2026", encoded)
        await settled()
        assert list(encoded.values()) == [b"cafe...\r\n", "caf\u00e9\u2026\r\n".encode()]
        assert [b"".join(wire.sent) for wire in (first, second, third)][:2] == [b"cafe...\r\n"] * 2


async def test_a_broadcast_of_plain_text_is_wrapped_for_a_narrow_window_whatever_the_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=()) as house:
        wires = [await house.connect() for _ in range(3)]
        connections: list[Connection] = list(house.server.connections)
        text = "The innkeeper wipes the table."
        connections[1].client._learn("size", Size(25, 10), FactSource.NAWS)
        for order in (connections, connections[::-1], connections[1:]):
            broadcast(text, to=order)
        await settled()
        wide, narrow = f"{text}\r\n".encode(), b"The innkeeper wipes the\r\ntable.\r\n"
        assert [b"".join(wire.sent) for wire in wires] == [wide * 2, narrow * 3, wide * 3]


# Colours


def told(*terminals: str, **variables: str) -> Client:
    """A client that gave these names by TTYPE, then these variables by NEW-ENVIRON."""
    client = Client()
    for terminal in terminals:
        client._learn_terminal_name(terminal)
    for name, value in variables.items():
        client._learn_variable(name, value)
    return client


def test_a_client_that_says_nothing_gets_no_colours() -> None:
    assert told().colours == 0


@pytest.mark.parametrize("terminal", ["KILDCLIENT", "KildClient", "UNKNOWN", "WYSE-VP", "VT100"])
def test_a_terminal_of_an_unknown_type_is_assumed_to_show_16_colours(terminal: str) -> None:
    for client in (told(terminal), told(TERMINAL_TYPE=terminal)):
        assert client.colours == client.rendering.colours == 16
        assert client.source_of("colours") is FactSource.DEFAULT


@pytest.mark.parametrize("terminal", ["dumb", "DUMB-EMACS", "tty"])
def test_a_terminal_that_is_known_to_show_none_gets_none(terminal: str) -> None:
    assert told(terminal).colours == 0


@pytest.mark.parametrize(
    ("client", "colours"),
    [
        (told("KILDCLIENT", "MTTS 4"), 0),
        (told("KILDCLIENT", "DUMB"), 0),
        (told("KILDCLIENT", MTTS="0"), 0),
        (told("MUDLET", "XTERM-256COLOR", "MTTS 13"), 256),
        (told("SOMETHING", "XTERM", "OTHER"), 16),
        (told("SOMETHING", COLORTERM="truecolor"), TRUECOLOUR),
        (told("MTTS 4", "SOMETHING"), 0),
    ],
)
def test_whatever_else_it_says_about_colours_outweighs_the_assumption(client: Client, colours: int) -> None:
    assert client.colours == colours


def test_the_players_wish_outweighs_the_assumption() -> None:
    client = told("KILDCLIENT")
    client.prefer(colours=0)
    client._learn_terminal_name("ANOTHER")
    assert client.rendering.colours == 0


@pytest.mark.parametrize(
    ("wrong", "error", "sentence"),
    [
        ({"size": (80, 24)}, TypeError, r"takes a Size, such as Size\(80, 24\), not a tuple"),
        ({"size": Size("80", 24)}, TypeError, "takes a Size"),  # type: ignore[arg-type]
        ({"size": Size(0, 0)}, ValueError, "at least one column"),
        ({"size": Size(80, 65_536)}, ValueError, "65535 at most"),
        ({"size": Size(10**5000, 24)}, ValueError, "65535 at most"),
        ({"colours": 2**24 + 1}, ValueError, "16777216 at most"),
        ({"colours": 10**5000}, ValueError, "16777216 at most"),
        ({"colours": "16"}, TypeError, "takes a number of colours"),
        ({"colours": True}, TypeError, "takes a number of colours"),
        ({"colours": -1}, ValueError, "0 or more colours"),
        ({"screen_reader": "no"}, TypeError, "takes True or False"),
        ({"charset": 5}, TypeError, "takes a str"),
    ],
)
async def test_a_wrong_preference_is_refused_and_nothing_is_stored(
    wrong: dict[str, Any], error: type[Exception], sentence: str, mud: OpenMud
) -> None:
    async with mud(Hooks()) as place:
        player = await place.player()
        connection = first_connection(place.server)
        before = connection.client.rendering
        with pytest.raises(error, match=sentence):
            connection.client.prefer(**wrong)
        assert connection.client.rendering == before
        await player.send(b"\xff\xfb\x1f\xff\xfa\x1f\x00\x64\x00\x18\xff\xf0")  # the client reports its window
        await settled()
        assert connection.client.size == Size(100, 24)
        assert connection.ending is None
