"""A game for the tests of the page, as a process: it asks for a name and a password, and does what a line says.

It prints the number of its web port, and ends with its standard input.
"""

from __future__ import annotations

import sys

import trio

from trio_mud import (
    Admitted,
    Connection,
    Dialog,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Session,
    SessionResumed,
    SessionStarted,
    link,
    markup,
)
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.web import open_web

# All tabs come from one address, and every test leaves a session that waits.
LIMITS = Limits(max_per_address=None, accept_rate_per_address=None, max_link_dead_per_address=None, command_rate=None)
COLOURS = (0, 1, 4, 8, 15, 16, 21, 88, 232, 250, 255)  # of 256: some cannot be read on a dark ground, some on a light
hooks = Hooks()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("Welcome to the stage.")
    event.connection.start_dialog(log_in)


async def log_in(dialog: Dialog) -> None:
    name = await dialog.ask("Name? ")
    if name == "new":
        name = await dialog.ask("New name? ")
    await dialog.ask_hidden("Password? ")
    dialog.connection.name = name
    dialog.connection.server.sessions.enter(name, dialog.connection)


async def change_password(dialog: Dialog) -> None:
    await dialog.ask_hidden("Old password? ")
    await trio.sleep(0.2)  # as a check of a password does, while the input is shown
    await dialog.ask_hidden("New password? ")
    dialog.connection.write("Changed.")
    dialog.connection.prompt("stage> ")


@hooks.on(SessionStarted)
def come(event: SessionStarted) -> None:
    event.session.write(f"You are {event.session.key}.")
    show(event.session)


@hooks.on(SessionResumed)
def come_back(event: SessionResumed) -> None:
    if event.session.connection is not None:
        event.session.write(f"{event.session.connection.client.colours} colours when it came back")
    show(event.session)


def show(session: Session) -> None:
    """Show the room in the panels, and a prompt."""
    connection = session.connection
    if connection is None:
        return
    connection.gmcp("Char.Name", {"name": session.key})
    connection.gmcp("Room.Info", {"num": 1, "name": "The stage", "exits": {"n": 2, "trapdoor": 3}})
    connection.gmcp("Room.Players", [{"name": "<b>Extra</b>"}])
    connection.gmcp("Char.Vitals", {"hp": 7, "maxhp": 20})
    connection.prompt("stage> ")


def show_raw(connection: Connection, text: str) -> None:
    """Send a line with its escape sequences, which `write` removes."""
    link = connection._link
    assert isinstance(link, TelnetLink)
    link.engine.send_text(f"{text}\n")


@hooks.on(Input)
def obey(event: Input) -> None:
    connection, (verb, _, rest) = event.connection, event.line.partition(" ")
    match verb:
        case "say" if (speaker := connection.session) is not None:
            for session in connection.server.sessions:
                session.write(f"{speaker.key}: {rest}")
        case "quit":
            connection.quit("Exit.")
        case "many":
            connection.write("\n".join(f"row {number}" for number in range(int(rest))))
        case "client":
            client = connection.client
            connection.write(f"{client.size.columns} columns, {client.colours} colours, reader {client.screen_reader}")
        case "colours":
            for number in COLOURS:
                show_raw(connection, f"\x1b[38;5;{number}mink {number}\x1b[0m")
                show_raw(connection, f"\x1b[48;5;{number}mground {number}\x1b[0m")
            show_raw(connection, "\x1b[38;2;20;30;40mtrue\x1b[0m \x1b[7mreversed\x1b[0m")
        case "link":
            connection.write(markup("Go {way}.", way=link("north")))
        case "hush":
            connection.write("No prompt follows.")
            return
        case "password":
            connection.start_dialog(change_password)
            return
        case "gmcp":
            connection.gmcp("Comm.Channel.Text", {"channel": "stage", "talker": "x", "text": rest})
        case _:
            connection.write(f"You typed {event.line!r}.")
    connection.prompt("stage> ")


async def main() -> None:
    """Serve until the end of standard input."""
    listeners = await open_web(0, host="127.0.0.1", limits=LIMITS, name=lambda: "Stage & Co")
    server = MasterServer(hooks, limits=LIMITS)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        sys.stdout.write(f"{listeners[0].address[1]}\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read)
        server.shutdown()


if __name__ == "__main__":
    trio.run(main)
