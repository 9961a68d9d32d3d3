"""A gallery that shows its one picture to each visitor as they can take it in."""

from trio_mud import ClientReady, Connection, Dialog, Hooks, Input, MasterServer, WindowSize, link, markup
from trio_mud.telnet import DEFAULT_OPTIONS
from trio_mud.telnet.options import Msp, Mxp

hooks = Hooks()


# first screen
@hooks.on(ClientReady)
def show_the_picture(event: ClientReady) -> None:
    visitor = event.connection
    if visitor.client.screen_reader:
        visitor.write("A small painting: a harbour in the rain, and one lamp.")
    else:
        visitor.write(markup("<#305070>~ ~ ~</#305070> <bright-yellow>*</bright-yellow> <#305070>~ ~ ~</#305070>"))
    visitor.write(markup("You may {look} closer.", look=link("look")))


# dialog
async def sign_the_book(dialog: Dialog) -> None:
    await dialog.client_ready()
    visitor = dialog.connection
    columns = visitor.client.size.columns
    visitor.write("The visitors' book".center(columns - 1).rstrip())
    visitor.name = await dialog.ask("Your name? ")


# facts
def describe(visitor: Connection) -> None:
    client = visitor.client
    visitor.write(f"You look through {client.program or 'something'} {client.version}".rstrip() + ".")
    for fact in ("size", "colours", "screen_reader", "is_secure"):
        visitor.write(f"{fact}: {getattr(client, fact)}, {client.source_of(fact).name}")


# preferences
def dim(visitor: Connection, words: str) -> None:
    if words == "off":
        visitor.client.prefer(colours=0)
    elif words == "auto":
        visitor.client.clear_preference("colours")


# commands
@hooks.on(Input)
def obey(event: Input) -> None:
    visitor = event.connection
    verb, _, words = event.line.partition(" ")
    if verb == "look":
        visitor.write(markup("The lamp is <bright-yellow>lit</bright-yellow>."))
    elif verb == "sign":
        visitor.start_dialog(sign_the_book)
    elif verb == "describe":
        describe(visitor)
    elif verb == "colours":
        dim(visitor, words)


@hooks.on(WindowSize)
def step_back(event: WindowSize) -> None:
    if event.columns < 40:
        event.connection.write("You stand rather close to it.")


# options
def make_server() -> MasterServer:
    return MasterServer(hooks, options=(*DEFAULT_OPTIONS, Mxp(), Msp()))
