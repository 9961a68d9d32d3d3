"""Tuning: how the valley is shown, and what it knows of the program that shows it."""

from typing import Literal

from trio_mud.commands import Commands, Mistake, listing

from ..phrases import PHRASES
from ..villager import COLOURS, Villager

__all__ = ["commands"]

CHARSETS = ("utf-8", "ascii", "latin-1", "windows-1252", "windows-1251", "koi8-r", "gbk", "big5", "euc-kr", "shift-jis")

commands = Commands[Villager](help_verbs=())


@commands.verb("colour", "color")
def colour(who: Villager, which: Literal["off", "16", "256", "true", "auto"] | None = None) -> None:
    """Choose how many colours you see.

    colour 256     256 of them; or 16, or true for all there are
    colour off     none
    colour auto    as many as your program says it shows
    colour         changes nothing, and tells you how it is
    """
    if which is not None:
        who.prefer("colour", which)
    who.write(f"Colours: {colours(who)}")


@commands.verb("reader")
def reader(who: Villager, which: Literal["on", "off", "auto"] | None = None) -> None:
    """Say whether a screen reader reads to you.

    reader on      plain words, no prompt, no pages, no line broken before its end
    reader off     the valley is shown for eyes
    reader auto    as your program says; few programs do
    reader         changes nothing, and tells you how it is
    """
    if which is not None:
        who.prefer("reader", which)
    who.write(f"Screen reader: {yes(who.client.screen_reader)} {source(who, 'screen_reader')}")


@commands.verb("charset")
def charset(who: Villager, which: str = "") -> None:
    """Choose how letters travel to your program.

    charset utf-8     as most programs do
    charset latin-1   for one that does not; or ascii, windows-1252, koi8-r, gbk, big5, and many more
    charset auto      as your program says
    charset           changes nothing, and tells you how it is
    """
    if which:
        try:
            who.prefer("charset", which.casefold())
        except ValueError:
            choices = listing((*CHARSETS, "auto"), commands.phrases.either)
            raise Mistake(PHRASES.no_charset.format(word=which, choices=choices)) from None
    who.write(f"Charset: {who.client.charset} {source(who, 'charset')}")


@commands.verb("client")
def tell_client(who: Villager) -> None:
    """See what the valley knows of your program, and how."""
    client = who.client
    program = f"{client.program} {client.version}".strip() or "of no name"
    size = client.size
    lines = [
        f"Program: {program} {source(who, 'program')}",
        f"Terminal: {client.terminal or 'of no name'} {source(who, 'terminal')}",
        f"Window: {size.columns} columns, {size.rows} rows {source(who, 'size')}",
        f"Colours: {colours(who)}",
        f"Screen reader: {yes(client.screen_reader)} {source(who, 'screen_reader')}",
        f"Charset: {client.charset} {source(who, 'charset')}",
        f"Links to click: {yes(client.rendering.links or client.rendering.mxp)}",
        f"Sounds: {yes(client.rendering.sounds)}",
        f"Encrypted: {yes(client.is_secure)}",
        f"GMCP: {', '.join(sorted(client.packages)) or 'none'}",
    ]
    who.read("\n".join(lines))


def colours(who: Villager) -> str:
    """How many a guest sees, and who says so."""
    client = who.client
    seen = client.rendering.colours
    number = "none" if seen == 0 else "all" if seen == COLOURS["true"] else str(seen)
    # A program that shows colours may have a listener who does not want to hear them spelt out.
    why = "screen_reader" if seen != client.colours else "colours"
    return f"{number} {source(who, why)}"


def source(who: Villager, fact: str) -> str:
    """Where a fact about a guest's program comes from, in brackets."""
    name = who.client.source_of(fact).name
    known = {"DEFAULT": "assumed", "PREFERENCE": "as you wish", "NEGOTIATION": "agreed", "TRANSPORT": "from your link"}
    return f"({known.get(name) or 'told by ' + name.replace('_', '-')})"


def yes(is_so: bool) -> str:
    """Yes or no."""
    return "yes" if is_so else "no"
