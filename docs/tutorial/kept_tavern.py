"""The tavern, fourth evening: the landlord writes down who owes what, and a restart forgets nothing."""

from trio_mud import Connect, Connection, Dialog, Hooks, Input, MasterServer, Started, broadcast
from trio_mud.storage import Record, Store
from trio_mud.world import Game, World

A_LOG_BURNS = 600  # seconds

hooks = Hooks()


class Fire(Record, family="fire", resident=True):
    """There is one."""

    logs: int = 3


class Guest(Record, family="guest", resident=True):
    """A guest is remembered by name."""

    ales: int = 0
    tales: list[str] = []


game = Game(hooks, records=(Fire, Guest))


def store_of(server: MasterServer) -> Store:
    return World.of(server).store


def fire_of(server: MasterServer) -> Fire:
    store = store_of(server)
    return store.get(Fire, "fire") or store.add(Fire(), "fire")


@hooks.on(Started)
def open_up(event: Started) -> None:
    event.server.every(A_LOG_BURNS, lambda: burn(event.server))


def burn(server: MasterServer) -> None:
    fire = fire_of(server)
    if fire.logs:
        fire.logs -= 1
        broadcast("A log falls into the embers.", to=seated(server))


def seated(server: MasterServer) -> list[Connection]:
    """Everybody who has given a name."""
    return [connection for connection in server.connections if connection.body is not None]


@hooks.on(Connect)
def open_the_door(event: Connect) -> None:
    event.connection.start_dialog(come_in, deadline=60)


async def come_in(dialog: Dialog) -> None:
    visitor = dialog.connection
    store = store_of(visitor.server)
    while True:
        name = (await dialog.ask("By what name? ")).strip().capitalize()
        if not (name.isalpha() and len(name) <= 12):
            visitor.write("One word of letters, please, and a short one.")
        elif any(guest.name == name for guest in seated(visitor.server)):
            visitor.write(f"{name} sits at the table already.")
        else:
            break
    visitor.name = name
    known = store.get(Guest, name)
    visitor.body = guest = known or store.add(Guest(), name)
    visitor.write(f"Welcome{' back' if known else ''}, {name}. You owe {guest.ales} ales.")
    visitor.write(f"The fire has {fire_of(visitor.server).logs} logs. Say ale, wood, tell …, pay or quit.")


@hooks.on(Input)
async def listen(event: Input) -> None:
    visitor, guest = event.connection, event.connection.body
    assert isinstance(guest, Guest)
    word, _, rest = event.line.partition(" ")
    match word:
        case "quit":
            visitor.quit("The door swings shut behind you.")
        case "ale":
            guest.ales += 1
            broadcast(f"The landlord puts an ale before {visitor.name}.", to=seated(visitor.server))
        case "wood":
            fire_of(visitor.server).logs += 1
            broadcast(f"{visitor.name} lays a log on the fire.", to=seated(visitor.server))
        case "tell":
            guest.tales = [*guest.tales, rest]
            broadcast(f"{visitor.name} tells a tale: {rest}", to=seated(visitor.server))
        case "pay":
            guest.ales = 0
            await store_of(visitor.server).saved()
            visitor.write("The landlord strikes it out, in ink.")
        case _:
            broadcast(f"{visitor.name}: {event.line}", to=seated(visitor.server))
