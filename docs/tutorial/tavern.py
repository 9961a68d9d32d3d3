"""A tavern with one table: talk, fall silent, come back."""

from trio_mud import Admitted, Disconnect, Hooks, Input, Reason, broadcast, run

hooks = Hooks()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("The fire crackles. Say something, or quit.")


@hooks.on(Input)
def talk(event: Input) -> None:
    guest = event.connection
    if event.line == "quit":
        guest.quit("The door swings shut behind you.")
    else:
        broadcast(f"{guest.name}: {event.line}", to=guest.server.connections)


@hooks.on(Disconnect)
def stare(event: Disconnect) -> None:
    if event.reason is Reason.LINKDEATH:
        broadcast(f"{event.connection.name} stares into the fire, unblinking.", to=event.connection.server.connections)


if __name__ == "__main__":
    run(hooks, port=4000)
