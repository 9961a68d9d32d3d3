"""A cellar where a lost guest keeps standing, for five minutes."""

from trio_mud import (
    Admitted,
    Connection,
    Dialog,
    Hooks,
    Input,
    LinkLost,
    Reason,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    broadcast,
)

hooks = Hooks()


# at the door
@hooks.on(Admitted)
def ask_for_a_name(event: Admitted) -> None:
    event.connection.start_dialog(come_in)


async def come_in(dialog: Dialog) -> None:
    name = await dialog.ask("By what name? ")
    guest = dialog.connection
    guest.name = name
    guest.server.sessions.enter(name.casefold(), guest, body=name, grace=300)


# inside
def others(
    guest: Connection | None, event: SessionStarted | LinkLost | SessionResumed | SessionEnded
) -> list[Connection]:
    return [other for other in event.session.server.connections if other is not guest and other.session]


@hooks.on(SessionStarted)
def appear(event: SessionStarted) -> None:
    broadcast(f"{event.session.body} comes down the steps.", to=others(event.session.connection, event))


@hooks.on(LinkLost)
def freeze(event: LinkLost) -> None:
    broadcast(f"{event.session.body} stares at the wall.", to=others(None, event))


@hooks.on(SessionResumed)
def thaw(event: SessionResumed) -> None:
    event.session.write("Where were you?")
    broadcast(f"{event.session.body} blinks, and is back.", to=others(event.session.connection, event))


@hooks.on(SessionEnded)
def vanish(event: SessionEnded) -> None:
    how = "goes up the steps" if event.reason is Reason.QUIT else "was only a shadow"
    broadcast(f"{event.session.body} {how}.", to=others(None, event))


# what is heard
@hooks.on(Input)
def talk(event: Input) -> None:
    speaker = event.connection.session
    if event.line == "quit":
        event.connection.quit("Mind the steps.")
    elif speaker is not None:
        for listener in speaker.server.sessions:
            listener.write(f"{speaker.body}: {event.line}")
