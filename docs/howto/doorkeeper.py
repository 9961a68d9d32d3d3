"""A door, and the ways to say no at it."""

import trio

from trio_mud import FIRST, LAST, Cause, Connect, Disconnect, Hooks, Input, Reason

BANNED = {"192.0.2.66"}

hooks = Hooks()


# refuse
@hooks.on(Connect)
def turn_the_banned_away(event: Connect) -> None:
    if event.connection.address in BANNED:
        event.connection.refuse("You are not welcome here.")


# wait
@hooks.on(Connect)
async def ask_around(event: Connect) -> None:
    if event.connection.is_refused:
        return  # somebody refused already: spare the question
    if await is_a_known_rogue(event.connection.address):
        event.connection.refuse("We have heard of you.")


async def is_a_known_rogue(address: str) -> bool:
    await trio.sleep(0.2)  # as a service elsewhere would
    return address == "192.0.2.99"


# count
@hooks.on(Disconnect)
def tell_the_watch(event: Disconnect) -> None:
    if event.reason is Reason.REFUSED and event.cause is Cause.VETOED:
        event.connection.server.counters["turned away by us"] += 1


# last
@hooks.on(Connect, order=LAST)
def count_the_chairs(event: Connect) -> None:
    if len(event.connection.server.connections) >= 3:
        event.connection.refuse("The last chair went a moment ago.")


# later
@hooks.on(Input)
def throw_out(event: Input) -> None:
    if event.line == "spit":
        event.connection.quit("Not in here!", cause=Cause.KICKED)


# order
@hooks.on(Connect, order=FIRST)
def draw_the_curtain(event: Connect) -> None:
    event.connection.write("A curtain is drawn aside.")
