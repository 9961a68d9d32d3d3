"""Test your game without sockets and without waiting: the fixture `mud`, its players, and peers that misbehave.

    async def test_a_lost_guest_stares(mud):
        async with mud(hooks) as tavern:
            ann, bob = await tavern.player(), await tavern.player()
            await ann.vanish()
            await bob.sees("stares into the fire")

Time is virtual: an hour's sleep takes as long as what happens in it.
`pip install trio-mud[testing]` brings what it needs.
"""

from .mud import Mud, OpenMud, open_mud
from .pipe import Pipe, PipeEnd, PipeListener
from .playbook import Playbook
from .player import Player

__all__ = ["Mud", "OpenMud", "Pipe", "PipeEnd", "PipeListener", "Playbook", "Player", "open_mud"]
