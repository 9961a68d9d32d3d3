"""Questions of every kind: one line, yes or no, one of several, hidden, with a deadline, page by page, a whole text."""

import trio

from trio_mud import Dialog, EchoRefused, Hooks, Input, NoAnswer

hooks = Hooks()


# start
@hooks.on(Input)
def listen(event: Input) -> None:
    guest = event.connection
    if event.line == "sign":
        guest.start_dialog(sign_the_book)
    elif event.line == "burn":
        guest.start_dialog(burn_the_letter)
    elif event.line == "riddle":
        guest.start_dialog(pose_a_riddle)
    elif event.line == "knock":
        guest.start_dialog(ask_for_the_word, deadline=60)
    elif event.line == "swear":
        guest.start_dialog(change_the_word)
    elif event.line == "order":
        guest.start_dialog(take_an_order)
    elif event.line == "read":
        guest.start_dialog(read_the_saga)
    elif event.line == "write":
        guest.start_dialog(write_a_letter)


async def sign_the_book(dialog: Dialog) -> None:
    name = await dialog.ask("Your name? ")
    dialog.connection.write(f"The ink dries: {name}.")


# for a while
async def pose_a_riddle(dialog: Dialog) -> None:
    try:
        answer = await dialog.ask("What has keys and opens no door? ", within=30)
    except trio.TooSlowError:
        dialog.connection.write("The sphinx has fallen asleep.")
    else:
        dialog.connection.write("Just so." if answer == "piano" else "The sphinx shakes her head.")


# hidden
async def ask_for_the_word(dialog: Dialog) -> None:
    word = await dialog.ask_hidden("The word? ")
    dialog.connection.write("The wall opens." if word == "mellon" else "Nothing happens.")
    if dialog.hiding_refused:
        dialog.connection.write("And whoever looked over your shoulder knows it, too.")


@hooks.on(EchoRefused)
def warn(event: EchoRefused) -> None:
    event.connection.write("Look behind you first: your program will show what you type.")


# twice
async def change_the_word(dialog: Dialog) -> None:
    word = await dialog.ask_hidden("The new word? ")
    again = await dialog.ask_hidden("Once more? ")
    dialog.connection.write("So be it." if word == again else "Those were two words.")


# confirm
async def burn_the_letter(dialog: Dialog) -> None:
    if await dialog.confirm("Burn the letter? (yes/no) "):
        dialog.connection.write("It flares up, and is gone.")
    else:
        dialog.connection.write("You put it back into your pocket.")


# choose
DRINKS = {"ale": 3, "apple wine": 4, "milk": 1}


async def take_an_order(dialog: Dialog) -> None:
    try:
        price = await dialog.choose("What will it be? ", DRINKS)
    except NoAnswer:
        dialog.connection.write("The landlord turns to somebody else.")
    else:
        dialog.connection.write(f"That is {price} coins.")


# page
SAGA = "\n".join(f"Verse {number}: and then they rowed on." for number in range(1, 61))


async def read_the_saga(dialog: Dialog) -> None:
    if await dialog.page(SAGA):
        dialog.connection.write("You close the book with a sigh.")


# edit
async def write_a_letter(dialog: Dialog) -> None:
    letter = await dialog.edit("Dear aunt,", most_lines=40)
    if letter is None:
        dialog.connection.write("You crumple the sheet.")
        return
    dialog.connection.write(f"You have written {len(letter.splitlines())} lines.")
    await burn_the_letter(dialog)
