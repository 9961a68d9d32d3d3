"""The game of the interop tests: two hidden questions in a row, then each typed line is echoed."""

from __future__ import annotations

from trio_mud import (
    Admitted,
    Connection,
    Dialog,
    Disconnect,
    EchoRefused,
    HookEvent,
    Hooks,
    Input,
    Interrupt,
    WindowSize,
)
from trio_mud.driver.link.telnet import TelnetLink

QUESTIONS = ("The first word?", "The second word?")
WELCOME = "The gate opens."
PAGE = 40  # lines
FAREWELL = "The gate closes."


class Visit:
    """The result of one connection, to be checked by the test."""

    def __init__(self, connection: Connection) -> None:
        assert isinstance(connection._link, TelnetLink)
        self.connection = connection
        self.link = connection._link
        self.secrets: list[str] = []
        self.lines: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.interrupts: list[str] = []
        self.hiding_refused = 0
        self.endings: list[Disconnect] = []


class Visitors:
    """All connections so far, in order."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []

    def of(self, event: HookEvent) -> Visit:
        (visit,) = [visit for visit in self.visits if visit.connection is getattr(event, "connection", None)]
        return visit


def make_game(is_patient: bool) -> tuple[Hooks, Visitors]:
    """Return a game and the list of its visitors.

    Args:
        is_patient: True if it asks nothing before the client has identified itself.
    """
    hooks = Hooks()
    visitors = Visitors()

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        visit = Visit(event.connection)
        visitors.visits.append(visit)

        async def ask_for_secrets(dialog: Dialog) -> None:
            if is_patient:
                await dialog.client_ready()
            for question in QUESTIONS:
                dialog.connection.hide_input(True)
                visit.secrets.append(await dialog.ask(f"{question} "))
                dialog.connection.hide_input(False)
            dialog.connection.write(WELCOME)
            dialog.connection.prompt("> ")

        event.connection.start_dialog(ask_for_secrets)

    @hooks.on(Input)
    def play(event: Input) -> None:
        guest = event.connection
        visitors.of(event).lines.append(event.line)
        match event.line.split(" ", 1):
            case ["quit"]:
                guest.quit(FAREWELL)
                return
            case ["echo", words]:
                guest.write(f"Echo: {words}")
            case ["page"]:
                guest.write("\n".join(f"Line {number} of a long page" for number in range(PAGE)))
            case _:
                guest.write("What?")
        guest.prompt("> ")

    @hooks.on(WindowSize)
    def resize(event: WindowSize) -> None:
        visitors.of(event).sizes.append((event.columns, event.rows))

    @hooks.on(Interrupt)
    def stop(event: Interrupt) -> None:
        visitors.of(event).interrupts.append(event.kind.value)

    @hooks.on(EchoRefused)
    def warn(event: EchoRefused) -> None:
        visitors.of(event).hiding_refused += 1

    @hooks.on(Disconnect)
    def part(event: Disconnect) -> None:
        visitors.of(event).endings.append(event)

    return hooks, visitors
