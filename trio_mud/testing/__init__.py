"""Test your game without sockets and without waiting: the fixture `mud`, its players, and peers that misbehave.

    async def test_a_lost_guest_stares(mud):
        async with mud(hooks) as tavern:
            ann, bob = await tavern.player(), await tavern.player()
            await ann.vanish()
            await bob.sees("stares into the fire")

Time is virtual: an hour's sleep takes as long as what happens in it.
While a thread of `trio.to_thread.run_sync` works, time stands still.
A test in which nothing could ever happen again fails, and says where it waits.
So does one in which the game's own code raised, unless it is given `allow_errors=True`.
The same goes for tests under Hypothesis: each example has a clock and a server of its own.

`trio_mud.testing.peers` are clients that misbehave; `Playbook` holds a telnet engine to a script.
`replay` plays recordings of true sessions again.
`pip install trio-mud[testing]` brings what it needs.
"""

from .mud import Mud, OpenMud, open_mud
from .pipe import Pipe, PipeEnd, PipeListener
from .playbook import Playbook
from .player import Player
from .replay import read_recording, replay

__all__ = [
    "Mud",
    "OpenMud",
    "Pipe",
    "PipeEnd",
    "PipeListener",
    "Playbook",
    "Player",
    "open_mud",
    "read_recording",
    "replay",
]
