"""A tavern that fills gauges, maps and chat windows, and takes orders by a button."""

from dataclasses import dataclass

from trio_mud import ClientReady, Connection, GmcpMessage, Hooks, Input

hooks = Hooks()
DRINKS = {"ale": 3, "milk": 1}


# send
@dataclass
class Vitals:
    hp: int
    maxhp: int = 20


@hooks.on(ClientReady)
def fill_the_gauge(event: ClientReady) -> None:
    guest = event.connection
    guest.body = Vitals(hp=12)
    guest.gmcp("Char.Vitals", guest.body)


# in text as well
def drink(guest: Connection, what: str) -> None:
    vitals = guest.body
    if isinstance(vitals, Vitals):
        vitals.hp = min(vitals.hp + DRINKS[what], vitals.maxhp)
        guest.gmcp("Char.Vitals", vitals)
    guest.write(f"You drink your {what}, and feel better.")


@hooks.on(Input)
def listen(event: Input) -> None:
    for what in DRINKS:
        if what in event.line:
            drink(event.connection, what)


# receive
@hooks.on(GmcpMessage)
def take_an_order(event: GmcpMessage) -> None:
    if event.package.lower() != "tavern.order":
        return
    match event.data:
        case {"drink": str(what)} if what in DRINKS:
            drink(event.connection, what)
        case _:
            event.connection.gmcp("Tavern.Refusal", "We do not serve that.")


# only some
def open_the_menu(guest: Connection) -> None:
    if not guest.gmcp("Tavern.Menu", DRINKS):
        guest.write("We have " + " and ".join(DRINKS) + ".")


@hooks.on(Input)
def show_the_menu(event: Input) -> None:
    if event.line == "menu":
        open_the_menu(event.connection)
