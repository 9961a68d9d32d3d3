"""The tavern, second evening: guests have names, and somebody minds the door."""

from dataclasses import dataclass

from trio_mud import (
    Connect,
    Connection,
    Dialog,
    Disconnect,
    Hooks,
    Input,
    MasterServer,
    Reason,
    broadcast,
    run,
)

UNWELCOME = {"192.0.2.66"}  # addresses; somebody there broke a chair

hooks = Hooks()


@dataclass
class Guest:
    name: str


def seated(server: MasterServer) -> list[Connection]:
    """Everybody who has given a name."""
    return [connection for connection in server.connections if connection.body is not None]


@hooks.on(Connect)
def mind_the_door(event: Connect) -> None:
    if event.connection.address in UNWELCOME:
        event.connection.refuse("The doorkeeper remembers you, and the chair.")
    else:
        event.connection.start_dialog(come_in, deadline=60)


async def come_in(dialog: Dialog) -> None:
    visitor = dialog.connection
    visitor.write("Warm light falls through the door.")
    while True:
        name = (await dialog.ask("By what name? ")).strip().capitalize()
        if not (name.isalpha() and len(name) <= 12):
            visitor.write("One word of letters, please, and a short one.")
        elif any(guest.name == name for guest in seated(visitor.server)):
            visitor.write(f"{name} sits at the table already.")
        else:
            break
    visitor.name = name
    visitor.body = Guest(name)
    broadcast(f"{name} comes in from the cold.", to=seated(visitor.server), exclude=visitor)
    visitor.write(f"Sit down, {name}. Say something, or quit.")


@hooks.on(Input)
def talk(event: Input) -> None:
    guest = event.connection
    if event.line == "quit":
        guest.quit("The door swings shut behind you.")
    else:
        broadcast(f"{guest.name}: {event.line}", to=seated(guest.server))


@hooks.on(Disconnect)
def leave(event: Disconnect) -> None:
    guest = event.connection
    if guest.body is None:
        return  # was refused, or never gave a name: nobody at the table has noticed
    if event.reason is Reason.LINKDEATH:
        broadcast(f"{guest.name} stares into the fire, unblinking.", to=seated(guest.server))
    else:
        broadcast(f"{guest.name} goes home.", to=seated(guest.server))


if __name__ == "__main__":
    run(hooks, port=4000)
