"""Three questions: one of yes or no, one that does not wait for ever, and one whose answer the screen does not show."""

import trio

from trio_mud import Dialog, EchoRefused, Hooks, Input

hooks = Hooks()


# start
@hooks.on(Input)
def listen(event: Input) -> None:
    guest = event.connection
    if event.line == "burn":
        guest.start_dialog(burn_the_letter)
    elif event.line == "riddle":
        guest.start_dialog(pose_a_riddle)
    elif event.line == "knock":
        guest.start_dialog(ask_for_the_word, deadline=60)


async def burn_the_letter(dialog: Dialog) -> None:
    answer = await dialog.ask("Burn the letter? (yes/no) ")
    if answer == "yes":
        dialog.connection.write("It flares up, and is gone.")
    else:
        dialog.connection.write("You put it back into your pocket.")


# for a while
async def pose_a_riddle(dialog: Dialog) -> None:
    with trio.move_on_after(30):
        answer = await dialog.ask("What has keys and opens no door? ")
        dialog.connection.write("Just so." if answer == "piano" else "The sphinx shakes her head.")
        return
    dialog.connection.write("The sphinx has fallen asleep.")


# hidden
async def ask_for_the_word(dialog: Dialog) -> None:
    guest = dialog.connection
    guest.hide_input(True)
    try:
        word = await dialog.ask("The word? ")
    finally:
        guest.hide_input(False)
    guest.write("The wall opens." if word == "mellon" else "Nothing happens.")


@hooks.on(EchoRefused)
def warn(event: EchoRefused) -> None:
    event.connection.write("Look behind you first: your program will show what you type.")
