"""The hooks that make the valley a game: where the driver's events meet this world."""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files

from trio_mud import (
    FIRST,
    LAST,
    Admitted,
    Dialog,
    Hooks,
    Input,
    LinkLost,
    MsdpMessage,
    Session,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    Started,
)
from trio_mud.accounts import Accounts
from trio_mud.world import Game, World

from .board import Board
from .entry import PATIENCE, RESERVED, appear, ask_for_a_name, freeze, go_away, thaw, title
from .guest import Guest
from .login import ValleyLogin
from .maps import Map, read_map
from .out_of_band import report
from .preferences import Resident
from .valley import Valley
from .verbs import commands, resident_commands

__all__ = ["lasting_world", "world"]

MAP = "valley.toml"


def world() -> Hooks:
    """Build a fresh valley and return the hooks that play it; it shares nothing with any other, and keeps nothing."""
    valley = Valley(the_map())
    return play(valley, partial(ask_for_a_name, valley=valley), PATIENCE)


def furnish(kept: World) -> Hooks:
    """Build a valley that keeps its players, its board and its date."""
    valley = Valley(the_map(), kept.store)
    accounts = valley.accounts = Accounts.of(kept, Resident, reserved=RESERVED)
    hooks = play(valley, ValleyLogin(accounts, valley).run, accounts.options.login_timeout)
    hooks.include(accounts.hooks)

    @hooks.on(SessionStarted, order=FIRST)
    def embody(event: SessionStarted) -> None:
        resident = event.session.body
        if isinstance(resident, Resident):
            guest = event.session.body = Guest(resident.name, valley, resident)
            guest.session = event.session
            guest.come_in()

    @hooks.on(SessionResumed, order=FIRST)
    def remember(event: SessionResumed) -> None:
        if guest := guest_of(event.session):
            guest.come_in()

    return hooks


lasting_world = Game(furnish, records=(*Accounts.records, Resident, Board))
"""The valley that keeps its players, its board and its date."""


def the_map() -> Map:
    """Read the map that comes with the package."""
    return read_map(files("trio_mud.mudlib").joinpath(MAP).read_text("utf-8"), MAP)


def play(valley: Valley, door: Callable[[Dialog], Awaitable[object]], patience: float) -> Hooks:
    """Return the hooks that play a valley, which its players enter by this dialog within so many seconds."""
    hooks = Hooks()

    @hooks.on(Started)
    def wind_the_clock(event: Started) -> None:
        event.server.every(valley.hour_length, valley.pass_hour)

    @hooks.on(Started)
    def let_the_creature_out(event: Started) -> None:
        if valley.creature is not None:
            event.server.every(valley.creature.pace, valley.creature.wander)

    @hooks.on(Started)
    def hang_out_a_sign(event: Started) -> None:
        event.server.mssp.update(sign_of(valley))

    @hooks.on(Admitted)
    def open_the_door(event: Admitted) -> None:
        event.connection.start_dialog(door, deadline=patience)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        guest = guest_of(event.connection.session)
        if guest is None:  # the dialog broke before it had a name
            event.connection.quit("You seem to be nobody. Please come in again.")
            return None
        return (commands if valley.accounts is None else resident_commands).run(guest, event.line)

    @hooks.on(Input, order=LAST)
    def show_whose_turn_it_is(event: Input) -> None:
        guest = guest_of(event.connection.session)
        if guest is not None and event.connection.dialog is None:
            guest.prompt()

    @hooks.on(MsdpMessage)
    def report_what_is_asked_for(event: MsdpMessage) -> None:
        guest = guest_of(event.connection.session)
        if guest is not None:
            report(guest)

    @hooks.on(SessionStarted)
    def come(event: SessionStarted) -> None:
        if guest := guest_of(event.session):
            appear(guest)

    @hooks.on(LinkLost)
    def stop(event: LinkLost) -> None:
        if guest := guest_of(event.session):
            freeze(guest)

    @hooks.on(SessionResumed)
    def come_back(event: SessionResumed) -> None:
        if guest := guest_of(event.session):
            thaw(guest)

    @hooks.on(SessionEnded)
    def part(event: SessionEnded) -> None:
        if guest := guest_of(event.session):
            go_away(guest, event.reason)

    return hooks


def guest_of(session: Session | None) -> Guest | None:
    """Whose stay it is; None if there is no stay."""
    return session.body if session is not None and isinstance(session.body, Guest) else None


def sign_of(valley: Valley) -> dict[str, str]:
    """What MUD listings are told of it, in the words of MSSP."""
    return {
        "NAME": title(valley.name),
        "FAMILY": "Custom",
        "GENRE": "Fantasy",
        "GAMEPLAY": "Social",
        "LANGUAGE": "English",
        "AREAS": "1",
        "ROOMS": str(len(valley.rooms)),
    }
