"""Operations: the verbs of the people who run a game, its bans, and its audit.

Include them in the function of a game::

    def inn(world: World) -> Hooks:
        hooks = Hooks()
        accounts = Accounts.of(world, Hero)
        operations = Operations(accounts)
        hooks.include(accounts.hooks)
        hooks.include(operations.hooks)
        commands = Commands[Hero](role_of=operations.role_of)
        commands.include(operations.commands)
        ...

    game = Game(inn, records=(*Accounts.records, *Operations.records, Hero))

An actor may do what its role permits, to accounts of a lower role. Each privileged verb writes an entry of the log
`audit`, and acts when that is on disk. The same verbs work on the console, where the first owner is made:
`trio-mud admin role ann owner`.
"""

from .actors import Staff
from .operations import Operations
from .phrases import OperationsPhrases
from .sanctions import Sanction, Sanctions

__all__ = ["Operations", "OperationsPhrases", "Sanction", "Sanctions", "Staff"]
