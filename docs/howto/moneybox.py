"""A bank where each player has a box of coins: records that are loaded, changed, traded and saved."""

from trio_mud import Admitted, Connection, Dialog, Disconnect, Hooks, Input
from trio_mud.errors import NotSaved
from trio_mud.storage import Record
from trio_mud.world import Game, World


# the record
class Box(Record, family="box", index=("town",)):
    """One player's coins, stored under the player's name."""

    coins: int = 0
    town: str = ""
    debtors: list[str] = []


hooks = Hooks()
game = Game(hooks, records=(Box,))


# at the door
@hooks.on(Admitted)
def ask_for_a_name(event: Admitted) -> None:
    event.connection.start_dialog(come_in, deadline=60)


async def come_in(dialog: Dialog) -> None:
    player = dialog.connection
    store = World.of(player.server).store
    name = (await dialog.ask("By what name? ")).strip().lower()
    if not name.isalpha() or len(name) > 20:
        player.quit("One word of letters, please.")
        return
    box = await store.hold(Box, name)
    if box is None:
        store.add(Box(coins=10), name)
        box = await store.hold(Box, name)
    player.name, player.body = name, box
    player.write(f"Your box holds {box_of(player).coins} coins.")


@hooks.on(Disconnect)
def close(event: Disconnect) -> None:
    box = event.connection.body
    if isinstance(box, Box):
        World.of(event.connection.server).store.release(box)


# inside
def box_of(player: Connection) -> Box:
    assert isinstance(player.body, Box)
    return player.body


@hooks.on(Input)
async def obey(event: Input) -> None:
    player, store = event.connection, World.of(event.connection.server).store
    if player.body is None:
        player.quit("Your box cannot be opened. Please try again later.")
        return
    box = box_of(player)
    match event.line.split():
        case ["give", name, amount] if amount.isdecimal() and 0 < int(amount) <= box.coins:
            other = await store.load(Box, name)
            # The box may have changed during the await: check it again, then change both in one step.
            if other is None or int(amount) > box.coins:
                player.write("That cannot be done.")
                return
            box.coins -= int(amount)
            other.coins += int(amount)
            player.write("Given.")
        case ["lend", name]:
            box.debtors = [*box.debtors, name]
            player.write("Written down.")
        case ["move", town]:
            box.town = town
            player.write(f"{', '.join(await store.find(Box, town=town))} live in {town}.")
        case ["save"]:
            try:
                await store.saved()
            except NotSaved:
                player.write("The ink is out. Try again in a minute.")
            else:
                player.write("It is in the books.")
        case ["quit"]:
            player.quit("The door closes.")
        case _:
            player.write("Give NAME 3, lend NAME, move TOWN, save or quit?")
