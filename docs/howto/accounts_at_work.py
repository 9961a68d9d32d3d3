"""An inn that keeps its guests: names, passwords, and a purse that is there tomorrow."""

from functools import partial

from trio_mud import Admitted, Hooks, Input, SessionResumed, SessionStarted
from trio_mud.accounts import Accounts, Character, Login, change_password
from trio_mud.world import Game, World


class Lodger(Character):
    gold: int = 0


# hooks
def inn(world: World) -> Hooks:
    hooks = Hooks()
    accounts = Accounts.of(world, Lodger)
    login = Login(accounts)
    hooks.include(accounts.hooks)

    @hooks.on(Admitted)
    def open_the_door(event: Admitted) -> None:
        event.connection.start_dialog(login.run, deadline=accounts.options.login_timeout)

    @hooks.on(SessionStarted)
    def come_in(event: SessionStarted) -> None:
        event.session.write(f"Welcome, {event.session.body.name}.")

    @hooks.on(SessionResumed)
    def come_back(event: SessionResumed) -> None:
        event.session.write("There you are again.")

    @hooks.on(Input)
    def obey(event: Input) -> None:
        connection = event.connection
        lodger = connection.session.body
        if event.line == "dig":
            lodger.gold += 1
        elif event.line == "gold":
            connection.write(f"You have {lodger.gold} gold.")
        elif event.line == "password":
            connection.start_dialog(partial(change_password, accounts=accounts))
        elif event.line == "quit":
            connection.session.leave("Sleep well.")

    return hooks


game = Game(inn, records=(*Accounts.records, Lodger))
