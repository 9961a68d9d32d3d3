"""A guild hall with people who run it: they kick, ban, mute and watch, and each of their deeds is noted."""

from collections.abc import Awaitable

from trio_mud import Admitted, Connection, Hooks, Input, broadcast
from trio_mud.accounts import Accounts, Character, Login
from trio_mud.commands import Commands, Role
from trio_mud.operations import Operations
from trio_mud.world import Game, World


# hooks
def guild(world: World) -> Hooks:
    hooks = Hooks()
    accounts = Accounts.of(world)
    operations = Operations(accounts, idle_timeouts={Role.GUEST: 600.0, Role.PLAYER: 3600.0, Role.BUILDER: None})
    hooks.include(accounts.hooks)
    hooks.include(operations.hooks)
    login = Login(accounts)
    commands = Commands[Connection](role_of=operations.role_of)
    commands.include(operations.commands)

    @commands.verb("say", "'")
    def say(who: Connection, words: str) -> None:
        """Say something to all."""
        operations.check_speech(who)
        broadcast(f"{who.name}: {words}", to=who.server.connections)

    @commands.verb("smite", role=Role.ADMIN)
    async def smite(who: Connection, name: str) -> None:
        """Strike a player with lightning."""
        target = await operations.find_account(name)
        await operations.permit(who, "smite", Role.ADMIN, over=target, account=target.key)
        broadcast(f"Lightning strikes {target.name}!", to=who.server.connections)

    @hooks.on(Admitted)
    def open_the_door(event: Admitted) -> None:
        event.connection.start_dialog(login.run, deadline=accounts.options.login_timeout)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        return commands.run(event.connection, event.line)

    return hooks


game = Game(guild, records=(*Accounts.records, *Operations.records, Character))
