"""The tavern, third evening: the fire burns down, ale takes its time, and a guest may fall asleep."""

from dataclasses import dataclass, field

from trio_mud import (
    Connect,
    Connection,
    Dialog,
    Disconnect,
    Hooks,
    Input,
    MasterServer,
    Reason,
    Started,
    Timer,
    broadcast,
    run,
)

PULLING_AN_ALE = 5  # seconds
A_LOG_BURNS = 600
PATIENCE_WITH_SLEEPERS = 120

hooks = Hooks()


@dataclass
class Tavern:
    """The world: what is so whether or not anybody looks."""

    logs: int = 3
    sleepers: dict[str, Timer] = field(default_factory=dict)  # by name, until somebody carries them upstairs


def tavern_of(server: MasterServer) -> Tavern:
    assert isinstance(server.world, Tavern)
    return server.world


def seated(server: MasterServer) -> list[Connection]:
    """Everybody who has given a name."""
    return [connection for connection in server.connections if connection.body is not None]


@hooks.on(Started)
def open_up(event: Started) -> None:
    server = event.server
    server.world = Tavern()
    server.every(A_LOG_BURNS, lambda: burn(server))


def burn(server: MasterServer) -> None:
    tavern = tavern_of(server)
    tavern.logs -= 1
    if tavern.logs:
        broadcast("A log falls into the embers.", to=seated(server))
    else:
        server.shutdown("The fire is out, and so are you. Good night!")


@hooks.on(Connect)
def open_the_door(event: Connect) -> None:
    event.connection.start_dialog(come_in, deadline=60)


async def come_in(dialog: Dialog) -> None:
    guest = dialog.connection
    while True:
        name = (await dialog.ask("By what name? ")).strip().capitalize()
        if not name.isalpha():
            guest.write("One word of letters, please.")
        elif any(other.name == name for other in seated(guest.server)):
            guest.write(f"{name} sits at the table already.")
        else:
            break
    guest.name = guest.body = name
    others = [other for other in seated(guest.server) if other is not guest]
    bedtime = tavern_of(guest.server).sleepers.pop(name, None)
    if bedtime is None:
        broadcast(f"{name} comes in from the cold.", to=others)
        guest.write(f"Sit down, {name}. Say something, order ale, or quit.")
    else:
        bedtime.cancel()
        broadcast(f"{name} blinks.", to=others)
        guest.write("You must have dozed off.")


@hooks.on(Input)
def listen(event: Input) -> None:
    guest = event.connection
    if event.line == "quit":
        guest.quit("The door swings shut behind you.")
    elif event.line == "ale":
        guest.write("The landlord nods and takes a mug from the shelf.")
        guest.after(PULLING_AN_ALE, lambda: serve_ale(guest))
    else:
        broadcast(f"{guest.name}: {event.line}", to=seated(guest.server))


def serve_ale(guest: Connection) -> None:
    broadcast(f"The landlord puts an ale before {guest.name}.", to=seated(guest.server))


@hooks.on(Disconnect)
def leave(event: Disconnect) -> None:
    guest, server = event.connection, event.connection.server
    if guest.body is None:
        return
    if event.reason is Reason.LINKDEATH:
        broadcast(f"{guest.name} stares into the fire, unblinking.", to=seated(server))
        bedtime = server.after(PATIENCE_WITH_SLEEPERS, lambda: carry_upstairs(server, guest.name))
        tavern_of(server).sleepers[guest.name] = bedtime
    else:
        broadcast(f"{guest.name} goes home.", to=seated(server))


def carry_upstairs(server: MasterServer, name: str) -> None:
    del tavern_of(server).sleepers[name]
    broadcast(f"The landlord carries {name} upstairs.", to=seated(server))


if __name__ == "__main__":
    run(hooks, port=4000)
