"""A game whose operators can watch it on port 4001."""

from functools import partial

from trio_mud import Admitted, Hooks, run
from trio_mud.web import open_watch

hooks = Hooks()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("Smile, you are being counted.")


if __name__ == "__main__":
    run(hooks, lifespan=partial(open_watch, announce=print))
