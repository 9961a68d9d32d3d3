"""A street whose lamps are lit every evening, and swept every night."""

from datetime import time

from trio_mud import Admitted, Hooks, Input, MasterServer, Started, broadcast

hooks = Hooks()


# the evening
class Street:
    lamps_burn = False


@hooks.on(Started)
def pave(event: Started) -> None:
    event.server.world = Street()


@hooks.daily(time(18, 30), tz="Europe/Berlin")
def light_the_lamps(server: MasterServer) -> None:
    server.world.lamps_burn = True
    broadcast("The lamplighter goes from lamp to lamp.", to=server.connections)


@hooks.daily(time(6), tz="Europe/Berlin")
def put_them_out(server: MasterServer) -> None:
    server.world.lamps_burn = False


# the rest
@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("You stand in a street.")


@hooks.on(Input)
def look(event: Input) -> None:
    street = event.connection.server.world
    assert isinstance(street, Street)
    event.connection.write("The lamps burn." if street.lamps_burn else "The lamps are out.")
