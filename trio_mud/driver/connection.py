"""A connection: one socket, one task, one life, from accept to disconnect.

The only class that holds both an engine (telnet, without I/O) and a transport (bytes, without telnet).
Above it there are no bytes, below it there is no game.

Its life, as scopes; indentation is lifetime::

    link nursery            cancelled = LINKDEATH: nothing more is written
    ├─ the rest-writer      while the transport has not taken everything
    ├─ Connect is handled; nothing was read or offered before
    ├─ stay nursery         cancelled = QUIT: no more is read
    │  ├─ dialogs, own work
    │  └─ reading; at end of file what was typed is served
    └─ last words           the rest-writer empties the outbox, within limits.quit_flush
    then its source yields Disconnect, and the transport is closed

An ending is always decided before a scope is cancelled, and the first decision stands.
"""

from __future__ import annotations

import enum
import logging
import math
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from .. import telnet
from ..errors import LocalProtocolError
from ..telnet.codes import EOR
from ..telnet.gmcp_messages import NO_DATA, encode_gmcp
from ..telnet.msdp_messages import Sendable
from ..telnet.options import Gmcp, Msdp
from ..telnet.options.mssp import render_plain
from ..text import Text, render
from ..transports import Transport
from .client import Client
from .dialogs import Dialog, Script
from .events import Cause, HookEvent, Reason
from .hearing import hear
from .inbox import Inbox
from .isolation import interrupt_in, isolate, let_interrupts_in
from .outbox import Outbox
from .timers import Deadline, Timer, TimerFunction, TimerOwner

if TYPE_CHECKING:
    from .server import MasterServer

logger = logging.getLogger("trio_mud")


class _Prompt(enum.Enum):
    """What became of a prompt on the screen of a client that does not tell it from other text."""

    NONE = enum.auto()  # there is none, or it is answered
    SHOWN = enum.auto()  # the cursor stands behind it
    COVERED = enum.auto()  # text came: it is shown again when the text is sent


class Connection(TimerOwner):
    """One peer. Made by the server; a game keeps it as long as it likes.

    Attributes:
        server: The `MasterServer` that holds it.
        number: Its number on this server, never used again.
        name: A label for people and logs, `guest-7` at first. Yours to set.
        body: The game's own object for it, None at first. Yours to set.
        client: What is known of the peer's program.
    """

    __slots__ = (
        "__weakref__",
        "_awaited",
        "_cause",
        "_closing",
        "_dialog",
        "_engine_deadline",
        "_inbox",
        "_link",
        "_outbox",
        "_prompt",
        "_prompt_stage",
        "_refusal",
        "_stay",
        "_timers",
        "_to_start",
        "_transport",
        "anomalies",
        "body",
        "client",
        "engine",
        "is_settled",
        "last_words",
        "name",
        "number",
        "server",
    )

    def __init__(self, server: MasterServer, transport: Transport, number: int) -> None:
        self.server = server
        self.number = number
        self.name = f"guest-{number}"
        self.body: object = None
        self.client = Client()
        self.engine = server.make_engine()
        self.last_words = ""  # those of its ending
        self._transport = transport
        self._inbox = Inbox(self)
        self._outbox = Outbox(self, transport)
        self._refusal: tuple[str, Cause] | None = None
        self._cause: Cause | None = None
        self._dialog: Dialog | None = None
        self._link: trio.Nursery | None = None
        self._stay: trio.Nursery | None = None
        self._closing: trio.CancelScope | None = None
        self._awaited: trio.Event | None = None  # what its own task waits for
        self._to_start: list[Callable[[], Awaitable[object]]] | None = None  # when the stay begins
        self._timers: dict[Timer, None] | None = None
        self._engine_deadline: Deadline | None = None
        self._prompt = b""  # the last one, encoded, until it is answered
        self._prompt_stage = _Prompt.NONE
        self.anomalies = 0  # protocol faults of the peer
        self.is_settled = False

    def __repr__(self) -> str:
        return f"<Connection {self.name} from {self.address or 'nowhere'}>"

    # What a game asks

    @property
    def address(self) -> str:
        """The peer's host, in one canonical spelling; "" if its transport does not know."""
        return self._transport.address

    @property
    def idle(self) -> float:
        """Seconds since its last line was handled, or since it came."""
        return trio.current_time() - self._inbox.last_line_at

    @property
    def refused(self) -> bool:
        """Whether somebody refused it at the door."""
        return self._refusal is not None

    @property
    def ending(self) -> Cause | None:
        """Why it is ending or has ended; None while it lives."""
        return self._cause

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that gets its lines, if one does."""
        return self._dialog

    @property
    def is_in_own_hook(self) -> bool:
        """Whether the running task is a waiting hook of this connection, for which its next line waits."""
        return self.server.dispatcher.is_in_hook_of(self._inbox)

    # What a game says

    @enable_ki_protection
    def write(self, text: Text) -> bool:
        """Send a text and end the line. Never waits.

        The text leaves at the end of the dispatcher's batch, in order, joined with all else.
        A `str` is plain text: control characters in it are removed, newlines become line ends.

        Returns:
            False if it will not arrive: the ending is decided, or `limits.outbox` bytes are waiting already.
        """
        return self._send(self.engine.encode(render(text, self.client.rendering) + "\n"))

    @enable_ki_protection
    def write_shared(self, text: Text, encoded: dict[Hashable, bytes]) -> bool:
        """Like `write`, with the bytes shared among connections whose clients are of one kind."""
        kind = (self.engine.charset, self.client.rendering)
        data = encoded.get(kind)
        if data is None:
            data = encoded[kind] = self.engine.encode(render(text, self.client.rendering) + "\n")
        return self._send(data)

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
        prompt = self.engine.encode(render(text, self.client.rendering)) + self.engine.prompt_mark
        if not self._queue(prompt):
            return False
        if not self.engine.is_ours(EOR):
            self._prompt = prompt
            self._prompt_stage = _Prompt.SHOWN
        return True

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
        """
        message = encode_gmcp(package, data)
        gmcp = self.engine.option(Gmcp)
        return gmcp is not None and gmcp.accepts(self.engine, package) and self._queue(message)

    @enable_ki_protection
    def msdp(self, variable: str, value: Sendable) -> bool:
        """Report a variable by MSDP, if the client asked to be told of it and the value has changed.

        Returns:
            Whether it is sent.
        """
        msdp = self.engine.option(Msdp)
        if msdp is None or self._cause is not None or not self._outbox.makes_room_for(len(variable) + len(str(value))):
            return False
        sent = msdp.report(self.engine, variable, value)
        self._outbox.soil(len(variable) + len(str(value)) if sent else 0)
        return sent

    @enable_ki_protection
    def hide_input(self, hidden: bool) -> None:
        """Ask the client to show no more, or again, what is typed. `EchoRefused` tells if it will not."""
        if self._cause is None:
            self.engine.hide_input(hidden)
            self._outbox.soil(0)

    @enable_ki_protection
    def quit(self, text: str = "", *, cause: Cause = Cause.ASKED) -> None:
        """End this connection once what is already written has drained.

        Lines typed but not handled are dropped. Later calls change nothing: the first ending stands.

        Args:
            text: The last words; flushed for at most `limits.quit_flush` seconds.
            cause: Why; one whose reason is `QUIT`.

        Raises:
            ValueError: The cause belongs to another reason.
        """
        if cause.reason is not Reason.QUIT:
            raise ValueError(f"{cause.name} is no cause for a quit: choose one whose reason is QUIT")
        if self._cause is None:
            self.tell(text)
            self._end(cause, text)

    @enable_ki_protection
    def refuse(self, text: str = "") -> None:
        """Do not let this visitor in. Of several refusals the first stands; after the connect hook it is a `quit`.

        Args:
            text: All that the visitor reads; `texts.refused` if empty.
        """
        if self._inbox.is_undecided:
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
            LocalProtocolError: A dialog is going on already.
        """
        if self._dialog is not None:
            raise LocalProtocolError(f"{self.name} is in a dialog already: let it end, or ask from its script")
        if self._cause is None:
            self._dialog = Dialog(self, script, deadline)
            self._start(self._dialog.run)

    @enable_ki_protection
    def start_soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run work that may take long beside the connection's events; it ends with the connection.

        Its failure is logged and costs nobody else. On an ended connection nothing happens.
        """
        let_interrupts_in(work)
        if self._cause is None:
            self._start(partial(isolate, work, partial(self.work_failed, "background work of")))

    # What the house tells it

    def turn_away(self, text: str, cause: Cause) -> None:
        """Refuse at the door, for a cause of the network's own. Of several refusals the first stands."""
        if self._refusal is None:
            self._refusal = (text, cause)

    def decide(self) -> None:
        """The network's own step, last on `Connect`: not refused it joins the list, refused it goes.

        An ending decided meanwhile is kept for after the admission; a refusal outweighs it.
        """
        if self._refusal is None:
            self._inbox.admit()
            self.server.admit(self)
            self._outbox.soil(0)  # offers and greeting leave together
        else:
            text, refusal = self._refusal
            ended, self._cause = self._cause, None
            self.engine = telnet.TelnetEngine(())  # what connect functions wrote is dropped, and nothing is offered
            self._outbox.forget()
            self._inbox.turn_away()
            self.line_taken()
            if ended is None or ended.reason is not Reason.LINKDEATH:
                self.tell(text)
            self._end(refusal, text)
        self.stir()

    def feed(self, data: bytes) -> None:
        """Take what was received. Synchronous: whoever reads calls it, and reads on only while not `is_full`."""
        if self._cause is None:
            self._inbox.feed(data)
            self.has_parsed()

    @property
    def is_full(self) -> bool:
        """Whether reading must wait: too much is typed ahead, or the peer does not read the answers it causes."""
        return self._inbox.is_full or self._outbox.is_overfull

    def flush(self) -> None:
        """Hand everything written to the transport. The server calls it once a batch."""
        if self._prompt_stage is _Prompt.COVERED and self._cause is None:
            self.engine.send_encoded(self._prompt)
            self._prompt_stage = _Prompt.SHOWN
        self._outbox.flush(None if self._inbox.is_undecided else self._link)
        if self.engine.next_deadline is not None:
            self._mind_engine()
        self.stir()

    def hear(self, event: telnet.TelnetEvent) -> HookEvent | None:
        """What the engine made of the peer's bytes, other than whole lines."""
        return hear(self, event)

    def tell_listing(self) -> None:
        """A crawler asked by a line what MUD listings are to know."""
        self._queue(self.engine.encode(render_plain(self.server.mssp_variables())))

    def signal(self, event: HookEvent) -> None:
        """An event that waits neither behind the lines nor for a dialog, and replaces an older one of its type."""
        self._inbox.replace_signal(event)

    def settle(self) -> None:
        """The client has told what it is."""
        self.is_settled = True
        if self._dialog is not None:
            self._dialog.wake()

    def line_taken(self) -> None:
        """The player pressed Enter, so the cursor stands at the beginning of a line and the prompt is answered."""
        self._prompt = b""
        self._prompt_stage = _Prompt.NONE

    def has_parsed(self) -> None:
        """The engine was given bytes: perhaps it has answers, or asks for the time, or there is room to read on."""
        engine = self.engine
        if engine.has_data_to_send or engine.is_full or engine.next_deadline == -math.inf:
            self._outbox.soil(0)
        self.stir()

    def lose_link(self, cause: Cause) -> None:
        """The link is gone: write nothing more. If no ending was decided before, this is link death."""
        self._end(cause)
        self._outbox.forget()
        if self._link is not None:
            self._link.cancel_scope.cancel(reason=str(cause))

    def fail(self, error: Exception) -> None:
        """The driver or a transport has a bug: it costs this connection."""
        logger.error("the connection of %s failed", self.name, exc_info=error)
        self._end(Cause.ERROR)
        self._outbox.forget()
        if self._link is not None:
            self._link.cancel_scope.cancel(reason="a bug")

    def work_failed(self, what: str, error: BaseException) -> None:
        """A script or background work of the game raised: log it; an interrupt stops the server."""
        if (interrupt := interrupt_in(error)) is not None:
            self.server.hook_interrupted(interrupt)
        logger.error("%s %s failed", what, self.name, exc_info=error)

    def abort(self) -> None:
        """Lose the link now, and let its transport linger no more."""
        self.lose_link(Cause.CANCELLED)
        if self._closing is not None:
            self._closing.cancel(reason="the server ends at once")

    def give_up_waiting(self) -> None:
        """It was admitted and never typed a line."""
        self.quit(self.server.texts.no_input, cause=Cause.LOGIN_DEADLINE)

    def dialog_over(self, dialog: Dialog) -> None:
        """The script has returned: lines are `Input` again."""
        if self._dialog is dialog:
            self._dialog = None
            self.wake()

    def give_back(self, line: str) -> None:
        """A dialog did not want this line after all: it comes first again."""
        self._inbox.give_back(line)

    def wake(self) -> None:
        """A dialog asks, or is over."""
        self._inbox.wake()
        self.stir()

    def stir(self) -> None:
        """Something its own task may wait for has changed."""
        if self._awaited is not None:
            self._awaited.set()

    # Endings

    def _end(self, cause: Cause, text: str = "") -> None:
        """Decide the ending, and only then cancel what it ends. The first decision stands."""
        if self._cause is not None:
            return
        self._cause, self.last_words = cause, text
        is_linkdeath = cause.reason is Reason.LINKDEATH
        in_dialog = self._dialog is not None  # a password must not become a command
        self._inbox.end(drop_lines=in_dialog or not is_linkdeath)
        for timer in list(self._timers or ()):
            timer.cancel()
        if self._to_start is not None:  # the stay never began
            self._to_start = self._dialog = None
        if self._engine_deadline is not None:
            self._engine_deadline.cancel()
        scope = self._link if is_linkdeath else self._stay
        if scope is not None:
            scope.cancel_scope.cancel(reason=str(cause))
        self.stir()

    # The one task

    @enable_ki_protection
    async def run(self) -> None:
        """Live. However that goes, its source yields Disconnect and its transport is closed."""
        try:
            async with trio.open_nursery() as link:
                self._link = link
                try:
                    await self._live()
                finally:
                    self._link = None  # a closed nursery takes no writer
                link.cancel_scope.cancel(reason="the connection is over")
        except Exception as error:  # noqa: BLE001 - the boundary of a link
            self.fail(error)
        finally:
            self._end(Cause.ERROR)
            self._inbox.close()
            await self._close()
            self.server.leave(self)

    async def _live(self) -> None:
        self._inbox.wake()  # Connect is queued before the first checkpoint
        if self._is_dead() and self._link is not None:
            self._link.cancel_scope.cancel(reason="ended before it began")
        await self._until(lambda: not self._inbox.is_undecided)
        if self._cause is None:
            await self._stay_and_read()
        with trio.move_on_after(self.server.limits.quit_flush):
            await self._until(lambda: self._outbox.is_empty)

    async def _stay_and_read(self) -> None:
        async with trio.open_nursery() as stay:
            self._stay = stay
            try:
                to_start, self._to_start = self._to_start, None
                for work in to_start or ():
                    stay.start_soon(work)
                await self._read()
                with trio.move_on_after(self.server.limits.quit_flush):
                    await self._until(lambda: self._is_served() and self._outbox.is_empty)
                self._end(Cause.EOF)
            finally:
                self._end(Cause.ERROR)  # decided before the nursery cancels its tasks
                self._stay = None
            stay.cancel_scope.cancel(reason="the stay is over")

    async def _read(self) -> None:
        try:
            while True:
                if self.is_full:
                    await self._until(lambda: not self.is_full)
                data = await self._transport.receive()
                if not data:
                    return
                self.feed(data)
        except trio.BrokenResourceError:
            self.lose_link(Cause.RESET)
            await trio.lowlevel.checkpoint()  # ends here

    async def _close(self) -> None:
        """Close the transport: gently if everything was written, but never for long."""
        gently = self._outbox.is_empty and (self._cause is Cause.EOF or not self._is_dead())
        patience = self.server.limits.linger if gently and not self.server.aborting.is_set() else 0
        with trio.move_on_after(patience, shield=True) as self._closing:
            try:
                await (self._transport.aclose() if gently else self._transport.aclose_forcefully())
            except Exception:
                logger.exception("the transport of %s did not close", self.name)

    def _is_dead(self) -> bool:
        return self._cause is not None and self._cause.reason is Reason.LINKDEATH

    def _is_served(self) -> bool:
        """Whether all that was typed is handled; a dialog has handled its line when it asks again."""
        return self._inbox.is_served and (self._dialog is None or self._dialog.is_asking)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Wait until a condition holds; whatever may change it calls `stir`. For its own task only."""
        while not is_so():
            self._awaited = trio.Event()
            await self._awaited.wait()
        self._awaited = None

    def _start(self, work: Callable[[], Awaitable[object]]) -> None:
        if self._stay is not None:
            self._stay.start_soon(work)
        elif self._to_start is None:
            self._to_start = [work]
        else:
            self._to_start.append(work)

    # Time

    def _mind_engine(self) -> None:
        """Tell the engine the time when it asks to: for answers that never come."""
        if self.engine.next_deadline == -math.inf:
            self._tick_engine()
        due = self.engine.next_deadline
        if due is None or self._cause is not None:
            return
        if self._engine_deadline is not None:
            if self._engine_deadline.when <= due:
                return
            self._engine_deadline.cancel()
        self._engine_deadline = self.server.timers.at(due, self._engine_is_due)

    def _engine_is_due(self) -> None:
        self._engine_deadline = None
        self._tick_engine()
        self._outbox.soil(0)

    def _tick_engine(self) -> None:
        for event in self.engine.tick(trio.current_time()):
            self.hear(event)
        self._inbox.wake()  # the engine may read on, if it waited for the time

    def _start_timer(self, delay: float, function: TimerFunction, period: float | None) -> Timer:
        timers = self._timers
        if timers is None:
            timers = self._timers = {}

        def forget(timer: Timer) -> None:
            timers.pop(timer, None)

        timer = Timer(self.server.timers, delay, function, period=period, deliver=self._inbox.signal, ended=forget)
        timers[timer] = None
        if self._cause is not None:
            timer.cancel()
        return timer

    def _send(self, text: bytes) -> bool:
        """Queue encoded text that ends its line, below a prompt that stands there."""
        if self._prompt_stage is not _Prompt.SHOWN:
            return self._queue(text)
        if not self._queue(b"\r\n" + text):
            return False
        self._prompt_stage = _Prompt.COVERED
        return True

    def _queue(self, data: bytes) -> bool:
        if self._cause is not None or not self._outbox.makes_room_for(len(data)):
            return False
        self.engine.send_encoded(data)
        self._outbox.soil(len(data))
        return True
