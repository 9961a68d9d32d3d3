"""Test your game without sockets and without waiting: the fixture `mud`, its players, and misbehaving peers.

    async def test_a_lost_guest_stares(mud):
        async with mud(hooks) as tavern:
            ann, bob = await tavern.player(), await tavern.player()
            await ann.vanish()
            await bob.sees("stares into the fire")

Time is virtual: an hour passes as fast as its events can be handled.
While a thread of `trio.to_thread.run_sync` runs, virtual time stands still.
A deadlocked test fails, and the message shows where each task waits.
A test also fails if the game's own code raised, unless it passes `allow_errors=True`.
The same holds for tests with Hypothesis: each example has its own clock and server.

`trio_mud.testing.peers` are misbehaving clients; `Playbook` checks a telnet engine against a script.
`replay` repeats recorded sessions.
`pip install trio-mud[testing]` installs the dependencies.
"""

from .mud import Mud, OpenMud, open_mud
from .pipe import Pipe, PipeEnd, PipeListener
from .playbook import Playbook
from .player import Player
from .replay import read_recording, replay
from .web_player import WebPlayer

__all__ = [
    "Mud",
    "OpenMud",
    "Pipe",
    "PipeEnd",
    "PipeListener",
    "Playbook",
    "Player",
    "WebPlayer",
    "open_mud",
    "read_recording",
    "replay",
]
