"""The hooks that make the valley a game: where the driver's events meet this world."""

from collections.abc import Awaitable
from functools import partial
from importlib.resources import files

from trio_mud import Admitted, Disconnect, Hooks, Input, Started

from .entry import PATIENCE, come_in, go_away
from .guest import Guest
from .maps import read_map
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

    @hooks.on(Disconnect)
    def part(event: Disconnect) -> None:
        guest = event.connection.body
        if isinstance(guest, Guest):
            go_away(guest, event.reason)

    return hooks
