"""The bank's second version: boxes hold pence, a hundred for each old coin."""

from trio_mud import Hooks
from trio_mud.storage import Fields, Record
from trio_mud.world import Game


class Box(Record, family="box", version=2):
    """One player's money, stored under the player's name."""

    pence: int = 0


@Box.migration(1)
def coins_to_pence(fields: Fields) -> Fields:
    return {"pence": fields.get("coins", 0) * 100}


hooks = Hooks()
game = Game(hooks, records=(Box,))
