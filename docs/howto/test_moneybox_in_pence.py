from moneybox_in_pence import Box, game

from trio_mud.storage import Row, Stored


async def test_old_coins_become_pence(mud):
    stored = Stored()
    stored.rows["box", "ann"] = Row("box", "ann", kind="box", version="", owner="", data=b'{"coins":3}')
    async with mud(game, storage=stored) as bank:
        ann = await bank.store.load(Box, "ann")
        assert ann.pence == 300
    assert stored.rows["box", "ann"].data == b'{"pence":300}'
