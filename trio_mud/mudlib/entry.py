"""Coming in, being lost, coming back and going away: the question at the door, and what the others see of it."""

from trio_mud import Connection, Dialog, Markup, Reason, Text, link, markup, wrap
from trio_mud.accounts import appearance, read_name, same_name
from trio_mud.commands import Mistake

from .guest import Guest, page_width
from .out_of_band import tell_arrival, tell_departure, tell_name, tell_room
from .valley import Valley
from .verbs import resident_commands, show_room

__all__ = ["appear", "ask_for_a_name", "freeze", "go_away", "slip_back", "thaw"]

BOARD = "board"  # which `look` shows
LEAVE = "quit"  # typed at a question, too
TRIES = 5  # then whoever it is may think it over outside
SILENCE = 0.25  # seconds until a program that answers nothing is greeted as it is; most answer within one round trip
PATIENCE = 120.0  # seconds for all of them together
GRACE = 300.0  # seconds a body waits for a mind that has lost its link

PRONOUNS = ("all", "anybody", "everybody", "everyone", "here", "me", "nobody", "self", "somebody", "someone", "you")
# What crawlers and programs of players type at a login: MUDINFO 1.1, MSSP, PennMUSH's login screen, Pueblo clients.
LOGIN_WORDS = ("connect", "create", "doing", "info", "mssp", "mudinfo", "puebloclient", "session", "version", "who")
RESERVED = frozenset(
    {*PRONOUNS, BOARD, *LOGIN_WORDS, *(same_name(verb) for command in resident_commands for verb in command.verbs)}
)


async def ask_for_a_name(dialog: Dialog, valley: Valley) -> None:
    """Ask for a name until it is one, and let its owner in; or give up, and say goodbye.

    It begins once their program has told what it is, so that even the first screen has the right width and colours;
    a program that answers nothing is not waited for.
    """
    connection = dialog.connection
    await dialog.client_ready(silence=SILENCE)
    connection.write(wrap(greeting(valley), page_width(connection)))
    for _ in range(TRIES):
        typed = await ask(dialog, "By what name are you known? ")
        try:
            name = read_name(typed, RESERVED)
        except Mistake as mistake:
            connection.write(str(mistake))
            continue
        if is_imitation(name, valley):
            connection.write("Somebody in the valley has a name that looks just like this one.")
            continue
        if await is_theirs(dialog, name):
            take_place(Guest(name, valley), connection)  # nobody can take the name in between
            return
    connection.quit("The geese lose patience. Come back when you know who you are.")


def is_imitation(name: str, valley: Valley) -> bool:
    """Whether a guest has another name that looks the same: a Cyrillic Sara beside a Latin Capa."""
    look, key = appearance(name), same_name(name)
    return any(appearance(guest.name) == look and same_name(guest.name) != key for guest in valley.guests)


async def is_theirs(dialog: Dialog, name: str) -> bool:
    """Whether the name is free, or a body without a mind waits for them under it, or they say that it is theirs.

    Nothing is kept here, so whoever knows the name may return to it.
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
        dialog.connection.quit("The road takes you back over the rise.")
        await dialog.ask(question)  # raises ConnectionEnded, which ends the dialog
    return answer


def take_place(guest: Guest, connection: Connection) -> None:
    """Begin a stay with this guest, or go on with the one of that name; the events of sessions do the rest."""
    sessions, key = connection.server.sessions, same_name(guest.name)
    known = sessions.get(key)
    if known is not None and known.connection is None:  # before the lines that were missed
        slip_back(connection, str(known.body))
    session = sessions.enter(key, connection, body=guest, grace=GRACE)
    if session.body is guest:
        guest.session = session
    connection.name = str(session.body)


def slip_back(connection: Connection, name: str) -> None:
    """Say that a body without a mind waits for the player."""
    body = f"{name}'s body still stands where it was left. You slip back into it, and hear what it heard."
    connection.write(wrap(body, page_width(connection)))


def greeting(valley: Valley) -> Markup:
    """What a stranger reads first."""
    return markup(
        "\n<b>{name}</b>\n\nThe road comes over a last rise and there it lies, "
        "with a river that takes its time, and a clock that takes the river's.\n",
        name=title(valley.name),
    )


def title(name: str) -> str:
    """A valley's name, as it stands over a page and not in a sentence."""
    return name[0].upper() + name[1:]


def appear(guest: Guest) -> None:
    """A stay begins: show a new guest where they are, and the others who has come."""
    guest.valley.enter(guest)
    guest.room.tell(markup("<b>{name}</b> comes down the valley road.", name=guest.name), but=guest)
    tell_arrival(guest)
    hint = markup("If you are at a loss, type {help}.", help=link("help"))
    guest.write(markup("Welcome to {valley}, {name}. {hint}\n", valley=guest.valley.name, name=guest.name, hint=hint))
    look_around(guest)


def freeze(guest: Guest) -> None:
    """A link is dead: the body stays, and the others see that nobody is in it."""
    guest.is_absent = True
    sight = "<b>{name}</b> stops in the middle of a breath, like a clock that nobody wound."
    guest.room.tell(markup(sight, name=guest.name), but=guest)


def thaw(guest: Guest) -> None:
    """The guest is back, or has come in by another way, which nobody else sees."""
    if guest.is_absent:
        guest.is_absent = False
        sight = "<b>{name}</b> draws the other half of a breath, and is back."
        guest.room.tell(markup(sight, name=guest.name), but=guest)
    guest.write("You are yourself again.\n")
    if guest.draft:
        guest.write(markup("You still hold the note that you had begun: {note} goes on with it.\n", note=link("note")))
    look_around(guest)


def look_around(guest: Guest) -> None:
    """Show a guest and their program who and where they are."""
    tell_name(guest)
    show_room(guest)
    tell_room(guest)
    guest.prompt()


def go_away(guest: Guest, reason: Reason) -> None:
    """A stay is over: the others see whether a guest left, or a body waited in vain."""
    guest.valley.leave(guest)
    if reason is Reason.LINKDEATH:
        sight = "<b>{name}</b>, whom nobody has wound again, grows thin as breath on a pane, and fades."
    else:
        sight = "<b>{name}</b> takes the valley road, grows small on it, and is gone."
    guest.room.tell(markup(sight, name=guest.name))
    tell_departure(guest, guest.room)
