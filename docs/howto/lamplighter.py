"""A street whose lamps are lit every evening, and swept every night."""

from datetime import time

from trio_mud import Admitted, Hooks, Input, MasterServer, Started, broadcast

hooks = Hooks()


# the evening
class Lamplighter:
    def __init__(self, server: MasterServer) -> None:
        self.server = server
        self.lamps_burn = False

    def light(self) -> None:
        self.lamps_burn = True
        broadcast("The lamplighter goes from lamp to lamp.", to=self.server.connections)

    def put_out(self) -> None:
        self.lamps_burn = False


@hooks.on(Started)
def begin_work(event: Started) -> None:
    street = event.server.world = Lamplighter(event.server)
    event.server.daily(time(18, 30), street.light, tz="Europe/Berlin")
    event.server.daily(time(6), street.put_out, tz="Europe/Berlin")


# the rest
@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("You stand in a street.")


@hooks.on(Input)
def look(event: Input) -> None:
    street = event.connection.server.world
    assert isinstance(street, Lamplighter)
    event.connection.write("The lamps burn." if street.lamps_burn else "The lamps are out.")
