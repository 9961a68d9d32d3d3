"""A service: a part of a game that lives exactly as long as its server."""

import trio

from trio_mud import Hooks, Input, MasterServer

hooks = Hooks()


class TownClock:
    """Counts the seconds since the town opened."""

    def __init__(self) -> None:
        self.seconds = 0
        self._closed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()  # the server waits for this before it accepts any connection
        while not self._closed.is_set():
            with trio.move_on_after(1):
                await self._closed.wait()
            self.seconds += 1

    async def aclose(self) -> None:
        self._closed.set()


clock = TownClock()


@hooks.on(Input)
def ask(event: Input) -> None:
    event.connection.write(f"The clock has struck {clock.seconds} times.")


def make_server() -> MasterServer:
    return MasterServer(hooks, services=[clock])
