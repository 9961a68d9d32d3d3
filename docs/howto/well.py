"""A well that fills by a bucket an hour."""

from dataclasses import dataclass

from trio_mud import Admitted, Hooks, Input, Started

hooks = Hooks()


@dataclass
class Well:
    buckets: int = 2

    def fill(self) -> None:
        self.buckets += 1


@hooks.on(Started)
def dig(event: Started) -> None:
    well = Well()
    event.server.world = well
    event.server.every(3600, well.fill)


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("You hear water. Draw some?")


@hooks.on(Input)
def draw(event: Input) -> None:
    well = event.connection.server.world
    assert isinstance(well, Well)
    if event.line != "draw":
        event.connection.write("The well does not answer.")
    elif well.buckets:
        well.buckets -= 1
        event.connection.write("The bucket comes up full.")
    else:
        event.connection.write("The bucket comes up dry.")
