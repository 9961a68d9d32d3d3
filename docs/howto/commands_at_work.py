"""A table of commands: two verbs, an optional argument, and help."""

from collections.abc import Awaitable

from trio_mud import Connection, Hooks, Input, broadcast
from trio_mud.commands import Commands, Mistake

hooks = Hooks()
commands = Commands[Connection]()


@commands.verb("shout", '"')
def shout(player: Connection, words: str) -> None:
    """Shout something to all."""
    broadcast(f"{player.name} shouts: {words}", to=player.server.connections)


@commands.verb("knock")
def knock(player: Connection, times: int = 1) -> None:
    """Knock at the door, once if no number is given."""
    if not 1 <= times <= 10:
        raise Mistake("Your knuckles would not like that.")
    player.write(" ".join(["Knock!"] * times))


@hooks.on(Input)
def obey(event: Input) -> Awaitable[object] | None:
    return commands.run(event.connection, event.line)
