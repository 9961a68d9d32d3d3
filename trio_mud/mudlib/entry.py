"""Coming in, being lost, coming back and going away: the question at the door, and what the others see of it."""

from trio_mud import Connection, Dialog, Markup, Reason, Text, link, markup, wrap
from trio_mud.accounts import appearance, read_name, same_name
from trio_mud.commands import Commands, Mistake
from trio_mud.world import Room

from .lore import CHANNELS
from .out_of_band import tell_arrival, tell_channels, tell_departure, tell_name, tell_room
from .phrases import PHRASES
from .verbs import commands, show_room
from .villager import Villager, page_width, villager_of

__all__ = ["appear", "ask_for_a_name", "freeze", "go_away", "go_on", "reserved_by", "slip_back", "thaw", "wake_up"]

LEAVE = "quit"  # typed at a question, too
TRIES = 5  # for a name
SILENCE = 0.25  # seconds until a program that answers nothing is greeted as it is; most answer within one round trip
PATIENCE = 120.0  # seconds for all of them together
GRACE = 300.0  # seconds a body waits for a mind that has lost its link

PRONOUNS = ("all", "anybody", "everybody", "everyone", "here", "me", "nobody", "self", "somebody", "someone", "you")
# What crawlers and programs of players type at a login: MUDINFO 1.1, MSSP, PennMUSH's login screen, Pueblo clients.
LOGIN_WORDS = ("connect", "create", "doing", "info", "mssp", "mudinfo", "puebloclient", "session", "version", "who")


def reserved_by(table: Commands[Villager]) -> frozenset[str]:
    """Return the words that are no names in a valley with these commands."""
    verbs = (same_name(verb) for command in table for verb in command.verbs)
    return frozenset({*PRONOUNS, "board", "heron", "rat", *LOGIN_WORDS, *verbs})


RESERVED = reserved_by(commands)


async def ask_for_a_name(dialog: Dialog) -> None:
    """Ask for a name until it is one, and let its owner in; or give up, and say goodbye.

    It begins once their program has told what it is, so that even the first screen has the right width and colours;
    a program that answers nothing is not waited for.
    """
    connection = dialog.connection
    await dialog.client_ready(silence=SILENCE)
    connection.write(wrap(greeting(), page_width(connection)))
    for _ in range(TRIES):
        typed = await ask(dialog, "By what name are you known? ")
        try:
            name = read_name(typed, RESERVED)
        except Mistake as mistake:
            connection.write(str(mistake))
            continue
        if is_imitation(name, connection):
            connection.write(PHRASES.name_looks_taken)
            continue
        if await is_theirs(dialog, name):
            take_place(Villager(name=name), connection)  # nothing waits in between, so the name is still free
            return
    connection.quit(PHRASES.too_many_tries)


def is_imitation(name: str, connection: Connection) -> bool:
    """Return True if a player has another name that looks the same: a Cyrillic Sara beside a Latin Capa."""
    look, key = appearance(name), same_name(name)
    names = [body.name for session in connection.server.sessions if (body := villager_of(session))]
    return any(appearance(other) == look and same_name(other) != key for other in names)


async def is_theirs(dialog: Dialog, name: str) -> bool:
    """Return True if the name is free, or its body waits without a mind, or they say that it is theirs.

    There is no password here, so whoever knows the name may return to it.
    """
    session = dialog.connection.server.sessions.get(same_name(name))
    if session is None or session.connection is None or session.connection.ending is not None:
        return True
    texts = dialog.connection.server.texts
    for _ in range(TRIES):
        answer = await ask(dialog, f"{session.body} is in the valley already. Is that you? (yes/no) ")
        for words, meaning in ((texts.yes, True), (texts.no, False)):
            if answer.strip().casefold() in words.casefold().split():
                return meaning
        dialog.connection.write(texts.confirm_again)
    return False


async def ask(dialog: Dialog, question: Text) -> str:
    """Ask a stranger, who may leave by `quit` as anywhere in the valley."""
    answer = await dialog.ask(question)
    if answer.strip().casefold() == LEAVE:
        dialog.connection.quit(PHRASES.left_at_the_door)
        await dialog.ask(question)  # raises ConnectionEnded, which ends the dialog
    return answer


def take_place(body: Villager, connection: Connection) -> None:
    """Begin a session with this body, or go on with the one of that name."""
    sessions, key = connection.server.sessions, same_name(body.name)
    known = sessions.get(key)
    if known is not None and known.connection is None:  # before the lines that were missed
        slip_back(connection, str(known.body))
    session = sessions.enter(key, connection, body=body, grace=GRACE)
    connection.name = str(session.body)


def slip_back(connection: Connection, name: str) -> None:
    """Say that a body without a mind waits for the player."""
    connection.write(wrap(PHRASES.slip_back.format(name=name), page_width(connection)))


def greeting() -> Markup:
    """Return what a stranger reads first."""
    return markup(
        "\n<b>{title}</b>\n\nThe road comes over a last rise and there it lies, "
        "with a river that takes its time, and a clock that takes the river's.\n",
        title=f"The {PHRASES.valley}",
    )


def appear(who: Villager) -> None:
    """A session begins: show a player where they are, and the others who has come."""
    who.aliases = (same_name(who.name),)  # as others type it on their keyboards
    if who.room is who.world.start:
        sight = "<b>{name}</b> comes down the valley road."
    else:
        sight = "<b>{name}</b> is back, as if the clock had only skipped a drop."
    who.here.tell(markup(sight, name=who.name), exclude=[who])
    tell_arrival(who)
    hint = markup("If you are at a loss, type {help}.", help=link("help"))
    who.write(markup("Welcome to the {valley}, {name}. {hint}\n", valley=PHRASES.valley, name=who.name, hint=hint))
    look_around(who)


def go_on(who: Villager) -> None:
    """The world has restarted in the middle of a session: no player sees a sign of it."""
    who.aliases = (same_name(who.name),)
    who.is_absent = who.session is not None and who.session.connection is None


def freeze(who: Villager) -> None:
    """A link is dead: the body stays, and the others see that no mind is in it."""
    who.is_absent = True
    sight = "<b>{name}</b> stops in the middle of a breath, like a clock that nobody wound."
    who.here.tell(markup(sight, name=who.name), exclude=[who])


def thaw(who: Villager) -> None:
    """A player is back, or has come in by another way, which the others do not see."""
    if who.is_absent:
        who.is_absent = False
        sight = "<b>{name}</b> draws the other half of a breath, and is back."
        who.here.tell(markup(sight, name=who.name), exclude=[who])
    who.write("You are yourself again.\n")
    look_around(who)


def look_around(who: Villager) -> None:
    """Show a player and their program who and where they are."""
    if who.draft:
        who.write(markup("You still hold the note that you had begun: {note} goes on with it.\n", note=link("note")))
    tell_name(who)
    show_room(who)
    tell_room(who)
    tell_channels(who, CHANNELS)
    who.prompt()


def wake_up(who: Villager, fell_in: Room) -> None:
    """A player has fallen, and is at the start again."""
    tell_departure(who, fell_in)
    who.here.tell(markup(PHRASES.wakes_up, actor=who), exclude=[who])
    tell_arrival(who)
    look_around(who)


def go_away(who: Villager, reason: Reason) -> None:
    """A session is over: the others see whether a player left, or a body waited in vain."""
    if reason is Reason.LINKDEATH:
        sight = "<b>{name}</b>, whom nobody has wound again, grows thin as breath on a pane, and fades."
    else:
        sight = "<b>{name}</b> takes the valley road, grows small on it, and is gone."
    who.here.tell(markup(sight, name=who.name), exclude=[who])
    tell_departure(who, who.here)
