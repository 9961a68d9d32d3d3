"""Lets players in by name. A real game asks for a password: see docs/howto/mill.py."""

from collections.abc import Awaitable

from trio_mud import Admitted, Dialog, Hooks, Input, SessionEnded, SessionStarted
from trio_mud.commands import Commands
from trio_mud.world import Traveller, World


def hooks_for(kind: type[Traveller], commands: Commands) -> Hooks:
    """Return the hooks of a game whose players have bodies of this class and type these commands."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.start_dialog(come_in)

    async def come_in(dialog: Dialog) -> None:
        connection = dialog.connection
        world = World.of(connection.server)
        name = (await dialog.ask("By what name? ")).strip().capitalize()
        key = name.casefold()
        body = await world.store.hold(kind, key)
        if body is None:
            world.add(kind(name=name), key)
            body = await world.store.hold(kind, key)
        known = connection.server.sessions.get(key)
        if connection.server.sessions.enter(key, connection, body=body) is known:  # that session holds its body already
            world.store.release(body)

    @hooks.on(SessionStarted)
    def begin(event: SessionStarted) -> None:
        event.session.body.act("", "{actor} comes in.")
        commands.run(event.session.body, "look")

    @hooks.on(SessionEnded)
    def end(event: SessionEnded) -> None:
        event.session.body.act("", "{actor} goes home.")
        World.of(event.session.server).store.release(event.session.body)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        session = event.connection.session
        return commands.run(session.body, event.line) if session is not None else None

    return hooks
