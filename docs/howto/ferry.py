"""A ferry whose ferryman wants to know who you are, and goes every minute."""

from trio_mud import Admitted, Dialog, Hooks, Input, Started, broadcast

hooks = Hooks()


@hooks.on(Started)
def go_every_minute(event: Started) -> None:
    event.server.every(60, lambda: broadcast("The ferry leaves.", to=event.server.connections))


@hooks.on(Admitted)
def hail(event: Admitted) -> None:
    event.connection.start_dialog(board)


async def board(dialog: Dialog) -> None:
    name = await dialog.ask("Who goes there? ")
    word = await dialog.ask_hidden("And the word? ")
    if word == "sesame":
        dialog.connection.write(f"Step aboard, {name}.")
    else:
        dialog.connection.quit("Then swim.")


@hooks.on(Input)
def talk(event: Input) -> None:
    event.connection.write("The ferryman nods.")
