"""The hooks that make the valley a game: where the driver's events meet this world."""

from collections.abc import Awaitable
from functools import partial
from importlib.resources import files

from trio_mud import LAST, Admitted, Disconnect, Hooks, Input, MsdpMessage, Started

from .entry import PATIENCE, come_in, go_away, title
from .guest import Guest
from .maps import read_map
from .out_of_band import report
from .valley import Valley
from .verbs import commands

__all__ = ["world"]

MAP = "valley.toml"


def world() -> Hooks:
    """Build a fresh valley and return the hooks that play it; it shares nothing with any other."""
    valley = Valley(read_map(files("trio_mud.mudlib").joinpath(MAP).read_text("utf-8"), MAP))
    hooks = Hooks()

    @hooks.on(Started)
    def wind_the_clock(event: Started) -> None:
        event.server.every(valley.hour_length, valley.pass_hour)

    @hooks.on(Started)
    def hang_out_a_sign(event: Started) -> None:
        event.server.mssp.update(sign_of(valley))

    @hooks.on(Admitted)
    def ask_for_a_name(event: Admitted) -> None:
        event.connection.start_dialog(partial(come_in, valley=valley), deadline=PATIENCE)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        guest = event.connection.body
        if not isinstance(guest, Guest):  # the dialog broke before it had a name
            event.connection.quit("You seem to be nobody. Please come in again.")
            return None
        return commands.run(guest, event.line)

    @hooks.on(Input, order=LAST)
    def show_whose_turn_it_is(event: Input) -> None:
        guest = event.connection.body
        if isinstance(guest, Guest) and event.connection.dialog is None:
            guest.prompt()

    @hooks.on(MsdpMessage)
    def report_what_is_asked_for(event: MsdpMessage) -> None:
        guest = event.connection.body
        if isinstance(guest, Guest):
            report(guest)

    @hooks.on(Disconnect)
    def part(event: Disconnect) -> None:
        guest = event.connection.body
        if isinstance(guest, Guest):
            go_away(guest, event.reason)

    return hooks


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
