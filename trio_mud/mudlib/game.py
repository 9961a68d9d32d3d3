"""The hooks that make the valley a game: where the driver's events meet this world."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from trio_mud import (
    FIRST,
    LAST,
    Admitted,
    Dialog,
    GmcpMessage,
    Hooks,
    Input,
    LinkLost,
    MsdpMessage,
    Reloaded,
    SessionEnded,
    SessionRestored,
    SessionResumed,
    SessionStarted,
    Started,
)
from trio_mud.accounts import Accounts
from trio_mud.commands import Commands
from trio_mud.operations import Operations
from trio_mud.world import Game, World

from .channels import Channel
from .entry import PATIENCE, appear, ask_for_a_name, freeze, go_away, go_on, reserved_by, thaw, wake_up
from .letters import Mailbox
from .login import ValleyLogin
from .lore import CHANNELS
from .out_of_band import report, sign_of, tell_listeners
from .phrases import PHRASES
from .verbs import commands, commands_for
from .verbs.away import end_absence
from .verbs.chatting import join_channel
from .verbs.posting import mention_letters
from .villager import Fallen, Villager, villager_of, villagers
from .water_clock import WaterClock

__all__ = ["lasting_world", "world"]

MAPS = (files("trio_mud.mudlib") / "valley.toml",)


def valley_of_names(world: World) -> Hooks:
    """Return the hooks of a valley whose players give only a name."""
    hooks = play(world, commands, ask_for_a_name, PATIENCE)

    @hooks.on(SessionRestored, order=FIRST)
    def take_a_body(event: SessionRestored) -> None:
        event.session.body = Villager(name=event.name or str(event.session.key))

    return hooks


def valley_of_accounts(world: World) -> Hooks:
    """Return the hooks of a valley whose players have accounts, and which some of them run."""
    accounts = Accounts.of(world, Villager, beside=(Mailbox,))
    operations = Operations(accounts)
    table = commands_for(accounts, operations)
    accounts.reserved = reserved_by(table)
    hooks = play(world, table, ValleyLogin(accounts).run, accounts.options.login_timeout)
    hooks.include(accounts.hooks)
    hooks.include(operations.hooks)

    def obey_mutes(event: SessionStarted | SessionRestored) -> None:
        if who := villager_of(event.session):
            who.speech_rule = operations.check_speech

    hooks.on(SessionStarted, order=FIRST)(obey_mutes)
    hooks.on(SessionRestored)(obey_mutes)

    @hooks.on(Reloaded)
    def obey_the_same_mutes(event: Reloaded) -> None:
        for who in villagers(event.server):
            who.speech_rule = operations.check_speech

    @hooks.on(SessionStarted)
    async def mention_the_mail(event: SessionStarted) -> None:
        who = villager_of(event.session)
        if who is not None and who.account:
            await mention_letters(who)

    return hooks


world = Game(valley_of_names, records=(Channel,), maps=MAPS)
"""The valley whose players give only a name. The command line keeps its records in memory."""

lasting_world = Game(valley_of_accounts, records=(*Accounts.records, *Operations.records, Channel, Mailbox), maps=MAPS)
"""The valley whose players have accounts and roles; it keeps them, with all that they leave in it."""


def play(
    world: World, table: Commands[Villager], door: Callable[[Dialog], Awaitable[object]], patience: float
) -> Hooks:
    """Return the hooks that play a valley, which its players enter by this dialog within so many seconds."""
    hooks = Hooks()

    def prepare(event: Started | Reloaded) -> None:
        for clock in world.store.all(WaterClock):  # none, once a builder has unmade it
            clock.wind()
        event.server.mssp.update(sign_of(world))

    hooks.on(Started)(prepare)
    hooks.on(Reloaded)(prepare)

    @hooks.on(Admitted)
    def open_the_door(event: Admitted) -> None:
        event.connection.start_dialog(door, deadline=patience)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        who = villager_of(event.connection.session)
        if who is None:  # the dialog broke before it had a name
            event.connection.quit(PHRASES.without_a_name)
            return None
        if who.away and event.line.strip():
            end_absence(who)
        return table.run(who, event.line)

    @hooks.on(Input, order=LAST)
    def show_whose_turn_it_is(event: Input) -> None:
        who = villager_of(event.connection.session)
        if who is not None and event.connection.dialog is None:
            who.prompt()

    @hooks.on(GmcpMessage)
    def answer_a_program(event: GmcpMessage) -> None:
        who, package = villager_of(event.connection.session), event.package.lower()
        if who is None:
            return
        if package == "comm.channel.players":
            tell_listeners(who, CHANNELS)
        elif package == "comm.channel.enable" and isinstance(event.data, str) and event.data in CHANNELS:
            join_channel(who, event.data)

    @hooks.on(MsdpMessage)
    def report_what_is_asked_for(event: MsdpMessage) -> None:
        if who := villager_of(event.connection.session):
            report(who)

    @hooks.on(SessionStarted)
    def come(event: SessionStarted) -> None:
        if who := villager_of(event.session):
            who.apply_preferences()
            appear(who)

    @hooks.on(SessionRestored)
    def be_there(event: SessionRestored) -> None:
        if who := villager_of(event.session):
            who.apply_preferences()
            go_on(who)

    @hooks.on(LinkLost)
    def stop(event: LinkLost) -> None:
        if who := villager_of(event.session):
            freeze(who)

    @hooks.on(SessionResumed)
    def come_back(event: SessionResumed) -> None:
        if who := villager_of(event.session):
            who.apply_preferences()
            thaw(who)

    @hooks.on(Fallen)
    def wake(event: Fallen) -> None:
        if event.who.room is not None:  # the session may have ended meanwhile
            wake_up(event.who, event.where)

    @hooks.on(SessionEnded)
    def part(event: SessionEnded) -> None:
        if who := villager_of(event.session):
            go_away(who, event.reason)

    return hooks
