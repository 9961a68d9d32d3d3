"""Guests choose how the valley is shown, and read what is known of their program."""

import pytest

from trio_mud import Limits
from trio_mud.mudlib import world
from trio_mud.mudlib.verbs.tuning import CHARSETS
from trio_mud.telnet import DEFAULT_OPTIONS
from trio_mud.telnet.options import Mxp
from trio_mud.testing import OpenMud

from ..conftest import ComeIn, reads
from ..programs import TakesMxp

BRIGHT = ("MUDLET", "XTERM-256COLOR", "MTTS 13")


@pytest.mark.parametrize(
    ("line", "answer", "room"),
    [
        ("colour", "Colours: 256 (told by TTYPE)", "\x1b[93mToll Green\x1b[0m"),
        ("colour off", "Colours: none (as you wish)", "Toll Green"),
        ("color off", "Colours: none (as you wish)", "Toll Green"),
        ("colour 16", "Colours: 16 (as you wish)", "\x1b[93mToll Green\x1b[0m"),
        ("colour true", "Colours: all (as you wish)", "\x1b[93mToll Green\x1b[0m"),
        ("colour pink", '"pink" is none of off, 16, 256, true or auto.', "\x1b[93mToll Green\x1b[0m"),
    ],
)
async def test_colours_are_as_the_guest_wishes(mud: OpenMud, line: str, answer: str, room: str) -> None:
    async with mud(world) as valley:
        ann = await valley.player(terminal=BRIGHT)
        await ann.type("Ann")
        await ann.sees("You can go")
        await ann.catches_up()
        await ann.type(line, "look")
        seen = (await reads(ann)).splitlines()
        assert seen[:2] == [answer, room]


async def test_a_wish_holds_until_it_is_taken_back(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player(terminal=BRIGHT)
        await ann.type("Ann", "colour off", "colour auto")
        await ann.sees("Colours: none (as you wish)")
        await ann.sees("Colours: 256 (told by TTYPE)")


async def test_who_says_that_a_reader_reads_is_shown_words_alone(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player(terminal=BRIGHT)
        await ann.type("Ann")
        await ann.sees("You can go")
        await ann.catches_up()
        await ann.type("reader on", "colour", "look")
        seen = (await ann.catches_up()).splitlines()
        assert seen[:3] == ["Screen reader: yes (as you wish)", "Colours: none (as you wish)", "Toll Green"]
        await ann.type("colour 16", "reader", "reader auto")
        assert (await ann.catches_up()).splitlines() == [
            "Colours: 16 (as you wish)",
            "Screen reader: yes (as you wish)",
            "Screen reader: no (assumed)",
            "> ",
        ]


async def test_who_is_taken_for_a_listener_can_say_otherwise(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player(terminal=("VIPMUD", "ANSI", "MTTS 65"))
        await ann.type("Ann", "reader off", "look")
        await ann.sees("Screen reader: no (as you wish)\n> \x1b[93mToll Green")


async def test_a_program_is_known_by_what_it_told(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player(columns=100, rows=40, terminal=BRIGHT, gmcp=("Char", "Room"))
        await ann.type("Ann")
        await ann.sees("You can go")
        await ann.catches_up()
        await ann.type("client")
        assert (await reads(ann)).splitlines() == [
            "Program: trio_mud.testing 1 (told by GMCP)",
            "Terminal: XTERM-256COLOR (told by TTYPE)",
            "Window: 100 columns, 40 rows (told by NAWS)",
            "Colours: 256 (told by TTYPE)",
            "Screen reader: no (assumed)",
            "Charset: utf-8 (told by MTTS)",
            "Links to click: no",
            "Sounds: no",
            "Encrypted: no",
            "GMCP: char, room",
        ]


async def test_a_program_that_tells_nothing_is_known_by_nothing(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("client")
        seen = (await reads(ann)).splitlines()
        assert seen[0] == "Program: of no name (assumed)"
        assert seen[2:4] == ["Window: 80 columns, 24 rows (assumed)", "Colours: none (assumed)"]


async def test_tags_make_links_too(mud: OpenMud) -> None:
    async with mud(world, options=(*DEFAULT_OPTIONS, Mxp())) as valley:
        ann = await valley.player(options=[TakesMxp()])
        await ann.type("Ann", "client")
        await ann.sees("Links to click: yes\n")


async def test_a_guest_chooses_the_charset_and_takes_it_back(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("charset latin-1")
        await ann.sees("Charset: iso8859-1 (as you wish)\n")
        await bob.type("say It\u2019s caf\u00e9\u2026 in \u0141\u00f3d\u017a")
        await ann.sees('Bob says, "It\'s caf\ufffd... in L\ufffddz"')  # as a terminal of UTF-8 reads these bytes
        await ann.type("charset ASCII", "charset auto", "charset")
        await ann.sees("Charset: ascii (as you wish)\n")
        await ann.sees("Charset: utf-8 (assumed)\n> Charset: utf-8 (assumed)\n")


async def test_a_charset_that_nobody_knows_is_answered_with_some_that_are(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("charset klingon")
        await ann.sees('No charset is called "klingon": try utf-8, ascii, latin-1, ')
        await ann.sees("shift-jis or auto.")


async def test_every_charset_that_is_proposed_is_known(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world, limits=Limits(command_rate=None)) as valley:
        ann = await come_in(valley, "Ann")
        for name in CHARSETS:
            await ann.type(f"charset {name}")
            await ann.sees("(as you wish)\n")
