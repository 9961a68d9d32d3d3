"""A connection: one socket, one task, one life, from accept to disconnect.

The only class that holds both an engine (telnet, without I/O) and a transport (bytes, without telnet).
Above it there are no bytes, below it there is no game. This is its face; what it is made of stands beside:
`life` (its task and its ending), `hearing` and `inbox` (what comes), `outbox` (what goes), `dialogs`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import ConnectionEnded, LocalProtocolError
from ...telnet import TelnetEngine
from ...telnet.gmcp_messages import NO_DATA, encode_gmcp
from ...telnet.msdp_messages import Sendable
from ...telnet.options import Gmcp, Msdp
from ...telnet.options.mssp import render_plain
from ...text import Text, render
from ...text.cleaning import exact
from ...transports import Transport
from ..core.checks import article, check_function, check_seconds, check_text, check_words
from ..core.events import Cause, Reason
from ..core.guard import allow_interrupts, is_a, run_guarded
from ..core.timers import EndingTimerOwner, Timer
from ..link.client import Client
from .dialog import Dialog, Script
from .hearing import Hearing
from .inbox import Inbox
from .lifecycle import Life
from .outbox import Outbox

if TYPE_CHECKING:
    from ..server.server import MasterServer
    from ..sessions.session import Session

logger = logging.getLogger("trio_mud")

MOST_RENDERED: Final = 256  # texts that a server keeps rendered during a batch, each for one kind of client
MOST_SHARED: Final = 64 * 1024  # bytes of such a text; longer ones are not kept


class Connection(EndingTimerOwner):
    """One peer. Made by the server; a game keeps it as long as it likes.

    Attributes:
        server: The `MasterServer` that holds it.
        number: Its number on this server, never used again.
        body: The game's own object for it, None at first. Yours to set.
        client: What is known of the peer's program.
        dialog: The dialog that gets its lines, if one does; `start_dialog` sets it, and its end.
        session: The stay it serves; `server.sessions.enter` sets it, and its end or a takeover.
    """

    __slots__ = (
        "__weakref__",
        "_name",
        "_refusal",
        "_transport",
        "body",
        "client",
        "dialog",
        "engine",
        "hearing",
        "inbox",
        "life",
        "number",
        "outbox",
        "server",
        "session",
        "successors",
    )

    def __init__(self, server: MasterServer, transport: Transport, number: int) -> None:
        self.server = server
        self.number = number
        self._name = f"guest-{number}"
        self.body: object = None
        self.session: Session | None = None
        self.successors: tuple[Session, ...] = ()  # sessions taken over from it while one of its events ran
        self._transport = transport
        self._refusal: tuple[str, Cause] | None = None
        self.dialog: Dialog | None = None
        self._timers: dict[Timer, None] | None = None
        # what it is made of: the house's
        self.engine = server.make_engine()
        self.client = Client(self.engine, server.thread)
        self.life = Life(self, transport)
        self.hearing = Hearing(self)
        self.inbox = Inbox(self)
        self.outbox = Outbox(self, transport)

    def __repr__(self) -> str:
        return f"<Connection {self.name} from {self.address or 'nowhere'}>"

    # What a game asks

    @property
    def name(self) -> str:
        """A label for people and logs, `guest-7` at first. Yours to set.

        Raises:
            TypeError: What it is set to is no text.
            LocalProtocolError: It is set in another thread than the server's.
        """
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self.server.thread.check()
        if not isinstance(name, str):
            raise TypeError(f"Connection.name is a str, not {article(name)}: set str(name)")
        self._name = exact(name)

    @property
    def address(self) -> str:
        """The peer's host, in one canonical spelling; "" if its transport does not know."""
        return self._transport.address

    @property
    def idle(self) -> float:
        """Seconds since its last line was handled, or since it came in."""
        return trio.current_time() - self.inbox.last_line_at

    @property
    def refused(self) -> bool:
        """Whether somebody refused it at the door."""
        return self._refusal is not None

    @property
    def ending(self) -> Cause | None:
        """Why it is ending or has ended; None while it lives."""
        return self.life.cause

    @property
    def is_line_secret(self) -> bool:
        """Whether the last line may have been typed hidden: do not log it."""
        return self.engine.input_hidden or self.inbox.shown_at == self.inbox.last_line_at

    @property
    def is_in_own_hook(self) -> bool:
        """Whether the running task is a waiting hook of this connection, for which its next line waits."""
        return self.server.dispatcher.is_in_hook_of(self.inbox)

    # What a game says

    @enable_ki_protection
    def write(self, text: Text) -> bool:
        """Send a text and end the line. Never waits.

        The text leaves at the end of the dispatcher's batch, in order, joined with all else.
        A `str` is plain text: control characters in it are removed, newlines become line ends.

        Returns:
            False if it will not arrive: the ending is decided, or `limits.outbox` bytes are waiting already.
        """
        if get_ident() != self.server.thread.ident:  # one call less where every microsecond counts
            self.server.thread.check()
        return self.outbox.write(self._encode(text, "Connection.write()") + b"\r\n")

    @enable_ki_protection
    def write_shared(self, text: Text, encoded: dict[Hashable, bytes]) -> bool:
        """Like `write`, with the bytes shared among connections whose clients are of one kind. For `broadcast`."""
        kind = (self.engine.encoding, self.client.rendering)
        data = encoded.get(kind)
        if data is None:
            data = encoded[kind] = self._encode(text, "broadcast()") + b"\r\n"
        return self.outbox.write(data)

    def tell(self, text: str) -> None:
        """Write one of the server's own texts; an empty one says nothing."""
        if text:
            self.write(text)

    @enable_ki_protection
    def prompt(self, text: Text) -> bool:
        """Send a text without ending the line, marked as a prompt for clients that want to know.

        For a client that does not, text that comes before the answer begins on a new line,
        and the prompt is shown again behind it.

        Returns:
            As `write` does.
        """
        self.server.thread.check()
        return self.outbox.prompt(self._encode(text, "Connection.prompt()"), self.engine.prompt_mark)

    @enable_ki_protection
    def gmcp(self, package: str, data: object = NO_DATA) -> bool:
        """Send a message of GMCP, if the client takes this package.

        Args:
            package: Such as "Room.Info".
            data: Whatever JSON can say: also dataclasses and msgspec structs. Left out, the package comes alone.

        Returns:
            False if the client does not take it, or it will not arrive for the reasons of `write`.

        Raises:
            ValueError: The package's name is not one.
            TypeError: It is no `str`, or JSON has nothing for the data.
        """
        self.server.thread.check()
        if type(package) is not str:
            package = check_words(package, "Connection.gmcp()")
        message = encode_gmcp(package, data)
        gmcp = self.engine.option(Gmcp)
        return gmcp is not None and gmcp.accepts(self.engine, package) and self.outbox.queue(message)

    @enable_ki_protection
    def msdp(self, variable: str, value: Sendable) -> bool:
        """Report a variable by MSDP, if the client asked to be told of it and the value has changed.

        Returns:
            Whether it is sent.
        """
        self.server.thread.check()
        if type(variable) is not str:
            variable = check_words(variable, "Connection.msdp()")
        msdp = self.engine.option(Msdp)
        size = len(variable) + len(str(value))
        if msdp is None or self.ending is not None or not self.outbox.makes_room_for(size):
            return False
        sent = msdp.report(self.engine, variable, value)
        self.outbox.soil(size if sent else 0)
        return sent

    @enable_ki_protection
    def hide_input(self, hidden: bool) -> None:
        """Ask the client to show no more, or again, what is typed. `EchoRefused` tells if it will not."""
        self.server.thread.check()
        if self.ending is None:
            if self.engine.input_hidden and not hidden:
                self.inbox.shown_at = self.inbox.last_line_at
            self.engine.hide_input(hidden)
            self.outbox.soil(0)

    @enable_ki_protection
    def quit(self, text: str = "", *, cause: Cause = Cause.ASKED) -> None:
        """End this connection once what is already written has drained.

        Lines typed but not handled are dropped. Later calls change nothing: the first ending stands.

        Args:
            text: The last words; flushed for at most `limits.quit_flush` seconds.
            cause: Why; one whose reason is `QUIT`.

        Raises:
            ValueError: The cause belongs to another reason.
            TypeError: The text is no `str`, or the cause no `Cause`.
        """
        self.server.thread.check()
        text = check_words(text, "Connection.quit()")
        if not isinstance(cause, Cause):
            raise TypeError(f"Connection.quit(cause=) takes a Cause, such as Cause.KICKED, not {article(cause)}")
        if cause.reason is not Reason.QUIT:
            raise ValueError(f"{cause.name} is no cause for a quit: choose one whose reason is QUIT")
        if self.ending is None:
            # It may raise, so it comes first.
            words = self._encode(text, "Connection.quit()") + b"\r\n" if text else b""
            if self.dialog is not None:
                self.dialog.show_input()
            if words:
                self.outbox.last_words(words)
            self.life.end(cause, text)

    @enable_ki_protection
    def refuse(self, text: str = "") -> None:
        """Do not let this visitor in. Of several refusals the first stands; after the connect hook it is a `quit`.

        Args:
            text: All that the visitor reads; `texts.refused` if empty.

        Raises:
            TypeError: The text is no `str`.
        """
        self.server.thread.check()
        text = check_words(text, "Connection.refuse()")
        if self.inbox.is_undecided:
            self.turn_away(text or self.server.texts.refused, Cause.VETOED)
        else:
            self.quit(text, cause=Cause.KICKED)

    @enable_ki_protection
    def start_dialog(self, script: Script, *, deadline: float | None = None) -> None:
        """Let a script have this connection's lines until it returns.

        Started at the door it begins after admission, or never. On an ended connection nothing happens.

        Args:
            script: `async def script(dialog)`; it asks by `await dialog.ask("By what name? ")`.
            deadline: Seconds for the whole dialog; then the connection ends, cause `LOGIN_DEADLINE`.

        Raises:
            LocalProtocolError: A dialog is going on already. Its script may await another: `await other(dialog)`.
            TypeError: The script is no async function of one argument, or the deadline no number.
        """
        self.server.thread.check()
        check_function(script, "Connection.start_dialog()", "dialog", waits=True)
        if deadline is not None:
            check_seconds(deadline, "Connection.start_dialog(deadline=)", may_be_infinite=True)
        if self.ending is not None:
            return
        if self.dialog is not None:
            raise LocalProtocolError(
                f"{self.name} is in a dialog already: let it end, or run the new script within: `await new(dialog)`"
            )
        self.dialog = Dialog(self, script, deadline)
        self.life.start(self.dialog.run, "dialog", script)

    @enable_ki_protection
    def start_soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run work that may take long beside the connection's events; it ends with the connection.

        Its failure is logged and costs nobody else. On an ended connection nothing happens.

        Raises:
            TypeError: The work is no async function without arguments.
        """
        self.server.thread.check()
        check_function(work, "Connection.start_soon()", waits=True)
        allow_interrupts(work)
        if self.ending is None:
            self.life.start(partial(run_guarded, work, partial(self.work_failed, "work", work)), "work", work)

    # What the house tells it

    def turn_away(self, text: str, cause: Cause) -> None:
        """Refuse at the door, for a cause of the network's own. Of several refusals the first stands."""
        if self._refusal is None:
            self._refusal = (text, cause)

    def decide(self) -> None:
        """The network's own step, last on `Connect`: not refused it joins the list, refused it goes.

        An ending decided meanwhile is kept for after the admission; a refusal outweighs it.
        """
        self.life.open_link()
        if self._refusal is None:
            self.inbox.admit()
            self.server.admit(self)
            self.outbox.soil(0)  # offers and greeting leave together
        else:
            text, cause = self._refusal
            self.engine = TelnetEngine(())  # what connect functions wrote is dropped, and nothing is offered
            self.outbox.forget()
            self.outbox.prompt_answered()
            self.inbox.turn_away()
            self.life.overrule(cause, text, self.tell)
        self.life.stir()

    def feed(self, data: bytes) -> bool:
        """Take what was received. Synchronous: whoever reads calls it.

        Returns:
            Whether there is room for more; if not, read on when there is.
        """
        if self.life.cause is not None:
            return True
        try:
            if self.hearing.is_sure:
                return self.inbox.feed(data)
            self.hearing.take(data)
        except BaseException as error:  # noqa: BLE001 - an option of the game's; the task that reads may read for all
            self.life.fail(error)
            return True
        return not self.is_full

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self.life.until(lambda: not self.is_full)

    @property
    def is_full(self) -> bool:
        """Whether reading must wait: too much is typed ahead, or the peer does not read the answers it causes."""
        return self.inbox.is_full or self.outbox.is_overfull

    @property
    def is_served(self) -> bool:
        """Whether all that was typed is handled; a dialog has handled its line when it asks again."""
        return self.inbox.is_served and (self.dialog is None or self.dialog.is_asking)

    def flush(self) -> None:
        """Hand everything written to the transport. The server calls it once a batch."""
        if self.dialog is not None and not self.dialog.asks_hidden:
            self.dialog.show_input()  # only now: a hidden question that follows another does not show between
        life = self.life
        self.outbox.flush()
        if not self.engine.is_quiet:
            self.hearing.mind_time()
        if life.awaited is not None:
            life.stir()

    def ending_decided(self) -> None:
        """Forget what the ending ends, before its scopes are cancelled."""
        in_dialog = self.dialog is not None  # a password must not become a command
        self.inbox.end(drop_lines=in_dialog or not self.life.is_link_dead)
        self.hearing.end()
        self.cancel_timers()
        self.server.release(self)
        if self.dialog is not None and not self.dialog.has_begun:
            self.dialog = None

    def work_failed(self, what: str, function: object, error: BaseException) -> None:
        """A script or background work of the game raised: log it; an interrupt stops the server."""
        if not (is_a(error, ConnectionEnded) and self.ending is not None):  # as a hook of it, see `hook_failed`
            self.server.work_failed(what, function, lambda: f" for {self.name} (#{self.number})", error)

    def give_up_waiting(self) -> None:
        """It was admitted and never typed a line."""
        self.quit(self.server.texts.no_input, cause=Cause.LOGIN_DEADLINE)

    def tell_listing(self) -> None:
        """A crawler asked by a line what MUD listings are to know."""
        self.outbox.queue(self.engine.encode(render_plain(self.server.mssp_variables())))

    def dialog_asks(self) -> None:
        """The dialog waits for a line."""
        self.inbox.wake()
        self.life.stir()

    def dialog_over(self, dialog: Dialog) -> None:
        """The script has returned: lines are `Input` again."""
        if self.dialog is dialog:
            self.dialog = None
            self.inbox.wake()
            self.life.stir()

    def _encode(self, text: Text, where: str) -> bytes:
        """A text as its client reads it; `where` names the method that the game called, for an error."""
        if type(text) is str and len(text) <= self.client.plain_columns and text.isascii() and text.isprintable():
            return text.encode()  # it reads the same everywhere
        if type(text) is not str:
            text = check_text(text, where)
        rendered = self.server.rendered
        # Markup by identity, for its hash takes a fifth of the time that rendering does; equal ones are rarely made.
        kind = (text if type(text) is str else id(text), self.engine.lines.charset, self.client.rendering)
        known = rendered.get(kind)
        if known is not None:
            return known[1]
        data = self.engine.encode(render(text, self.client.rendering))
        if len(data) <= MOST_SHARED:
            if len(rendered) >= MOST_RENDERED:
                rendered.clear()
            rendered[kind] = (text, data)  # the text too, so that its identity is not used again
        return data

    def _has_ended(self) -> bool:
        return self.ending is not None

    def _deliver_tick(self, timer: Timer) -> None:
        self.inbox.signal(timer)
