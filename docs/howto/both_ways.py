"""One game on two ports: telnet, and WebSocket beside it."""

import trio

from trio_mud import Admitted, Hooks, Input, broadcast, open_tcp_listeners, serve
from trio_mud.web import open_web

hooks = Hooks()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("Both doors lead into the same room.")


@hooks.on(Input)
def talk(event: Input) -> None:
    broadcast(f"{event.connection.name}: {event.line}", to=event.connection.server.connections)


async def main(port: int = 4000, web_port: int = 4080) -> None:
    listeners = [*await open_tcp_listeners(port), *await open_web(web_port, origins=["https://mud.example"])]
    await serve(hooks, listeners=listeners)


if __name__ == "__main__":
    trio.run(main)
