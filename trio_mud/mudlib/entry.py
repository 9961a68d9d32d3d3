"""Coming in and going away: the question at the door, and what the others see of it."""

from trio_mud import Dialog, Markup, Reason, link, markup, wrap

from .errors import Mistake
from .guest import Guest, page_width
from .names import read_name, same_name
from .out_of_band import tell_arrival, tell_departure, tell_name, tell_room
from .valley import Valley
from .verbs import commands, show_room

__all__ = ["come_in", "go_away"]

TRIES = 5  # then whoever it is may think it over outside
PATIENCE = 120.0  # seconds for all of them together

PRONOUNS = ("all", "anybody", "everybody", "everyone", "here", "me", "nobody", "self", "somebody", "someone", "you")
RESERVED = frozenset({*PRONOUNS, *(same_name(verb) for command in commands for verb in command.verbs)})


async def come_in(dialog: Dialog, valley: Valley) -> None:
    """Ask for a name until it is one, and let its owner in; or give up, and say goodbye.

    It begins once their program has told what it is, so that even the first screen has the right width and colours.
    """
    connection = dialog.connection
    await dialog.settled()
    connection.write(wrap(greeting(valley), page_width(connection)))
    for _ in range(TRIES):
        typed = await dialog.ask("By what name are you known? ")
        try:
            guest = valley.enter(read_name(typed, RESERVED), connection)  # nobody can take the name in between
        except Mistake as mistake:
            connection.write(str(mistake))
        else:
            welcome(guest)
            guest.prompt()
            return
    connection.quit("The geese lose patience. Come back when you know who you are.")


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


def welcome(guest: Guest) -> None:
    """Show a new guest where they are, and the others who has come."""
    guest.room.tell(markup("<b>{name}</b> comes down the valley road.", name=guest.name), but=guest)
    tell_arrival(guest)
    hint = markup("If you are at a loss, type {help}.", help=link("help"))
    guest.write(markup("Welcome to {valley}, {name}. {hint}\n", valley=guest.valley.name, name=guest.name, hint=hint))
    tell_name(guest)
    show_room(guest)
    tell_room(guest)


def go_away(guest: Guest, reason: Reason) -> None:
    """Take a guest out of the valley; the others see whether they left or were lost."""
    guest.valley.leave(guest)
    if reason is Reason.LINKDEATH:
        sight = "<b>{name}</b> stops in the middle of a breath, like a clock that nobody wound, and fades."
    else:
        sight = "<b>{name}</b> takes the valley road, grows small on it, and is gone."
    guest.room.tell(markup(sight, name=guest.name))
    tell_departure(guest, guest.room)
