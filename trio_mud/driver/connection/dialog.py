"""Dialogs: straight-line scripts that borrow one connection's lines, such as a login.

A dialog is a task that ends with its connection: it is cancelled at its `await`, and its `finally` runs.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ...errors import ConnectionEnded, LocalProtocolError, NoAnswer, WouldDeadlock
from ...renamed import refuse_old_attributes
from ...text import Text
from ...texts import Texts
from ..core.checks import check_seconds, check_text
from ..core.events import Cause
from ..core.guard import allow_interrupts, interrupt_in, is_a, run_guarded
from ..link.base import Link
from .question_taker import QuestionTaker
from .questions import Questions
from .secret import Secret

if TYPE_CHECKING:
    from .connection import Connection


@refuse_old_attributes("Dialog")
class Dialog(Questions):
    """One conversation with one connection. Created by `Connection.start_dialog`.

    Input is hidden from a hidden question until the dialog does anything other than ask another hidden question.
    Lines typed meanwhile answer hidden questions only; those that no question took are dropped.

    Attributes:
        connection: The connection whose lines it borrows.
    """

    __slots__ = ("_began_undecided", "_deadline", "_gives_way", "_scope", "_script", "_taker", "connection")

    connection: Connection

    def __init__(self, connection: Connection, script: Script, deadline: float | None) -> None:
        allow_interrupts(script)
        self.connection = connection
        self._script = script
        self._began_undecided = connection._inbox.is_undecided
        self._deadline = deadline  # seconds the whole dialog may take
        self._taker = DialogTaker(self, connection._link)
        self._scope: trio.CancelScope | None = None  # while the script runs
        self._gives_way = False

    @property
    def hiding_refused(self) -> bool:
        """True if the client refused to hide typed input, or did not confirm it in time.

        Known a moment after the question was sent: read it when the question is answered.
        """
        return self._taker.hiding_refused

    async def client_ready(self, *, silence: float = math.inf) -> None:
        """Wait until the client has reported its abilities, for at most about a second: as for the event `ClientReady`.

        Args:
            silence: Seconds after which a client that has answered nothing at all, such as netcat, is not waited for.
        """
        self.connection.server._thread.check()
        self._check()
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(silence) as scope:
            await self._taker.wait_for_client()
        if scope.cancelled_caught and self.connection.client._has_answered():
            await self._taker.wait_for_client()
        # A client may present its token with its last answer. The dialog is cancelled then: it must not greet a player.
        await trio.lowlevel.checkpoint_if_cancelled()

    async def ask(self, question: Text, *, within: float | None = None) -> str:
        """Show a question as a prompt and wait for one line.

        A line typed ahead answers at once. A line typed after the answer waits for the next question,
        or becomes `Input` when the dialog is over. So does a line that arrives after the question timed out.

        Args:
            question: The prompt, without a line end.
            within: Seconds to wait for the line.

        Raises:
            trio.TooSlowError: No line came `within` these seconds.
            WouldDeadlock: Called from a hook of the same connection, whose lines wait for that hook.
            ConnectionEnded: Called after the connection's ending was decided.
            LocalProtocolError: Two tasks ask at the same time.
            TypeError: The question is neither a `str` nor `Markup`, or `within` is not a number.
        """
        self.connection.server._thread.check()
        return await self._ask(question, within, "Dialog.ask()", hidden=False)

    async def ask_hidden(self, question: Text, *, within: float | None = None) -> Secret:
        """Like `ask`, but hide the typed line: use it for passwords.

        When the question ends in any way, the client shows input again, unless another hidden question follows.
        A line typed before the client shows it again is dropped if the question timed out, since it must not become a
        command.
        Not every client can hide input; see `hiding_refused`.

        Returns:
            The line; its `repr` does not show it.
        """
        self.connection.server._thread.check()
        return Secret(await self._ask(question, within, "Dialog.ask_hidden()", hidden=True))

    async def _ask(self, question: Text, within: float | None, where: str, *, hidden: bool) -> str:
        connection = self.connection
        question = check_text(question, where)
        if within is not None:
            check_seconds(within, f"{where[:-1]}within=)", may_be_infinite=True)
        self._check()
        if self._taker.has_question:
            raise LocalProtocolError(f"a question to {connection.name} is open already: ask one question at a time")
        if connection.ending is not None:
            await trio.lowlevel.checkpoint()  # the scope of a dialog is cancelled already, so it ends here
            raise ConnectionEnded(f"{connection.name} has left and cannot be asked", connection.ending.reason)
        if hidden:
            self._taker.hide_input()
        else:
            self._taker.show_input()
        connection.prompt(question)
        try:
            return await self._taker.next_line(within, hidden=hidden)
        finally:
            if hidden and connection.ending is None:
                # The flush shows the input again, unless another hidden question is asked first: between two
                # passwords the echo must not flicker, since a line typed ahead would show.
                connection._link.mark_dirty()

    def _check(self) -> None:
        connection = self.connection
        if connection._is_in_own_hook:
            raise WouldDeadlock(
                f"a hook of {connection.name} waits for {connection.name}: start a dialog, and ask from its script"
            )
        if connection.ending is None and connection.dialog is not self:
            raise LocalProtocolError(f"this dialog with {connection.name} is over: ask from its script")

    @property
    def _texts(self) -> Texts:
        return self.connection.server.texts

    def _give_back(self, line: str) -> None:
        self._taker.give_back(line)

    @enable_ki_protection
    async def _run(self) -> None:
        """Run the script to its end. If it raises, it ends, and the lines that wait for it are dropped.

        If a script started during the connect hook raises, the connection ends too: it was probably the login,
        and a player must not enter the game without one.
        """
        connection, self._taker.has_begun = self.connection, True
        try:
            with trio.CancelScope() as scope:
                self._scope = scope
                if self._gives_way:
                    return
                if self._deadline is not None:
                    scope.deadline = trio.current_time() + self._deadline
                await run_guarded(self._script, self._failed, self)
            if scope.cancelled_caught and not self._gives_way:
                connection.quit(connection.server.texts.no_input, cause=Cause.LOGIN_DEADLINE)
        finally:
            self._taker.end()

    def _give_way(self) -> None:
        """End the script, because its player is in the game already."""
        self._gives_way = True
        if self._scope is not None:
            self._scope.cancel(reason="the player resumed a session")

    def _failed(self, error: BaseException) -> None:
        if is_a(error, ConnectionEnded):
            return  # the script asked after the connection's ending: that is how it ends
        if is_a(error, NoAnswer):  # a player can cause it at will, so it is not logged
            self.connection._notify_player(self.connection.server.texts.no_answer)
            return
        connection = self.connection
        if self._gives_way and is_a(error, LocalProtocolError):
            return  # it did not wait again before it entered a session, and its player is in one already
        connection._work_failed("dialog", self._script, error)
        if self._gives_way:
            return  # the lines are those of the session
        connection._inbox.discard_lines()  # one of them may be a password, and must not become a command
        if interrupt_in(error) is not None:
            return  # the server stops, and sends its own text
        if self._began_undecided:
            connection.quit(connection.server.texts.command_failed, cause=Cause.ERROR)
        else:
            connection._notify_player(connection.server.texts.command_failed)


Script = Callable[[Dialog], Awaitable[object]]


class DialogTaker(QuestionTaker):
    """The taker of one dialog, which `Connection.dialog` finds by it."""

    __slots__ = ("dialog",)

    def __init__(self, dialog: Dialog, link: Link) -> None:
        super().__init__(link)
        self.dialog = dialog

    def give_way(self) -> None:
        """End the dialog: its player is in the game by another way, such as a token."""
        self.dialog._give_way()
