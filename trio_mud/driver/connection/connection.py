"""A connection: one peer as the game sees it, from accept to disconnect; and the list of admitted connections.

It handles lines and texts, and no bytes: its `link` converts between the two.
Its parts are in the modules beside this one: `inbox` (its events), `lifecycle` (its task and its ending), `dialog`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Final, cast

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import ConnectionEnded, InvalidToken, LocalProtocolError
from ...renamed import refuse_old_attributes
from ...telnet.gmcp_messages import NO_DATA
from ...telnet.msdp_messages import Sendable
from ...text import Text
from ...text.cleaning import exact
from ..core.checks import article, check_function, check_seconds, check_text, check_words, check_work
from ..core.events import Cause, Reason
from ..core.guard import Args, allow_interrupts, is_a, run_guarded
from ..core.timers import EndingTimerOwner, Timer, Timers
from ..link.base import Link, OutOfBand
from .dialog import Dialog, DialogTaker, Script
from .guarded_taker import GuardedTaker
from .inbox import Inbox
from .lifecycle import Lifecycle
from .line_taker import BorrowedLines, LineTaker
from .question_taker import QuestionTaker
from .tap import Sent, Tap, TapFunction

if TYPE_CHECKING:
    from ..server.server import MasterServer
    from ..sessions.session import Session


@refuse_old_attributes("Connection")
class Connection(EndingTimerOwner):
    """One peer. Created by the server; a game may keep a reference to it after it has ended.

    Attributes:
        server: The `MasterServer` that holds it.
        number: Its number on this server, never reused.
        body: The game's own object for it; None at first. A game may set it.
        client: The known facts about the peer's program.
        session: The session it is bound to; None without one. Set by `server.sessions.enter`, and cleared by the
            session's end or a takeover.
    """

    __slots__ = (
        "__weakref__",
        "_inbox",
        "_lifecycle",
        "_link",
        "_name",
        "_refusal",
        "body",
        "client",
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
        # internal parts, not for games
        self._link = link
        self._lifecycle = Lifecycle(self, server._context, link)
        self._inbox = Inbox(self, server._context, link, self._lifecycle)
        self._lifecycle.attach(self._inbox)

    def __repr__(self) -> str:
        return f"<Connection {self.name} from {self.address or 'nowhere'}>"

    # Attributes for games

    @property
    def name(self) -> str:
        """A label for people and logs; `guest-7` at first. A game may set it.

        Raises:
            TypeError: The new name is not a `str`.
            LocalProtocolError: The name is set in another thread than the server's.
        """
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self.server._thread.check()
        if not isinstance(name, str):
            raise TypeError(f"Connection.name is a str, not {article(name)}: set str(name)")
        self._name = exact(name)
        self._note_state()

    @property
    def address(self) -> str:
        """The peer's host, in one canonical spelling; "" if its transport does not know it."""
        return self._link.address

    @property
    def idle_seconds(self) -> float:
        """Seconds since its last line was handled, or since it was admitted."""
        return trio.current_time() - self._inbox.last_line_at

    @property
    def is_refused(self) -> bool:
        """True if it was refused during the connect hook."""
        return self._refusal is not None

    @property
    def ending(self) -> Cause | None:
        """The cause of its ending; None while it lives."""
        return self._lifecycle.cause

    @property
    def idle_timeout(self) -> float | None:
        """Seconds since the last line after which it ends; None for no limit. `limits.idle_timeout` unless set here.

        A new value counts at once. The player is warned, as always, also if the new time has passed already.

        Raises:
            TypeError: It is set to something other than a number or None.
            ValueError: It is set to less than a second, or not to a finite number.
        """
        return self._inbox.idle_timeout

    @idle_timeout.setter
    def idle_timeout(self, seconds: float | None) -> None:
        self.server._thread.check()
        if seconds is not None:
            check_seconds(seconds, "Connection.idle_timeout", at_least=1.0)
        self._inbox.set_idle_timeout(seconds)

    @property
    def _is_line_secret(self) -> bool:
        """True if the last line may have been typed hidden and must not be logged."""
        # `hide_input(False)` is usually called by the very hook that handles the secret line.
        return self._link.hides_input or self._inbox.shown_at == self._inbox.last_line_at

    @property
    def _is_in_own_hook(self) -> bool:
        """True if the running task is a waiting hook of this connection, whose next line waits for that hook."""
        return self.server._context.dispatcher.is_in_hook_of(self._inbox)

    # Methods for games

    @enable_ki_protection
    def write(self, text: Text) -> bool:
        """Send a text and end the line. Never waits.

        The text is flushed at the end of the dispatcher's batch, in order, in one send with all other output.
        A `str` is plain text: control characters in it are removed, newlines become line ends.

        Returns:
            False if it will not arrive: the ending is decided, or `limits.max_output` bytes are waiting already.
        """
        if get_ident() != self.server._thread.ident:  # `check` inlined: this runs for every text
            self.server._thread.check()
        is_sent = self._link.write(text)
        if is_sent and self._inbox.taps:
            self._inbox.report(Sent(text))
        return is_sent

    @enable_ki_protection
    def prompt(self, text: Text) -> bool:
        """Send a text without ending the line, with a prompt mark for clients that negotiated one.

        For other clients, text that is written before the answer begins on a new line,
        and the prompt is repeated after it.

        Returns:
            False if it will not arrive, as for `write`.
        """
        if get_ident() != self.server._thread.ident:  # as in `write`
            self.server._thread.check()
        is_sent = self._link.prompt(text)
        if is_sent and self._inbox.taps:
            self._inbox.report(Sent(text))
        return is_sent

    @enable_ki_protection
    def gmcp(self, package: str, data: object = NO_DATA) -> bool:
        """Send a GMCP message if the client supports this package.

        Args:
            package: The package's name, such as "Room.Info".
            data: Any value that can be encoded as JSON, including dataclasses and msgspec structs.
                By default the package is sent without data.

        Returns:
            False if the client does not support the package, or the message will not arrive, as for `write`.

        Raises:
            ValueError: The package's name is malformed.
            TypeError: The package's name is not a `str`, or the data cannot be encoded as JSON.
        """
        self.server._thread.check()
        if type(package) is not str:
            package = check_words(package, "Connection.gmcp()")
        return self._link.send(OutOfBand("gmcp", package, data))

    @enable_ki_protection
    def msdp(self, variable: str, value: Sendable) -> bool:
        """Report an MSDP variable if the client has subscribed to it and the value has changed.

        Returns:
            True if it is sent. In a server with gateways, True if the client has agreed on MSDP: its gateway knows
            what it has subscribed to, and drops the rest.
        """
        self.server._thread.check()
        if type(variable) is not str:
            variable = check_words(variable, "Connection.msdp()")
        return self._link.send(OutOfBand("msdp", variable, value))

    @enable_ki_protection
    def hide_input(self, hidden: bool) -> None:
        """Ask the client to hide typed input, or to show it again. If it refuses, `EchoRefused` follows."""
        self.server._thread.check()
        if self.ending is None:
            if self._link.hides_input and not hidden:
                self._inbox.shown_at = self._inbox.last_line_at
            self._link.hide_input(bool(hidden))

    @enable_ki_protection
    def quit(self, text: str = "", *, cause: Cause = Cause.ASKED) -> None:
        """End this connection after its pending output has been sent.

        Lines typed but not handled are dropped. Later calls have no effect: the first ending stands.

        Args:
            text: The last words; flushed for at most `limits.quit_timeout` seconds.
            cause: The cause of the ending; its reason must be `QUIT`.

        Raises:
            ValueError: The cause belongs to another reason.
            TypeError: The text is not a `str`, or the cause is not a `Cause`.
        """
        self.server._thread.check()
        text = check_words(text, "Connection.quit()")
        if not isinstance(cause, Cause):
            raise TypeError(f"Connection.quit(cause=) takes a Cause, such as Cause.KICKED, not {article(cause)}")
        if cause.reason is not Reason.QUIT:
            raise ValueError(f"{cause.name} is not a cause of a quit: choose one whose reason is QUIT")
        if self.ending is None:
            # Show the input again before the last words: the client's terminal outlives this connection.
            if self._inbox.taker is not None:
                self._inbox.taker.show_input()
            if text:
                self._link.write(text, is_last=True)
                self._inbox.report(Sent(text))
            self._lifecycle.end(cause, text)

    @enable_ki_protection
    def refuse(self, text: str = "") -> None:
        """Refuse this connection during the connect hook. The first refusal stands; afterwards, this is a `quit`.

        Args:
            text: The only text that is sent; `texts.refused` if empty.

        Raises:
            TypeError: The text is not a `str`.
        """
        self.server._thread.check()
        text = check_words(text, "Connection.refuse()")
        if self._inbox.is_undecided:
            self._reject(text or self.server.texts.refused, Cause.VETOED)
        else:
            self.quit(text, cause=Cause.KICKED)

    @enable_ki_protection
    def start_dialog(self, script: Script, *, deadline: float | None = None) -> None:
        """Run a script that receives this connection's lines until it returns.

        A dialog started during the connect hook begins after admission, or never.
        On an ended connection this has no effect.

        Args:
            script: `async def script(dialog)`; it asks by `await dialog.ask("By what name? ")`.
            deadline: Seconds for the whole dialog; then the connection ends, cause `LOGIN_DEADLINE`.

        Raises:
            LocalProtocolError: Another dialog is running. Its script may await this one: `await other(dialog)`.
            TypeError: The script is not an async function of one argument, or the deadline is not a number.
        """
        self.server._thread.check()
        check_function(script, "Connection.start_dialog()", "dialog", waits=True)
        if deadline is not None:
            check_seconds(deadline, "Connection.start_dialog(deadline=)", may_be_infinite=True)
        if self.ending is not None:
            return
        dialog = Dialog(self, script, deadline)
        dialog._taker.attach(self.take_lines(dialog._taker))
        self._lifecycle.start(dialog._run, "dialog", script)

    def take_lines(self, taker: LineTaker) -> BorrowedLines:
        """Give this connection's lines to a taker instead of the game, until the taker or the connection ends.

        For anything other than a dialog, such as forwarding lines to another process. One taker at a time.

        Returns:
            The handle by which the taker asks for its next line, gives one back, or detaches.

        Raises:
            LocalProtocolError: A dialog or another taker has the lines already.
            TypeError: The taker lacks a method or an attribute of a `LineTaker`.
        """
        self.server._thread.check()
        if not isinstance(taker, QuestionTaker):
            taker = GuardedTaker(taker, self._inbox.failed)
        if self._inbox.taker is not None:
            raise LocalProtocolError(
                f"{self.name} is in a dialog already: let it end, or run the new script within: `await new(dialog)`"
            )
        self._inbox.taker = taker
        self._link.mark_dirty()  # the flush notices the taker: a gateway keeps apart the lines that belong to it
        return BorrowedLines(
            self.server._thread,
            give_back=self._inbox.give_back,
            wake=self._offer_line,
            end=partial(self._return_lines, taker),
        )

    @enable_ki_protection
    def tap(self, function: TapFunction) -> Tap:
        """Report what this connection is sent and what its player types, until the returned tap is closed.

        The function is called with `Sent(text)` for each text, before it is rendered, and with `Typed(line)` for each
        line that is handled. Lines typed while input is hidden are not reported; neither is GMCP, MSDP and negotiation.
        It runs within the call that sends, so it must be short. Text that it sends itself is not reported to it.
        If it raises, that is logged and the tap is closed.

        Raises:
            TypeError: The function does not take one argument, or is async.
        """
        self.server._thread.check()
        check_function(function, "Connection.tap()", "event", plain=True)
        allow_interrupts(function)
        tap = Tap(self._inbox, function, self._work_failed, self.server._thread)
        self._inbox.taps += (tap,)
        return tap

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that receives its lines; None without one. Set by `start_dialog`."""
        taker = self._inbox.taker
        return taker.dialog if isinstance(taker, DialogTaker) else None

    @enable_ki_protection
    def start_soon(self, async_fn: Callable[[*Args], Awaitable[object]], *args: *Args, name: str | None = None) -> None:
        """Run an async function in the background; it is cancelled when the connection ends.

        A failure is logged and has no other effect. On an ended connection this has no effect.

        Args:
            async_fn: The function to run.
            args: Its arguments.
            name: The name of its task, for debuggers.

        Raises:
            TypeError: `async_fn` is not an async function that accepts these arguments.
        """
        self.server._thread.check()
        check_work(async_fn, "Connection.start_soon()", args)
        allow_interrupts(async_fn)
        if self.ending is None:
            failed = partial(self._work_failed, "work", async_fn)
            self._lifecycle.start(partial(run_guarded, async_fn, failed, *args), "work", async_fn, name)

    # Called by the server and its other parts; not for games

    @property
    def _continues(self) -> bool:
        """True if it continues a session of an earlier server, which has admitted it."""
        return self.server.sessions._restoring.continues(self)

    def _reject(self, text: str, cause: Cause) -> None:
        """Refuse the connection with any cause, including the driver's own. The first refusal stands."""
        if self._refusal is None:
            self._refusal = (text, cause)

    def _conclude_connect(self) -> None:
        """Conclude the connect hook, as its last step: list the connection if it was not refused, or else end it.

        An ending decided during the hook takes effect after the admission. A refusal outweighs it: a connection
        that was never on the list must not leave it, and its reason must be `REFUSED`.
        """
        if self._refusal is None:
            is_continuing = self._continues
            self._inbox.admit(is_continuing=is_continuing)
            self.server._host.admit(self)
            self._link.open()  # the offers and the greeting are sent together
            if is_continuing:
                self.server.sessions._restoring.conclude(self)
        else:
            self.server.sessions._restoring.give_up(self)
            text, cause = self._refusal
            self._link.open(offers=False)  # drops everything that connect functions wrote
            self._inbox.reject()
            self.server._host.refuse(self, cause)
            self._lifecycle.override(cause, text, self._notify_player)
        self._lifecycle.notify()

    def _resume(self, token: str, seen: int | None) -> bool:
        """Resume the session of this server that issued the token; return False if none has."""
        self.server.sessions._begin_return(self, token, seen)
        try:
            session = self.server.sessions.resume(token, self)
        except (ConnectionEnded, InvalidToken, LocalProtocolError):
            return False
        self._name = session._name or self._name  # the game set it at a login, which this connection leaves out
        return True

    def _conclude_resume(self) -> None:
        """Answer a request to resume, and end the dialog of a player who is in the game."""
        self.server.sessions._take_returning(self)
        if self.session is None:
            self.server.counters["returns by token refused"] += 1
            self.gmcp("Session.Void")
            return
        if self._inbox.taker is not None:
            self._inbox.taker.give_way()

    def _notify_player(self, text: str) -> None:
        """Write one of the driver's own texts; an empty text is not sent."""
        self._inbox.notify_player(text)

    def _work_failed(self, what: str, function: object, error: BaseException) -> None:
        """Log that a script or background work of the game raised; an interrupt stops the server."""
        # Work that asks an ended connection gets ConnectionEnded. That is how it ends, and no failure.
        if not (is_a(error, ConnectionEnded) and self.ending is not None):
            self.server._host.work_failed(what, function, lambda: f" for {self._label}", error)

    # Called by its lifecycle

    @property
    def _is_aborting(self) -> bool:
        """True if the server is being stopped hard."""
        return self.server._tree.aborting.is_set()

    @property
    def _label(self) -> str:
        """The name and the number, for log lines."""
        return f"{self.name} (#{self.number})"

    def _handshake(self) -> AbstractContextManager[None]:
        """Count a handshake while it runs."""
        return self.server._tree.admission.handshake(self)

    def _locate(self, *, is_named: bool) -> bool:
        """Check the rate of new connections from its address; return False if it is exceeded."""
        return self.server._tree.admission.locate(self, is_named=is_named)

    def _turned_away(self, what: str) -> None:
        """Take note that the handshake failed, or was answered otherwise."""
        self.server._host.turn_away(self, what)
        self.server.sessions._restoring.give_up(self)

    def _typed_first(self) -> None:
        """Take note that the first line was typed."""
        self.server._host.typed_first(self)

    def _release(self) -> None:
        """Stop counting the connection for its address, because its input has ended."""
        self.server._tree.admission.release(self)

    def _name_unfinished(self, what: str, function: object) -> None:
        """Log that background work still runs although it was cancelled."""
        self.server._host.name_unfinished(what, function, f" for {self._label}")

    def _interrupted(self, error: BaseException) -> None:
        """Stop the server, because code of the game was interrupted."""
        self.server._tree.interrupted(error)

    def _ending_decided(self) -> None:
        """Release everything that ends with the active scope, before any scope is cancelled."""
        # After a link death, typed lines are still handled. Lines meant for a dialog are not: one of them may be
        # a password, which must not become a command.
        in_dialog = self._inbox.taker is not None and not self._inbox.taker.takes_all
        self._inbox.end(drop_lines=in_dialog or not self._lifecycle.is_link_dead)
        self._cancel_timers()
        if self.session is not None:
            self.server.sessions._restoring.note(self.session)
        self.server._tree.admission.release(self)

    def _closed(self) -> None:
        """Take note that the link is closed; `Disconnect` may still wait for its turn."""
        self.server._tree.leave(self)

    def _start_sibling(self, work: Callable[[], Awaitable[object]], *, name: str) -> None:
        """Run a task beside the connection's own."""
        self.server._tree.start_sibling(work, name=name)

    # Steps

    def _offer_line(self) -> None:
        self._inbox.wake()
        self._lifecycle.notify()

    def _return_lines(self, taker: LineTaker) -> None:
        if self._inbox.taker is taker:
            self._inbox.taker = None
            self._link.mark_dirty()  # as in `take_lines`
            self._offer_line()

    def _note_state(self) -> None:
        """Note that the state has changed with which a later server would continue its session."""
        if self.session is not None:
            self.server.sessions._restoring.note(self.session)

    @property
    def _clock(self) -> Timers:
        return self.server._context.timers

    def _has_ended(self) -> bool:
        return self.ending is not None

    def _deliver_tick(self, timer: Timer) -> None:
        self._inbox.signal(timer)


class Connections:
    """The admitted connections. Supports `len`, `in`, and iteration over a snapshot, so a loop may end some.

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

    def _add(self, connection: Connection) -> None:
        """Add an admitted connection."""
        self._by_number[connection.number] = connection

    def _discard(self, connection: Connection) -> None:
        """Remove a connection that has ended; it may never have been admitted."""
        self._by_number.pop(connection.number, None)

    def _clear(self) -> None:
        """Remove all connections."""
        self._by_number.clear()


_NOT_BEGUN: Final = cast("Connection", object())  # no recipient: None may be one, by mistake


@enable_ki_protection
def broadcast(text: Text, to: Iterable[Connection], *, exclude: Connection | Iterable[Connection] = ()) -> None:
    """Write a text to many connections, rendered and encoded once for each kind of client. Never waits.

    Args:
        text: As for `Connection.write`; the line is ended.
        to: The recipients; `server.connections` for all. Connections that have ended are skipped.
        exclude: One connection, or several, that are left out.

    Raises:
        TypeError: The text is neither a `str` nor `Markup`, checked even without recipients; or `to` is a single
            connection, or holds anything other than connections.
    """
    text = check_text(text, "broadcast()")
    if isinstance(to, Connection):
        raise TypeError("broadcast(to=) takes several connections: write [connection], or use connection.write()")
    try:
        left_out = {exclude} if isinstance(exclude, Connection) else set(exclude)
    except TypeError:
        raise TypeError(f"broadcast(exclude=) takes one connection or several, not {article(exclude)}") from None
    encoded: dict[Hashable, bytes] = {}
    server, listener = None, _NOT_BEGUN
    try:
        for listener in to:
            if listener.server is not server:
                server = listener.server
                server._thread.check()
            if listener not in left_out and listener._link.write_shared(text, encoded) and listener._inbox.taps:
                listener._inbox.report(Sent(text))
    except (AttributeError, TypeError):
        if listener is _NOT_BEGUN and not isinstance(to, Iterable):
            raise TypeError(
                f"broadcast(to=) takes several connections, such as server.connections, not {article(to)}"
            ) from None
        if listener is _NOT_BEGUN or isinstance(listener, Connection):
            raise
        raise TypeError(
            f"broadcast(to=) takes connections, such as server.connections, not {article(listener)}: "
            "write to a session by session.write()"
        ) from None
