"""The mill: it reports to the simulator which version of each function runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from trio_mud import Admitted, Connection, Dialog, Hooks, Input, MasterServer, Reloaded, SessionEnded, SessionStarted
from trio_mud.errors import ConnectionEnded, DuplicateKey, LocalProtocolError, SessionInUse
from trio_mud.testing.simulation.reload_trace import ReloadTrace
from trio_mud.world import Game, Thing, Traveller, World, every

from .words import VERSION


class Miller(Traveller, kind="simulated_miller"):
    """The body of a player."""

    said: int = 0


class Millstone(Thing, kind="simulated_millstone", version=1):
    """A stone that turns, and counts how often: each turn is a thousand, and the rest is the version."""

    mark: str = ""
    grain_0: int = 0

    @every(1.1)
    def turn(self) -> None:
        """Count."""
        self.grain_0 += 1000
        self.world.options(ReloadTrace).turned(self, VERSION)


def _rename(number: int) -> None:
    """Declare how a stone of one version becomes that of the next."""

    def rename(fields: dict[str, Any]) -> dict[str, Any]:
        grain = fields.pop(f"grain_{number - 1}", number - 1)
        return {**fields, f"grain_{number}": grain + 1}

    Millstone.migration(number)(rename)


for migrated in range(1, VERSION + 1):
    _rename(migrated)


def mill(world: World) -> Hooks:
    """Return the hooks of the mill."""
    hooks, trace = Hooks(), world.options(ReloadTrace)

    async def play(connection: Connection, name: str) -> None:
        body = await world.store.hold(Miller, name)
        if body is None:
            with suppress(DuplicateKey):  # another player may have made it meanwhile
                world.add(Miller(name=name), name)
            body = await world.store.hold(Miller, name)
        assert body is not None
        sessions = connection.server.sessions
        known = sessions.get(name)
        try:
            session = sessions.enter(name, connection, body=body)
        except (ConnectionEnded, SessionInUse, LocalProtocolError):
            world.store.release(body)
            return
        if session is known:  # that session holds its body already
            world.store.release(body)

    async def doze(connection: Connection, seconds: float) -> None:
        await trio.sleep(seconds)
        trace.say(connection, f" v{VERSION} wakes up")

    async def haggle(dialog: Dialog) -> None:
        line = await dialog.ask("ask> ")
        trace.took(dialog.connection, line)
        trace.say(dialog.connection, f" v{VERSION} haggled")

    @hooks.on(Admitted)
    def admit(event: Admitted) -> None:
        trace.runs("admit", VERSION, event)

    @hooks.on(Input)
    async def obey(event: Input) -> None:
        trace.runs("obey", VERSION, event)
        connection = event.connection
        verb, *words = event.line.split() or [""]
        body = connection.session.body if connection.session is not None else None
        if verb == "grind" and isinstance(body, Miller):
            body.said += 1
            trace.say(connection, f" v{VERSION}")
        elif verb == "doze":
            await doze(connection, float(words[0]))
        elif verb == "haggle":
            with suppress(LocalProtocolError):  # another dialog is open
                connection.start_dialog(haggle)
        elif verb == "play":
            await play(connection, words[0])
        elif verb == "logout" and connection.session is not None:
            connection.session.leave("[away]")

    @hooks.on(Input, order=10)
    def conclude(event: Input) -> None:
        trace.runs("conclude", VERSION, event)

    @hooks.on(SessionStarted)
    def come(event: SessionStarted) -> None:
        trace.runs("come", VERSION, event)

    @hooks.on(SessionEnded)
    def go(event: SessionEnded) -> None:
        trace.runs("go", VERSION, event)
        if isinstance(event.session.body, Miller):
            world.store.release(event.session.body)

    @hooks.on(Reloaded)
    def note(event: Reloaded) -> None:
        trace.runs("note", VERSION, event)
        trace.noted()

    @hooks.every(0.9)
    def clack(server: MasterServer) -> None:
        trace.ticks("clack", VERSION, 0.9)

    if VERSION % 2:

        @hooks.every(0.7)
        def creak(server: MasterServer) -> None:
            trace.ticks("creak", VERSION, 0.7)

    return hooks


game = Game(mill, records=(Miller, Millstone), maps=(Path(__file__).with_name("mill.toml"),))
