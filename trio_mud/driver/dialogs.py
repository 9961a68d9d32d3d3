"""Dialogs: straight-line scripts that borrow one connection's lines, such as a login.

A dialog is a task in its connection's stay nursery:
it ends at its `await` when the connection does, and its `finally` runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ..errors import ConnectionEnded, LocalProtocolError, WaitsForItself
from ..text import Text
from .events import Cause
from .isolation import isolate, let_interrupts_in

if TYPE_CHECKING:
    from .connection import Connection


class Dialog:
    """One conversation with one connection. Made by `Connection.start_dialog`."""

    __slots__ = ("_answer", "_asked", "_deadline", "_script", "_woken", "connection", "has_begun")

    def __init__(self, connection: Connection, script: Script, deadline: float | None) -> None:
        let_interrupts_in(script)
        self.connection = connection
        self._script = script
        self._deadline = deadline  # seconds the whole dialog may take
        self._asked: trio.Event | None = None  # set when the answer has come
        self._woken: trio.Event | None = None
        self.has_begun = False
        self._answer: str | None = None  # given, and not yet received by the script

    async def settled(self) -> None:
        """Wait until the client has told what it is, or has had a second to: as the event `Settled` does."""
        self._check()
        await trio.lowlevel.checkpoint()
        while not self.connection.hearing.is_settled:
            self._woken = trio.Event()
            await self._woken.wait()

    async def ask(self, question: Text) -> str:
        """Show a question as a prompt and wait for one line.

        What was typed ahead answers at once; what is typed after the answer waits for the next question,
        or becomes `Input` when the dialog is over.

        Raises:
            WaitsForItself: Called from a hook of the same connection, whose lines wait for that hook.
            ConnectionEnded: Called after the connection's ending was decided.
            LocalProtocolError: Two tasks ask at the same time.
        """
        connection = self.connection
        self._check()
        if self._asked is not None:
            raise LocalProtocolError(f"{connection.name} is being asked already: ask one question at a time")
        if connection.ending is not None:
            await trio.lowlevel.checkpoint()  # a dialog of a gone connection ends here
            raise ConnectionEnded(f"{connection.name} has left and cannot be asked", connection.ending.reason)
        connection.prompt(question)
        self._asked = trio.Event()
        connection.dialog_asks()
        try:
            await self._asked.wait()
            answer, self._answer = self._answer, None
            assert answer is not None
            return answer
        finally:
            self._asked = None
            if self._answer is not None:  # it came in the same moment in which the question was given up
                connection.inbox.give_back(self._answer)
                self._answer = None

    def _check(self) -> None:
        connection = self.connection
        if connection.is_in_own_hook:
            raise WaitsForItself(
                f"a hook of {connection.name} waits for {connection.name}: start a dialog, and ask from its script"
            )

    def wake(self) -> None:
        """What `settled` waits for may have come."""
        if self._woken is not None:
            self._woken.set()

    @property
    def is_asking(self) -> bool:
        """Whether it waits for a line."""
        return self._asked is not None and not self._asked.is_set()

    def answer(self, line: str) -> None:
        """Give it the line it waits for."""
        assert self._asked is not None
        self._answer = line
        self._asked.set()

    @enable_ki_protection
    async def run(self) -> None:
        """Run the script to its end. A script that raises costs itself."""
        connection, self.has_begun = self.connection, True
        try:
            with trio.CancelScope() as scope:
                if self._deadline is not None:
                    scope.deadline = trio.current_time() + self._deadline
                await isolate(lambda: self._script(self), self._failed)
            if scope.cancelled_caught:
                connection.quit(connection.server.texts.no_input, cause=Cause.LOGIN_DEADLINE)
        finally:
            connection.dialog_over(self)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, ConnectionEnded):
            return  # it asked on after the end, and that ended it
        self.connection.work_failed("the dialog with", error)
        self.connection.tell(self.connection.server.texts.command_failed)


Script = Callable[[Dialog], Awaitable[object]]
