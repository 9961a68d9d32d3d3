"""Guests talk, and exactly the intended guests read it."""

import pytest

from trio_mud import Limits
from trio_mud.mudlib import world
from trio_mud.testing import OpenMud

from ..conftest import ComeIn, reads


@pytest.mark.parametrize(
    ("line", "own", "heard"),
    [
        ("say hello", 'You say, "hello"', 'Ann says, "hello"'),
        ("'hello there", 'You say, "hello there"', 'Ann says, "hello there"'),
        ("say who?", 'You ask, "who?"', 'Ann asks, "who?"'),
        ("say <b>{name}</b>!", 'You exclaim, "<b>{name}</b>!"', 'Ann exclaims, "<b>{name}</b>!"'),
        (":smiles", "Ann smiles", "Ann smiles"),
        ("emote smiles.", "Ann smiles.", "Ann smiles."),
        ("\u2019hello", 'You say, "hello"', 'Ann says, "hello"'),
        ('"hello', 'You say, "hello"', 'Ann says, "hello"'),
        ("\u201ehello", 'You say, "hello"', 'Ann says, "hello"'),
        ("\u00abhello", 'You say, "hello"', 'Ann says, "hello"'),
        (":\u2019s hat falls off", "Ann\u2019s hat falls off", "Ann\u2019s hat falls off"),
        ("tell\u3000bob\u00a0psst", 'You tell Bob, "psst"', 'Ann tells you, "psst"'),
        ("say so   it\t\tis", 'You say, "so it is"', 'Ann says, "so it is"'),
        (":'s hat falls off", "Ann's hat falls off", "Ann's hat falls off"),
        ("shout ho", 'You shout, "ho"', 'Ann shouts, "ho"'),
        ("sho ho", 'You shout, "ho"', 'Ann shouts, "ho"'),
        ("tell bob psst", 'You tell Bob, "psst"', 'Ann tells you, "psst"'),
    ],
)
async def test_two_in_a_room_hear_each_other(mud: OpenMud, come_in: ComeIn, line: str, own: str, heard: str) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await ann.type(line)
        assert await reads(ann) == f"{own}\n"
        assert await reads(bob) == f"{heard}\n"


@pytest.mark.parametrize("line", ["say hello", ":smiles", "tell ann psst"])
async def test_what_is_not_for_everybody_stays_where_it_is(mud: OpenMud, come_in: ComeIn, line: str) -> None:
    async with mud(world) as valley:
        ann, bob, eve = [await come_in(valley, name) for name in ("Ann", "Bob", "Eve")]
        await eve.type("north")
        await eve.catches_up()
        await bob.type(line)
        await ann.sees("Bob")
        await eve.sees_nothing()


async def test_a_shout_is_heard_in_the_whole_valley(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("north", "shout halloo")
        await bob.sees('Somewhere in the valley Ann shouts, "halloo"')


async def test_a_tell_finds_its_way_by_the_beginning_of_a_name(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("north", "tell b are you there?")
        await bob.sees('Ann tells you, "are you there?"')


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("tell eve hello", 'Nobody in the valley is called "eve".'),
        ("tell an hello", "Do you mean Ann or Anna?"),
        ("tell ann", "Usage: tell WHOM WORDS"),
        ("tell bob hello", "You mutter something to yourself."),
        ("say", "Usage: say WORDS"),
        ("'", "Usage: say WORDS"),
    ],
)
async def test_what_reaches_nobody_is_answered(mud: OpenMud, come_in: ComeIn, line: str, answer: str) -> None:
    async with mud(world) as valley:
        ann, _, bob = [await come_in(valley, name) for name in ("Ann", "Anna", "Bob")]
        await ann.catches_up()
        await bob.type(line)
        assert await reads(bob) == f"{answer}\n"
        await ann.sees_nothing()


async def test_a_name_in_full_is_meant_even_if_another_begins_with_it(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, _, bob = [await come_in(valley, name) for name in ("Ann", "Anna", "Bob")]
        await bob.type("tell ann hello")
        await ann.sees('Bob tells you, "hello"')


async def test_an_accent_need_not_be_typed(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, jose = await come_in(valley, "Ann"), await come_in(valley, "Jos\u00e9")
        await ann.type("tell jose hello")
        await jose.sees('Ann tells you, "hello"')


async def test_words_cannot_carry_colours_or_escapes_to_others(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.send(b"say \x1b[31mred\x1b]0;title\x07 <red>alert</red>\r\n")
        await bob.sees('Ann says, "red <red>alert</red>"')
        assert "\x1b" not in bob.screen


async def test_speech_is_coloured_for_those_who_can_see_it(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await valley.player(terminal=("XTERM-256COLOR",))
        await bob.type("Bob")
        await bob.sees("\x1b[93mToll Green\x1b[0m")
        await ann.type("say hello")
        await bob.sees('\x1b[1mAnn\x1b[0m says, "\x1b[32mhello\x1b[0m"')
        assert "\x1b" not in ann.screen


@pytest.mark.parametrize(
    ("verb", "blank"),
    [
        *((verb, " ") for verb in ("say", "emote", "shout", "tell bob")),
        *(("emote", blank) for blank in "\t\u3000\u00a0\u2003\u2800\u3164\uffa0\u115f"),
    ],
)
async def test_no_padding_lets_words_begin_a_line_of_their_own(
    mud: OpenMud, come_in: ComeIn, verb: str, blank: str
) -> None:
    async with mud(world, limits=Limits(command_rate=None)) as valley:
        ann = await come_in(valley, "Ann")
        bob = await valley.player(columns=80, rows=24)
        await bob.type("Bob")
        await bob.sees("You can go")
        await ann.sees("Bob")
        await bob.catches_up()
        await ann.type(f'{verb} smiles.{blank * 90}Eve tells you, "Psst"')
        seen = await reads(bob)
        assert 'smiles. Eve tells you, "Psst"' in seen
        assert seen.count("\n") == 1


async def test_somebody_is_reached_by_the_letters_of_ones_own_keyboard(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        lukasz, mark = await come_in(valley, "\u0141ukasz"), await come_in(valley, "\u041c\u0430\u0440\u043a")
        await ann.type("tell lukasz psst", "tell MARK hey")
        await lukasz.sees('Ann tells you, "psst"')
        await mark.sees('Ann tells you, "hey"')


async def test_me_is_whoever_says_it(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("tell me hello")
        await ann.sees("You mutter something to yourself.")


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("line", ["emote smiles and", "say so", "shout so", "tell bob so"])
async def test_no_choice_of_words_begins_a_line_with_somebody_else(
    mud: OpenMud, come_in: ComeIn, line: str, columns: int
) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        bob = await valley.player(columns=columns, rows=24)
        await bob.type("Bob")
        await bob.sees("You can go")
        await ann.sees("Bob")
        await bob.catches_up()
        await ann.type(f'{line} {"on and " * 7}Eve tells you, "Psst" {"Eve " * 30}')
        begins, *rest = (await reads(bob)).splitlines()
        assert begins.startswith("Ann ")
        assert len(rest) > 1
        assert all(row.startswith("  ") for row in rest)


@pytest.mark.parametrize("verb", ["say", "emote", "shout", "tell bob"])
async def test_at_most_512_characters_are_heard_and_the_talker_is_told(
    mud: OpenMud, come_in: ComeIn, verb: str
) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await ann.type(verb + " " + "\u6f22" * 512)
        assert "too much" not in await reads(ann)
        assert (await reads(bob)).count("\u6f22") == 512
        await ann.type(verb + " " + "\u6f22" * 1000)
        assert "only the first 512 characters" in await reads(ann)
        assert (await reads(bob)).count("\u6f22") == 512
