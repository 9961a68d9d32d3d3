"""One thing happens, and several see it, each as it concerns them."""

from trio_mud import Connection, Hooks, Input, broadcast, markup

hooks = Hooks()


def others(guest: Connection) -> list[Connection]:
    return [other for other in guest.server.connections if other is not guest]


@hooks.on(Input)
def act(event: Input) -> None:
    guest = event.connection
    verb, _, rest = event.line.partition(" ")
    if verb == "say":
        say(guest, rest)
    elif verb == "toast":
        toast(guest, rest)
    elif verb == "whisper":
        whisper(guest, rest)


# everybody but one
def say(guest: Connection, words: str) -> None:
    guest.write(f"You say: {words}")
    broadcast(f"{guest.name} says: {words}", to=guest.server.connections, exclude=guest)


# in colour
def toast(guest: Connection, name: str) -> None:
    text = markup("<b>{guest}</b> drinks to <yellow>{name}</yellow>!", guest=guest.name, name=name)
    broadcast(text, to=guest.server.connections)


# some
def whisper(guest: Connection, words: str) -> None:
    near = others(guest)[:2]  # a room would know who is near
    broadcast(f"{guest.name} whispers: {words}", to=near)
    broadcast(f"{guest.name} whispers something.", to=others(guest), exclude=near)
