"""A game with a world: a lantern that burns out, a sentry on a beat, and cottagers who carry things."""

from __future__ import annotations

from pathlib import Path

from trio_mud import Admitted, Hooks, Input, SessionEnded
from trio_mud.testing import Mud
from trio_mud.world import Being, Game, Room, Thing, Traveller, World, every

MAP = Path(__file__).with_name("village.toml")


class Lantern(Thing):
    """Burns for as long as it has oil."""

    oil: float = 60.0
    times_out: int = 0

    def burn_out(self) -> None:
        self.oil, self.times_out = 0.0, self.times_out + 1
        if self.room is not None:
            self.room.tell(f"The {self} goes out.")

    def explode(self) -> None:
        raise RuntimeError("as asked")

    async def wait(self) -> None:
        """Cannot be called by the clock."""


class Sentry(Being):
    """Walks to and fro."""

    beat: list[Room] = []  # noqa: RUF012  a Record copies it
    steps: int = 0

    @every(30)
    def walk(self) -> None:
        self.steps += 1
        self.place = self.beat[self.steps % len(self.beat)]


class Cottager(Traveller, Being):
    """The body of a player."""


hooks = Hooks()
game = Game(hooks, maps=(MAP,))


@hooks.on(Admitted)
async def come_in(event: Admitted) -> None:
    connection = event.connection
    world = World.of(connection.server)
    key = f"cottager {connection.address}"
    body = await world.store.hold(Cottager, key)
    if body is None:
        world.add(Cottager(name=connection.address), key)
        body = await world.store.hold(Cottager, key)
    assert body is not None
    connection.server.sessions.enter(key, connection, body=body, grace=0)


@hooks.on(SessionEnded)
def go(event: SessionEnded) -> None:
    assert isinstance(event.session.body, Cottager)
    World.of(event.session.server).store.release(event.session.body)


@hooks.on(Input)
async def act(event: Input) -> None:
    session = event.connection.session
    if session is None:
        return  # the body could not be loaded
    body = session.body
    assert isinstance(body, Cottager)
    if event.line == "save":
        await body.world.store.saved()
        body.write("Saved.")


def room(mud: Mud, key: str) -> Room:
    """Return a room of the map."""
    return World.of(mud.server).get(Room, key)


def the(mud: Mud, template: str) -> Thing:
    """Return the only thing in memory that was made from this template."""
    (thing,) = [thing for thing in mud.store.all(Thing) if thing.template == template]
    return thing


def lantern_of(mud: Mud) -> Lantern:
    """Return the only lantern."""
    lantern = the(mud, "lantern")
    assert isinstance(lantern, Lantern)
    return lantern
