"""Writing: notes on a board, for whoever comes by later."""

from functools import partial

from trio_mud import Dialog, markup
from trio_mud.commands import Commands, Mistake

from ..board import LONGEST_NOTE, MOST_LINES, Board, Note
from ..guest import Guest, page_width

__all__ = ["commands", "show_notes"]

commands = Commands[Guest](help_verbs=())


def board_here(who: Guest) -> Board:
    """The board in the same room."""
    if who.room.board is None:
        raise Mistake("There is no board here. You remember one on Gnomon Square.")
    return who.room.board


@commands.verb("note")
def leave_note(who: Guest) -> None:
    """Write a note, and pin it to the board.

    The board keeps a few notes only: a new one may take the pin of the oldest.
    If your link dies while you write, the note waits for you as long as your body does.
    """
    board = board_here(who)
    if who.connection is not None:
        who.connection.start_dialog(partial(write_note, who=who, board=board))


async def write_note(dialog: Dialog, who: Guest, board: Board) -> None:
    """Let a guest write, and pin up what comes of it. A link that dies meanwhile leaves a draft to go on with."""

    def keep(text: str) -> None:
        who.draft = text

    if who.draft:
        who.write("You go on with the note that you had begun. Type .l to see it.")
    text = await dialog.edit(who.draft, most_lines=MOST_LINES, most_bytes=LONGEST_NOTE, draft=keep)
    who.draft = ""
    if text is None or not text.strip():
        who.write("You put the pen back.")
    else:
        board.pin(Note(who.name, str(who.valley.date), text))
        who.write("You pin your note to the board.")
        who.room.tell(markup("<b>{name}</b> pins a note to the board.", name=who.name), but=who)
    who.prompt()


@commands.verb("read")
def read_notes(who: Guest) -> None:
    """Read the notes on the board."""
    show_notes(who, board_here(who))


def show_notes(who: Guest, board: Board) -> None:
    """Let a guest read a board."""
    if who.connection is not None:
        who.read(board.show(page_width(who.connection)))
