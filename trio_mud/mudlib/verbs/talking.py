"""Talking: to the room, to one, to all, and without words."""

from trio_mud import Text, markup, wrap
from trio_mud.commands import APOSTROPHES, Commands

from ..guest import Guest
from ..out_of_band import tell_speech
from ..phrases import PHRASES
from ..quoting import close_up

__all__ = ["commands"]

LONGEST = 512  # characters; every listener's client has to wrap and show them
HANGING = 2  # columns by which the second line of what somebody says is indented

commands = Commands[Guest](help_verbs=())


@commands.converter(Guest)
def anybody(who: Guest, words: str) -> Guest:
    """Somebody in the valley, wherever they are; `me` is whoever says it."""
    if words.casefold() == "me":
        return who
    return who.valley.guest_called(words)


@commands.verb("say", "'", '"')
def say(who: Guest, words: str) -> None:
    """Say something to everybody around you.

    'hello is short for: say hello
    """
    words = spoken(who, words)
    verb = {"?": "ask", "!": "exclaim"}.get(words[-1:], "say")
    own = markup('You {verb}, "<green>{words}</green>"', verb=verb, words=words)
    heard = markup('<b>{name}</b> {verb}s, "<green>{words}</green>"', name=who.name, verb=verb, words=words)
    utter("say", who, own, [who])
    utter("say", who, heard, others(who, who.room.guests))
    who.valley.notice(who.room, words)


@commands.verb("tell")
def tell(who: Guest, whom: Guest, words: str) -> None:
    """Tell somebody something, wherever they are.

    Nobody else hears it. The beginning of a name will do: tell b hello.
    Who is only a body just now will hear it on coming back.
    """
    if whom is who:
        who.write("You mutter something to yourself.")
        return
    words = spoken(who, words)
    heard = markup('<b>{name}</b> tells you, "<magenta>{words}</magenta>"', name=who.name, words=words)
    own = markup('You tell <b>{name}</b>, "<magenta>{words}</magenta>"', name=whom.name, words=words)
    utter("tell", who, heard, [whom])
    utter("tell", who, own, [who])
    if whom.is_absent:
        who.write(f"{whom.name} is absent in mind, and will hear it on coming back.")


@commands.verb("shout")
def shout(who: Guest, words: str) -> None:
    """Shout for the whole valley to hear."""
    words = spoken(who, words)
    own = markup('You shout, "<yellow>{words}</yellow>"', words=words)
    near = markup('<b>{name}</b> shouts, "<yellow>{words}</yellow>"', name=who.name, words=words)
    far = markup("Somewhere in the valley {near}", near=near)
    utter("shout", who, own, [who])
    utter("shout", who, near, others(who, who.room.guests))
    utter("shout", who, far, [guest for guest in who.valley.guests if guest.room is not who.room])


@commands.verb("emote", ":")
def emote(who: Guest, words: str) -> None:
    """Do anything at all, in your own words.

    :smiles shows everybody around you that you smile.
    """
    words = spoken(who, words)
    gap = "" if words.startswith((*APOSTROPHES, ",")) else " "  # :'s hat falls off
    done = markup("<b>{name}</b>{gap}{words}", name=who.name, gap=gap, words=words)
    utter("emote", who, done, who.room.guests)
    who.valley.notice(who.room, words)


def spoken(who: Guest, words: str) -> str:
    """What of these words is said: no gaps, and not too much at once."""
    words = close_up(words)
    if len(words) > LONGEST:
        who.write(PHRASES.too_long.format(longest=LONGEST))
        words = words[:LONGEST].rstrip()
    return words


def utter(channel: str, talker: Guest, text: Text, listeners: list[Guest]) -> None:
    """Let some hear it, and their programs too.

    Lines that are broken off are indented: no words can be chosen so that a line looks like somebody else's.
    """
    shown: dict[int | None, Text] = {}
    for listener in listeners:
        width = listener.columns
        if width not in shown:
            shown[width] = wrap(text, width, hanging=HANGING)
        listener.hear(shown[width])
    tell_speech(listeners, channel, talker, text)


def others(who: Guest, guests: list[Guest]) -> list[Guest]:
    """These guests but one."""
    return [guest for guest in guests if guest is not who]
