from pathlib import Path

from ferry import hooks

from trio_mud.testing import replay

RECORDED = Path(__file__).parent / "recorded"


# replay
async def test_ann_still_crosses_the_river(mud):
    async with mud(hooks) as river:
        await replay(river, RECORDED / "ann-crosses.txt", hidden="sesame")
