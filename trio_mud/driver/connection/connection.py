"""A connection: one peer as the game sees it, from accept to disconnect; and those that were admitted.

Above it there is the game, below it no bytes: its `link` turns those into lines. This is its face.
What it is made of stands beside: `inbox` (what comes), `lifecycle` (its task and its ending), `dialog`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import ConnectionEnded, LocalProtocolError
from ...telnet.gmcp_messages import NO_DATA
from ...telnet.msdp_messages import Sendable
from ...text import Text
from ...text.cleaning import exact
from ..core.checks import article, check_function, check_seconds, check_text, check_words
from ..core.events import Cause, Reason
from ..core.guard import allow_interrupts, is_a, run_guarded
from ..core.timers import EndingTimerOwner, Timer, Timers
from ..link.base import Link, OutOfBand
from .dialog import Dialog, Script
from .inbox import Inbox
from .lifecycle import Lifecycle
from .line_taker import BorrowedLines, LineTaker

if TYPE_CHECKING:
    from ..server.server import MasterServer
    from ..sessions.session import Session


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
        "body",
        "client",
        "inbox",
        "lifecycle",
        "link",
        "number",
        "server",
        "session",
    )

    def __init__(self, server: MasterServer, link: Link, number: int) -> None:
        self.server = server
        self.number = number
        self._name = f"guest-{number}"
        self.body: object = None
        self.client = link.client
        self.session: Session | None = None
        self._refusal: tuple[str, Cause] | None = None
        self._timers: dict[Timer, None] | None = None
        # what it is made of; not for games
        self.link = link
        self.lifecycle = Lifecycle(self, server.context, link)
        self.inbox = Inbox(self, server.context, link, self.lifecycle)
        self.lifecycle.attach(self.inbox)

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
        return self.link.address

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
        return self.lifecycle.cause

    @property
    def is_line_secret(self) -> bool:
        """Whether the last line may have been typed hidden: do not log it."""
        return self.link.hides_input or self.inbox.shown_at == self.inbox.last_line_at

    @property
    def is_in_own_hook(self) -> bool:
        """Whether the running task is a waiting hook of this connection, for which its next line waits."""
        return self.server.context.dispatcher.is_in_hook_of(self.inbox)

    # What a game says

    @enable_ki_protection
    def write(self, text: Text) -> bool:
        """Send a text and end the line. Never waits.

        The text leaves at the end of the dispatcher's batch, in order, joined with all else.
        A `str` is plain text: control characters in it are removed, newlines become line ends.

        Returns:
            False if it will not arrive: the ending is decided, or `limits.outbox` bytes are waiting already.
        """
        if get_ident() != self.server.thread.ident:  # `check`, without the call: this runs for every text
            self.server.thread.check()
        return self.link.write(text)

    @enable_ki_protection
    def write_shared(self, text: Text, encoded: dict[Hashable, bytes]) -> bool:
        """Like `write`, with the bytes shared among connections whose clients are of one kind. For `broadcast`."""
        return self.link.write_shared(text, encoded)

    @enable_ki_protection
    def prompt(self, text: Text) -> bool:
        """Send a text without ending the line, marked as a prompt for clients that want to know.

        For a client that does not, text that comes before the answer begins on a new line,
        and the prompt is shown again behind it.

        Returns:
            As `write` does.
        """
        if get_ident() != self.server.thread.ident:  # as in `write`
            self.server.thread.check()
        return self.link.prompt(text)

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
        return self.link.send(OutOfBand("gmcp", package, data))

    @enable_ki_protection
    def msdp(self, variable: str, value: Sendable) -> bool:
        """Report a variable by MSDP, if the client asked to be told of it and the value has changed.

        Returns:
            Whether it is sent.
        """
        self.server.thread.check()
        if type(variable) is not str:
            variable = check_words(variable, "Connection.msdp()")
        return self.link.send(OutOfBand("msdp", variable, value))

    @enable_ki_protection
    def hide_input(self, hidden: bool) -> None:
        """Ask the client to show no more, or again, what is typed. `EchoRefused` tells if it will not."""
        self.server.thread.check()
        if self.ending is None:
            if self.link.hides_input and not hidden:
                self.inbox.shown_at = self.inbox.last_line_at
            self.link.hide_input(hidden)

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
            if self.inbox.taker is not None:
                self.inbox.taker.show_input()
            if text:
                self.link.write(text, is_last=True)
            self.lifecycle.end(cause, text)

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
            self.reject(text or self.server.texts.refused, Cause.VETOED)
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
        dialog = Dialog(self, script, deadline)
        dialog.lines = self.take_lines(dialog)
        self.lifecycle.start(dialog.run, "dialog", script)

    def take_lines(self, taker: LineTaker) -> BorrowedLines:
        """Give this connection's lines to a taker instead of the game, until it ends that or the connection ends.

        For what is no dialog, such as forwarding lines to another process. One at a time.

        Returns:
            The handle to call when the taker asks for its next line, gives one back, or is done.

        Raises:
            LocalProtocolError: The lines are taken already, by a dialog or another taker.
        """
        if self.inbox.taker is not None:
            raise LocalProtocolError(
                f"{self.name} is in a dialog already: let it end, or run the new script within: `await new(dialog)`"
            )
        self.inbox.taker = taker
        return BorrowedLines(
            give_back=self.inbox.give_back, wake=self._offer_line, end=partial(self._return_lines, taker)
        )

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that has its lines; None if there is none."""
        taker = self.inbox.taker
        return taker if isinstance(taker, Dialog) else None

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
            self.lifecycle.start(partial(run_guarded, work, partial(self.work_failed, "work", work)), "work", work)

    # What the server and its other parts call; not for games

    def reject(self, text: str, cause: Cause) -> None:
        """Refuse it, for a cause that need not be the game's. Of several refusals the first stands."""
        if self._refusal is None:
            self._refusal = (text, cause)

    def conclude_connect(self) -> None:
        """The network's own step, last on `Connect`: not refused it joins the list, refused it ends.

        An ending decided meanwhile takes effect after the admission; a refusal outweighs it.
        """
        if self._refusal is None:
            self.inbox.admit()
            self.server.host.admit(self)
            self.link.open()  # offers and greeting leave together
        else:
            text, cause = self._refusal
            self.link.open(offers=False)  # what connect functions wrote is dropped
            self.inbox.reject()
            self.lifecycle.override(cause, text, self.notify_player)
        self.lifecycle.notify()

    def notify_player(self, text: str) -> None:
        """Write one of the driver's own texts; an empty one is not sent."""
        self.inbox.notify_player(text)

    def work_failed(self, what: str, function: object, error: BaseException) -> None:
        """A script or background work of the game raised: log it; an interrupt stops the server."""
        if not (is_a(error, ConnectionEnded) and self.ending is not None):  # as a hook of it, see `hook_failed`
            self.server.host.work_failed(what, function, lambda: f" for {self.label}", error)

    # What its lifecycle calls

    @property
    def is_aborting(self) -> bool:
        """True if the server ends the hard way."""
        return self.server.tree.aborting.is_set()

    @property
    def label(self) -> str:
        """The name and the number, for logs."""
        return f"{self.name} (#{self.number})"

    def handshake(self) -> AbstractContextManager[None]:
        """Count a handshake while it runs."""
        return self.server.tree.admission.handshake(self)

    def locate(self, *, is_named: bool) -> bool:
        """The address is certain; return False if too many connections come from there."""
        return self.server.tree.admission.locate(self, is_named=is_named)

    def typed_first(self) -> None:
        """The first line was typed."""
        self.server.host.typed_first(self)

    def release(self) -> None:
        """The input has ended: stop counting the connection for its address."""
        self.server.tree.admission.release(self)

    def name_unfinished(self, what: str, function: object) -> None:
        """Log that work goes on although it was cancelled."""
        self.server.host.name_unfinished(what, function, f" for {self.label}")

    def interrupted(self, error: BaseException) -> None:
        """An interrupt came out of code of the game: the server stops."""
        self.server.tree.interrupted(error)

    def ending_decided(self) -> None:
        """Release what ends with the active scope, before any scope is cancelled."""
        in_dialog = self.inbox.taker is not None  # a password must not become a command
        self.inbox.end(drop_lines=in_dialog or not self.lifecycle.is_link_dead)
        self.cancel_timers()
        self.server.tree.admission.release(self)

    def closed(self) -> None:
        """The link is closed; `Disconnect` may still wait for its turn."""
        self.server.tree.leave(self)

    def start_sibling(self, work: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Run a task beside the connection's own."""
        self.server.tree.start_sibling(work, name=name)

    # Steps

    def _offer_line(self) -> None:
        self.inbox.wake()
        self.lifecycle.notify()

    def _return_lines(self, taker: LineTaker) -> None:
        if self.inbox.taker is taker:
            self.inbox.taker = None
            self._offer_line()

    @property
    def _clock(self) -> Timers:
        return self.server.context.timers

    def _has_ended(self) -> bool:
        return self.ending is not None

    def _deliver_tick(self, timer: Timer) -> None:
        self.inbox.signal(timer)


class Connections:
    """The admitted connections: `len`, `in`, and iteration over a snapshot, so a loop may end some.

    Only the dispatcher changes it, inside the connect and disconnect hooks, so it needs no lock.
    """

    def __init__(self) -> None:
        self._by_number: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_number.values()))

    def __contains__(self, connection: object) -> bool:
        return isinstance(connection, Connection) and self._by_number.get(connection.number) is connection

    def add(self, connection: Connection) -> None:
        """It was admitted."""
        self._by_number[connection.number] = connection

    def discard(self, connection: Connection) -> None:
        """It has ended, admitted or not."""
        self._by_number.pop(connection.number, None)

    def clear(self) -> None:
        """Nobody is here."""
        self._by_number.clear()


@enable_ki_protection
def broadcast(text: Text, to: Iterable[Connection], *, but: Connection | Iterable[Connection] = ()) -> None:
    """Write a text to many connections, rendered and encoded once for each kind of client. Never waits.

    Args:
        text: As for `Connection.write`; the line is ended.
        to: The listeners; `server.connections` for everybody. Those that have ended are passed over.
        but: Who does not hear it: one connection, or several.

    Raises:
        TypeError: That is no text, also if nobody is there to hear it; or `to` is a single connection, or holds
            something else than connections.
    """
    text = check_text(text, "broadcast()")
    if isinstance(to, Connection):
        raise TypeError("broadcast(to=) takes several connections: write [connection], or use connection.write()")
    left_out = {but} if isinstance(but, Connection) else set(but)
    encoded: dict[Hashable, bytes] = {}
    server = listener = None
    try:
        for listener in to:
            if listener.server is not server:
                server = listener.server
                server.thread.check()
            if listener not in left_out:
                listener.write_shared(text, encoded)
    except (AttributeError, TypeError):
        if listener is None and not isinstance(to, Iterable):
            raise TypeError(
                f"broadcast(to=) takes several connections, such as server.connections, not {article(to)}"
            ) from None
        if listener is None or isinstance(listener, Connection):
            raise
        raise TypeError(
            f"broadcast(to=) takes connections, such as server.connections, not {article(listener)}: "
            "write to a session by session.write()"
        ) from None
