"""Building while people play: verbs for a game's table of commands.

    commands = Commands[Hero](role_of=role_of)
    add_building(commands)

An actor whose role is `Role.BUILDER` or higher digs rooms, writes descriptions, sets fields, makes and unmakes things,
and undoes that. Everything is stored as it is done, and is written to the log "audit" before. `export` returns what was
built as a map.
"""

from .export import export
from .options import BuildingOptions
from .phrases import BuildingPhrases
from .verbs import add_building

__all__ = ["BuildingOptions", "BuildingPhrases", "add_building", "export"]
