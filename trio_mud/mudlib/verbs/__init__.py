"""What guests can do: one table beside each kind of doing, and here the one that includes them all."""

from ..commands import Commands
from ..guest import Guest
from . import looking, moving, talking
from .looking import show_room

__all__ = ["commands", "show_room"]

commands = Commands[Guest]()
for table in (looking.commands, moving.commands, talking.commands):
    commands.include(table)
commands.check()
