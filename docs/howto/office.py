"""A game whose operators can count the players and warn them."""

from trio_mud import ConsoleOperator, Hooks, Started, broadcast
from trio_mud.commands import Commands

hooks = Hooks()


@hooks.on(Started)
def open_the_office(event: Started) -> None:
    server = event.server
    commands = Commands[ConsoleOperator]()
    server.operator_commands = commands.run

    @commands.verb("players")
    def count(operator: ConsoleOperator) -> None:
        """Count the players."""
        operator.write(f"{len(server.connections)} players")

    @commands.verb("warn")
    def warn(operator: ConsoleOperator, words: str) -> None:
        """Say something to all players."""
        broadcast(words, to=server.connections)
