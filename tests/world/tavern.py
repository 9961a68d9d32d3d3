"""A small game whose records are stored: guests with gold, and notes on the wall."""

from __future__ import annotations

from trio_mud import Admitted, Hooks, Input
from trio_mud.errors import NotSaved
from trio_mud.storage import Record
from trio_mud.world import Game, World


class Regular(Record, family="guest"):
    """Stored under its address."""

    gold: int = 0
    tales: list[str] = []  # noqa: RUF012  copied for each record

    def stored_with(self) -> str:
        return self.key


hooks = Hooks()
game = Game(hooks, records=(Regular,))


@hooks.on(Admitted)
async def come_in(event: Admitted) -> None:
    connection = event.connection
    store = World.of(connection.server).store
    guest = await store.hold(Regular, connection.address)
    if guest is None:
        guest = store.add(Regular(), connection.address)
    connection.body = guest
    connection.write(f"You have {guest.gold} gold, and know {len(guest.tales)} tales.")


@hooks.on(Input)
async def act(event: Input) -> None:
    connection = event.connection
    guest = connection.body
    if not isinstance(guest, Regular):  # it could not be loaded
        return
    match event.line:
        case "earn":
            guest.gold += 1
        case "listen":
            guest.tales = [*guest.tales, "once upon a time"]
        case "listen carelessly":
            guest.tales.append("once upon a time")
        case "save":
            try:
                await World.of(connection.server).store.saved()
            except NotSaved:
                connection.write("Not saved.")
            else:
                connection.write("Saved.")
        case "fail":
            raise RuntimeError("as asked")
