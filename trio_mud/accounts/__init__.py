"""Accounts: names, passwords, characters, and the login.

A game that is built for each world creates them there::

    def inn(world: World) -> Hooks:
        hooks = Hooks()
        accounts = Accounts.of(world, Hero)
        login = Login(accounts)
        hooks.include(accounts.hooks)

        @hooks.on(Admitted)
        def open_the_door(event: Admitted) -> None:
            event.connection.start_dialog(login.run, deadline=accounts.options.login_timeout)

        return hooks

    game = Game(inn, records=(*Accounts.records, Hero))

With a table of commands, `hooks = Login(accounts).play(commands)` does all of that, and runs what players type.

A `Hero` is a class of the game derived from `Character`. Its records are in memory while it is played, and it is the
`body` of its session.

It stores passwords as argon2id hashes, and tokens and codes as digests. It sends no mail: an operator's
`recovery_code` takes the place of a forgotten password.
"""

from .account import Account, Character, Name, ResumeToken
from .accounts import Accounts
from .changes import ask_new_password, change_password, delete_account
from .entry import Login
from .names import appearance, read_name, same_name
from .options import AccountOptions
from .passwords import Passwords
from .penalties import Penalties

__all__ = [
    "Account",
    "AccountOptions",
    "Accounts",
    "Character",
    "Login",
    "Name",
    "Passwords",
    "Penalties",
    "ResumeToken",
    "appearance",
    "ask_new_password",
    "change_password",
    "delete_account",
    "read_name",
    "same_name",
]
