"""Talking: to the room, to one, to all, and without words."""

from trio_mud import markup

from ..commands import Commands
from ..guest import Guest

__all__ = ["commands"]

commands = Commands[Guest](help_verbs=())


@commands.converter(Guest)
def anybody(who: Guest, words: str) -> Guest:
    """Somebody in the valley, wherever they are."""
    return who.valley.guest_called(words)


@commands.verb("say", "'")
def say(who: Guest, words: str) -> None:
    """Say something to everybody around you.

    'hello is short for: say hello
    """
    verb = {"?": "ask", "!": "exclaim"}.get(words[-1], "say")
    who.write(markup('You {verb}, "<green>{words}</green>"', verb=verb, words=words))
    heard = markup('<b>{name}</b> {verb}s, "<green>{words}</green>"', name=who.name, verb=verb, words=words)
    who.room.tell(heard, but=who)


@commands.verb("tell")
def tell(who: Guest, whom: Guest, words: str) -> None:
    """Tell somebody something, wherever they are.

    Nobody else hears it. The beginning of a name will do: tell b hello.
    """
    if whom is who:
        who.write("You mutter something to yourself.")
        return
    whom.write(markup('<b>{name}</b> tells you, "<magenta>{words}</magenta>"', name=who.name, words=words))
    who.write(markup('You tell <b>{name}</b>, "<magenta>{words}</magenta>"', name=whom.name, words=words))


@commands.verb("shout")
def shout(who: Guest, words: str) -> None:
    """Shout for the whole valley to hear."""
    who.write(markup('You shout, "<yellow>{words}</yellow>"', words=words))
    near = markup('<b>{name}</b> shouts, "<yellow>{words}</yellow>"', name=who.name, words=words)
    far = markup('Somewhere in the valley <b>{name}</b> shouts, "<yellow>{words}</yellow>"', name=who.name, words=words)
    for guest in who.valley.guests:
        if guest is not who:
            guest.write(near if guest.room is who.room else far)


@commands.verb("emote", ":")
def emote(who: Guest, words: str) -> None:
    """Do anything at all, in your own words.

    :smiles shows everybody around you that you smile.
    """
    gap = "" if words.startswith(("'", ",")) else " "  # :'s hat falls off
    who.room.tell(markup("<b>{name}</b>{gap}{words}", name=who.name, gap=gap, words=words))
