"""Writing: notes on a board, for whoever comes by later."""

from functools import partial

from trio_mud import Dialog
from trio_mud.commands import Commands, Mistake

from ..board import LONGEST_NOTE, MOST_LINES, Board, Note
from ..phrases import PHRASES
from ..sky import date_of
from ..villager import Villager, page_width

__all__ = ["commands", "show_notes"]

commands = Commands[Villager](help_verbs=())


def board_here(who: Villager) -> Board:
    """Return the board in the same room."""
    for thing in who.here.contents:
        if isinstance(thing, Board):
            return thing
    raise Mistake(PHRASES.no_board)


@commands.verb("note")
def leave_note(who: Villager) -> None:
    """Write a note, and pin it to the board.

    The board keeps a few notes only: a new one may take the pin of the oldest.
    If your link dies while you write, the note waits for you.
    """
    board = board_here(who)
    who.check_speech()
    if who.connection is not None:
        who.connection.start_dialog(partial(write_note, who=who, board=board))


async def write_note(dialog: Dialog, who: Villager, board: Board) -> None:
    """Let a player write, and pin up what comes of it. A link that dies meanwhile leaves a draft to go on with."""

    def keep(text: str) -> None:
        who.draft = text

    if who.draft:
        who.write("You go on with the note that you had begun. Type .l to see it.")
    text = await dialog.edit(who.draft, most_lines=MOST_LINES, most_bytes=LONGEST_NOTE, draft=keep)
    who.draft = ""
    if text is None or not text.strip():
        who.write("You put the pen back.")
    elif board.place is not who.place:  # both may have been moved meanwhile
        who.draft = text
        who.write(PHRASES.board_gone)
    else:
        pin(who, board, text)
    who.prompt()


def pin(who: Villager, board: Board, text: str) -> None:
    """Pin up what a player has written, who keeps it if they were muted meanwhile."""
    try:
        who.check_speech()
    except Mistake as mistake:
        who.draft = text
        who.write(str(mistake))
        return
    board.pin(Note(who.name, str(date_of(who.world)), text))
    who.write("You pin your note to the board.")
    who.act("", "<b>{actor}</b> pins a note to the board.")


@commands.verb("read")
def read_notes(who: Villager) -> None:
    """Read the notes on the board."""
    show_notes(who, board_here(who))


def show_notes(who: Villager, board: Board) -> None:
    """Show a player the notes on a board."""
    if who.connection is not None:
        who.read(board.show(page_width(who.connection)))
