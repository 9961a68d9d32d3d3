"""Talking: to the room, to one, to all, and without words."""

from trio_mud import Text, markup, wrap
from trio_mud.accounts import same_name
from trio_mud.commands import APOSTROPHES, Commands, Mistake, listing, matches

from ..creatures import Heron
from ..out_of_band import tell_speech
from ..phrases import PHRASES
from ..quoting import close_up
from ..social_phrases import SOCIAL_PHRASES
from ..villager import Villager, villager_of, villagers, villagers_in
from .away import mention_absence

__all__ = ["HANGING", "commands", "everyone", "notice", "others", "player_called", "spoken", "utter"]

LONGEST = 512  # characters; every listener's client has to wrap and show them
HANGING = 2  # columns by which the second line of what somebody says is indented

commands = Commands[Villager](help_verbs=())


@commands.converter(Villager)
def player_called(who: Villager, words: str) -> Villager:
    """Return the player who is meant by a name in full or its beginning, wherever they are; `me` is the actor.

    Raises:
        Mistake: There is none, or it is not clear who.
    """
    if words.casefold() == "me":
        return who
    by_name = {same_name(other.name): other for other in everyone(who)}
    found = [by_name[name] for name in matches(same_name(words), by_name)]
    if not found:
        raise Mistake(PHRASES.not_in_valley.format(words=words))
    if len(found) > 1:
        raise Mistake(PHRASES.which_one.format(choices=listing([other.name for other in found], "or")))
    return found[0]


def everyone(who: Villager) -> list[Villager]:
    """Return all players in the valley."""
    assert who.session is not None, f"{who!r} types without a session"
    return villagers(who.session.server)


@commands.verb("say", "'", '"')
def say(who: Villager, words: str) -> None:
    """Say something to everybody around you.

    'hello is short for: say hello
    """
    words = spoken(who, words)
    verb = {"?": "ask", "!": "exclaim"}.get(words[-1:], "say")
    own = markup('You {verb}, "<green>{words}</green>"', verb=verb, words=words)
    heard = markup('<b>{name}</b> {verb}s, "<green>{words}</green>"', name=who.name, verb=verb, words=words)
    utter("say", who, own, [who])
    utter("say", who, heard, others(who, villagers_in(who.here)))
    notice(who, words)


@commands.verb("tell")
def tell(who: Villager, whom: Villager, words: str) -> None:
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
    if not whom.ignores(who):
        whom.last_teller = who.name
    if who.ignores(whom):
        who.write(SOCIAL_PHRASES.ignored_answer.format(name=whom.name))
    mention_absence(whom, who)
    if whom.is_absent:
        who.write(f"{whom.name} is absent in mind, and will hear it on coming back.")


@commands.verb("reply", "r")
def reply(who: Villager, words: str) -> None:
    """Answer the player who told you something last."""
    if not who.last_teller:
        raise Mistake(SOCIAL_PHRASES.nobody_told)
    assert who.session is not None, f"{who!r} types without a session"
    teller = villager_of(who.session.server.sessions.get(same_name(who.last_teller)))
    if teller is None or teller.room is None:
        raise Mistake(SOCIAL_PHRASES.teller_gone.format(name=who.last_teller))
    tell(who, teller, words)


@commands.verb("shout")
def shout(who: Villager, words: str) -> None:
    """Shout for the whole valley to hear."""
    words = spoken(who, words)
    own = markup('You shout, "<yellow>{words}</yellow>"', words=words)
    near = markup('<b>{name}</b> shouts, "<yellow>{words}</yellow>"', name=who.name, words=words)
    far = markup("Somewhere in the valley {near}", near=near)
    utter("shout", who, own, [who])
    utter("shout", who, near, others(who, villagers_in(who.here)))
    utter("shout", who, far, [other for other in everyone(who) if other.room is not who.room])


@commands.verb("emote", ":")
def emote(who: Villager, words: str) -> None:
    """Do anything at all, in your own words.

    :smiles shows everybody around you that you smile.
    """
    words = spoken(who, words)
    gap = "" if words.startswith((*APOSTROPHES, ",")) else " "  # :'s hat falls off
    done = markup("<b>{name}</b>{gap}{words}", name=who.name, gap=gap, words=words)
    utter("emote", who, done, villagers_in(who.here))
    notice(who, words)


def spoken(who: Villager, words: str) -> str:
    """Return what of these words is said: no gaps, and not too much at once.

    Raises:
        Mistake: The player is muted.
    """
    who.check_speech()
    words = close_up(words)
    if len(words) > LONGEST:
        who.write(PHRASES.too_long.format(longest=LONGEST))
        words = words[:LONGEST].rstrip()
    return words


def utter(channel: str, talker: Villager, text: Text, listeners: list[Villager]) -> None:
    """Let some hear it, and their programs too; not those who ignore the talker.

    Lines that are broken off are indented: no words can be chosen so that a line looks like somebody else's.
    """
    listeners = [listener for listener in listeners if not listener.ignores(talker)]
    shown: dict[int | None, Text] = {}
    for listener in listeners:
        width = listener.columns
        if width not in shown:
            shown[width] = wrap(text, width, hanging=HANGING)
        listener.hear(shown[width])
    tell_speech(listeners, channel, talker, text)


def notice(who: Villager, words: str) -> None:
    """Let the creatures in the room notice what is said or done."""
    for thing in who.here.contents:
        if isinstance(thing, Heron):
            thing.notice(words)


def others(who: Villager, listeners: list[Villager]) -> list[Villager]:
    """Return these players but one."""
    return [other for other in listeners if other is not who]
