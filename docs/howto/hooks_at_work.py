"""Hooks in their kinds: plain and waiting, early and late, failing and slow."""

from dataclasses import dataclass

import trio

from trio_mud import FIRST, LAST, Admitted, Connection, HookEvent, Hooks, Input, broadcast

hooks = Hooks()


# plain
@hooks.on(Input)
def shout(event: Input) -> None:
    if event.line.startswith("shout "):
        text = event.line.removeprefix("shout ").upper()
        broadcast(f"{event.connection.name} shouts: {text}", to=event.connection.server.connections)


# waiting
@hooks.on(Input)
async def ask_the_oracle(event: Input) -> None:
    if event.line == "oracle":
        event.connection.write("The oracle closes her eyes.")
        answer = await think()
        event.connection.write(f"She says: {answer}")


async def think() -> str:
    await trio.sleep(3)  # as a database or a web service would
    return "perhaps"


# order
@hooks.on(Input, order=FIRST)
def remember(event: Input) -> None:
    event.connection.body = event.line


@hooks.on(Input, order=LAST)
def show_prompt(event: Input) -> None:
    event.connection.prompt("> ")


# own event
@dataclass(frozen=True, slots=True)
class Sunset(HookEvent):
    connection: Connection  # who asked for it


@hooks.on(Input)
def hurry_the_sun(event: Input) -> None:
    if event.line == "sunset":
        event.connection.server.post(Sunset(event.connection))


@hooks.on(Sunset)
def darken(event: Sunset) -> None:
    broadcast("The sun goes down.", to=event.connection.server.connections)


# failing
@hooks.on(Input)
def stumble(event: Input) -> None:
    if event.line == "stumble":
        raise RuntimeError("there was a stone")


# sleeping
@hooks.on(Input)
async def sleep(event: Input) -> None:
    if event.line == "sleep":
        await trio.sleep(3600)


# another registry
arrivals = Hooks()


@arrivals.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.write("Say shout, oracle, sunset, stumble or sleep.")


hooks.include(arrivals)
