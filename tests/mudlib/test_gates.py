"""Player input reaches others as text: never as an escape, a tag, a sound, a colour or a line break.

A malicious player speaks, and in the same room are listeners with every kind of program. The output of the plain one
is checked exactly; the expected output of the others follows from it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud import Limits
from trio_mud.mudlib import world
from trio_mud.telnet import DEFAULT_OPTIONS
from trio_mud.telnet.options import Msp, Mxp
from trio_mud.testing import Mud, OpenMud, Player

from .programs import TakesMsp, TakesMxp, TellsVariables

OPTIONS = (*DEFAULT_OPTIONS, Mxp(), Msp())
JOINERS = "\u200c\u200d"
HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
TRIGGER = re.compile(r"!(SOUND|MUSIC)\(", re.IGNORECASE)

# Without what ends a line or edits it (CR, LF, BS, DEL, ^U), and without ff, which is telnet's.
PIECES = [
    *(
        b"\x1b",
        b"\x1b[",
        b"\x1b[31m",
        b"\x1b[1z",
        b"\x1b[4z",
        b"\x1b[6z",
        b"\x1b]0;title\x07",
        b"\x1b]8;;send:quit\x1b\\",
    ),
    *(
        b"\x1b(0",
        b"\x1bc",
        b"\x1bP",
        b"\x1b_",
        b"\x9b31m",
        b"\xc2\x9b31m",
        b"\xc2\x9d0;x\xc2\x9c",
        b"\x07",
        b"\x0e",
        b"\x05",
    ),
    *(
        b"<send>quit</send>",
        b'<send href="quit">',
        b"<!ELEMENT x>",
        b"<b>",
        b"</b>",
        b"&",
        b"&lt;",
        b"&#27;",
        b'"',
        b"<",
        b">",
    ),
    *(b"<red>", b"{words}", b"{name}", b"{", b"}", b"%s", b"\\", b"|"),
    *(b"!", b"!!", b"!!SOUND(x.wav)", b"!!music(Off)", b"SOUND(", b"MUSIC(", b"\n!!SOUND(x)"[1:]),
    *(
        text.encode()
        for text in ("\u202e", "\u2066", "\u2069", "\u200f", "\u061c", "\u2028", "\u2029", "\u200b", "\ufeff")
    ),
    *(
        text.encode()
        for text in ("\u0085", "\u200d", "\U000e0041", "\ue000", "\u0301" * 9, "\U0001f469\u200d\U0001f467")
    ),
    *(b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x80", b"?", b" ", b"\t", b"'", b","),
]
EDITS = "\r\n\0\x08\x7f\x15"
nasty = st.lists(
    st.sampled_from(PIECES)
    | st.text(st.characters(exclude_characters=EDITS, exclude_categories=["Cs"]), max_size=12).map(str.encode)
    | st.integers(0x80, 0xFE).map(lambda byte: bytes((byte,))),
    min_size=1,
    max_size=8,
).map(b"".join)
deeds = st.lists(
    st.tuples(st.sampled_from([b"say ", b"'", b"emote ", b":", b"shout ", b"tell ", b"be "]), nasty),
    min_size=10,
    max_size=20,
)


class Listeners(NamedTuple):
    """Six players in one room, each with another program."""

    plain: Player
    bright: Player
    marked: Player
    linked: Player
    hearing: Player
    boxed: Player
    narrow: Player


NAMES = ("Paul", "Bea", "Max", "Lin", "Hal", "Gil", "Nan")


async def seat(valley: Mud) -> Listeners:
    """Connect the players, and let them see each other arrive."""
    guests = Listeners(
        await valley.player(),
        await valley.player(terminal=("MUDLET", "XTERM-256COLOR", "MTTS 269")),
        await valley.player(options=[TakesMxp(), TakesMsp()]),
        await valley.player(options=[TellsVariables(OSC_HYPERLINKS="1")]),
        await valley.player(terminal=("VIPMUD", "ANSI", "MTTS 69")),
        await valley.player(gmcp=("Comm.Channel", "Room")),
        await valley.player(columns=30, rows=24),
    )
    for guest, name in zip(guests, NAMES, strict=True):
        await guest.type(name)
        await guest.sees("You can go")
    for guest in guests:
        await guest.catches_up()
    guests.boxed.gmcp.clear()
    return guests


async def lines_of(guest: Player, prompt: str = "> ") -> str:
    """Return the text read since the last call, without the prompt before it and the one repeated after it."""
    text = await guest.catches_up()
    if not text:
        return ""
    assert text.startswith("\n")
    assert text.endswith(prompt)
    return text[1 : -len(prompt)].replace(f"{prompt}\n", "")


def assert_harmless(text: str) -> None:
    harmful = {
        f"{ord(one):04x}" for one in text if unicodedata.category(one) in HARMFUL and one not in "\n\t" + JOINERS
    }
    assert harmful == set()
    assert TRIGGER.search(text) is None


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def coloured(line: str) -> set[str]:
    """The ways in which the game may colour a line: all of them, and no others."""
    name, rest = re.match("(\\w*)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
    ways = {f"\x1b[1m{name}\x1b[0m{rest}"}  # coming, going, and what is done with emote
    if spoken := re.fullmatch(' ([a-z ]+), "(.*)"', rest, re.DOTALL):
        ways |= {f'\x1b[1m{name}\x1b[0m {spoken[1]}, "\x1b[{code}m{spoken[2]}\x1b[0m"' for code in (32, 33, 35)}
    return ways


async def assert_all_read_the_same(guests: Listeners) -> None:
    plain = await lines_of(guests.plain)
    assert_harmless(plain)
    bright = (await lines_of(guests.bright)).splitlines()
    for shown, line in zip(bright, plain.splitlines(), strict=True):
        assert shown in coloured(line)
    assert await lines_of(guests.marked, "&gt; ") == escaped(plain)
    assert await lines_of(guests.linked) == plain
    assert await guests.hearing.catches_up() == plain
    assert await lines_of(guests.boxed) == plain
    narrow = await lines_of(guests.narrow)
    assert_harmless(narrow)
    assert "".join(narrow.split()) == "".join(plain.split())
    for package, data in guests.boxed.gmcp:
        if package == "Comm.Channel.Text":
            assert isinstance(data, dict)
            assert data["talker"] == "Eve"
            assert data["text"] in plain.splitlines()
    guests.boxed.gmcp.clear()


@pytest.mark.unmeasured
@settings(max_examples=settings().max_examples // 5)  # each seats a room of guests
@given(deeds)
async def test_nothing_that_players_send_commands_the_programs_of_others(
    mud: OpenMud, deeds: list[tuple[bytes, bytes]]
) -> None:
    async with mud(world, options=OPTIONS, limits=Limits(command_rate=None)) as valley:
        guests, eve = await seat(valley), await valley.player()
        await eve.type("Eve")
        await eve.sees("You can go")
        await assert_all_read_the_same(guests)
        for verb, words in deeds:
            if verb == b"be ":
                visitor = await valley.player()
                await visitor.send(words + b"\r\n")
                await visitor.catches_up()
                await visitor.vanish()
                assert_harmless(visitor.screen)
            elif verb == b"tell ":
                for name in NAMES:
                    await eve.send(b"tell %b %b\r\n" % (name.encode(), words))
            else:
                await eve.send(verb + words + b"\r\n")
            await assert_all_read_the_same(guests)
        assert_harmless(eve.screen)


async def test_what_is_typed_as_a_tag_is_read_as_it_was_typed_and_ours_are_tags(mud: OpenMud) -> None:
    async with mud(world, options=OPTIONS) as valley:
        ann, bob = [await valley.player(options=[TakesMxp()]) for _ in range(2)]
        await ann.type("Ann")
        await ann.catches_up()  # Bob is to find her there
        await bob.type("Bob", "look")
        ways = [f'\x1b[4z<send href="{way}">{way}\x1b[4z</send>' for way in ("north", "east", "west")]
        await bob.sees(f"You can go {ways[0]}, {ways[1]} or {ways[2]}.\n")
        await bob.sees('\x1b[4z<send href="look Ann">Ann\x1b[4z</send> is here.\n')
        assert bob.screen.count("\x1b[5z") == 1
        assert bob.screen.startswith("\x1b[5z")
        await ann.type("say <send>quit</send> & \x1b[1z<b>")
        await bob.sees("Ann says, &quot;&lt;send&gt;quit&lt;/send&gt; &amp; &lt;b&gt;&quot;\n")
        await ann.sees("You say, &quot;&lt;send&gt;quit&lt;/send&gt; &amp; &lt;b&gt;&quot;\n")


async def test_who_did_not_agree_to_tags_sees_none(mud: OpenMud) -> None:
    async with mud(world, options=OPTIONS) as valley:
        ann = await valley.player()
        await ann.type("Ann", "say <b> & co")
        await ann.sees('You say, "<b> & co"\n')
        assert "\x1b" not in ann.screen
