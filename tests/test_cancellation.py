"""One whole conversation, cut at each of its steps once (I-20)."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing

from trio_mud import Admitted, Connect, Dialog, Disconnect, Hooks, Input, Limits, MasterServer, Reason
from trio_mud.testing import Pipe, PipeListener

Event = Connect | Admitted | Input | Disconnect


class CutAt(trio.abc.Instrument):
    """Cancels a scope before the n-th step of any task; counts the steps."""

    def __init__(self, step: int | None) -> None:
        self.step = step
        self.steps = 0
        self.scope = trio.CancelScope()
        self.is_counting = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.is_counting:
            self.steps += 1
            if self.steps == self.step:
                self.scope.cancel()


class Conversation:
    """A dialog, lines, a waiting hook, a timer, a quit, a vanish and a refusal, with everything that happened."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.hooks = Hooks()
        for event_type in (Connect, Admitted, Input, Disconnect):
            self.hooks.on(event_type)(self._note)
        self.hooks.on(Connect)(self._doorkeeper)
        self.hooks.on(Admitted)(self._greet)
        self.hooks.on(Input)(self._obey)
        self.hooks.on(Disconnect)(self._bury)
        self.buried: list[int] = []
        self.server = MasterServer(self.hooks, limits=Limits(write_stall=5))
        self.listener = PipeListener()

    def _note(self, event: Any) -> None:
        self.events.append(event)

    async def _doorkeeper(self, event: Connect) -> None:
        await trio.sleep(0.1)
        if event.connection.number == 3:
            event.connection.refuse("No.")

    def _greet(self, event: Admitted) -> None:
        event.connection.start_dialog(self._login)
        event.connection.every(0.3, lambda: event.connection.write("tick"))

    async def _login(self, dialog: Dialog) -> None:
        dialog.connection.write("Welcome, " + await dialog.ask("Name? "))

    async def _obey(self, event: Input) -> None:
        if event.line == "wait":
            await trio.sleep(0.5)
        elif event.line == "quit":
            event.connection.quit("Farewell.")
        else:
            event.connection.write(f"you said {event.line}")

    async def _bury(self, event: Disconnect) -> None:
        await trio.sleep(0.2)
        self.buried.append(event.connection.number)

    async def run(self, cut: CutAt) -> None:
        """Play it; the scope of the cut holds the server and nothing else."""
        async with trio.open_nursery() as peers:
            with cut.scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.server.serve, [self.listener])
                    peers.start_soon(self._play)
                    cut.is_counting = True
            cut.is_counting = False
            peers.cancel_scope.cancel()

    async def _play(self) -> None:
        quitter, lost, refused, half = (Pipe(capacity=capacity, address=str(capacity)) for capacity in (9, 64, 65, 66))
        async with trio.open_nursery() as readers:
            for pipe in (quitter, lost, refused, half):
                try:
                    self.listener.connect(pipe)
                except (OSError, trio.BrokenResourceError):
                    return
                readers.start_soon(_read, pipe)
            await trio.sleep(0.2)
            readers.start_soon(_send, quitter, b"ann\r\nhello\r\n")
            readers.start_soon(_send, lost, b"bob\r\nwait\r\nlook\r\n")
            readers.start_soon(_send, half, b"cid\r\nlook\r\n")
            await trio.sleep(0.6)
            lost.reset()
            await _end_input(half)
            readers.start_soon(_send, quitter, b"quit\r\nnever\r\n")
            await trio.sleep(1)
        self.server.shutdown("Night falls.")


async def _read(pipe: Pipe) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while await pipe.client.receive_some():
            pass
        await pipe.client.aclose()


async def _send(pipe: Pipe, data: bytes) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await pipe.client.send_all(data)


async def _end_input(pipe: Pipe) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await pipe.client.send_eof()


def _converse(step: int | None) -> tuple[Conversation, CutAt, int]:
    cut = CutAt(step)
    conversation = Conversation()
    tasks_left = -1

    async def main() -> None:
        nonlocal tasks_left
        before = trio.lowlevel.current_statistics().tasks_living
        with trio.fail_after(1000):
            await conversation.run(cut)
        tasks_left = trio.lowlevel.current_statistics().tasks_living - before

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0), instruments=[cut])
    return conversation, cut, tasks_left


def _check(conversation: Conversation, tasks_left: int) -> None:
    connects = [event.connection for event in conversation.events if isinstance(event, Connect)]
    disconnects = [event.connection for event in conversation.events if isinstance(event, Disconnect)]
    assert sorted(connection.number for connection in connects) == sorted(c.number for c in disconnects)
    assert len(set(connects)) == len(connects) == conversation.server.counters["accepted"]
    admitted = {event.connection for event in conversation.events if isinstance(event, Admitted)}
    for event in conversation.events:
        if isinstance(event, Disconnect):
            assert (event.reason is Reason.REFUSED) == (event.connection not in admitted)
            assert event.cause is event.connection.ending
    assert sorted(conversation.buried) == sorted(connection.number for connection in connects)
    assert conversation.server.closed.is_set()
    assert len(conversation.server.connections) == 0
    assert not conversation.server.tree.accepted
    assert not conversation.server.context.dispatcher.is_working
    assert tasks_left == 0


def test_the_conversation_goes_as_it_should_when_nobody_cuts_it() -> None:
    conversation, _, tasks_left = _converse(None)
    _check(conversation, tasks_left)
    endings = {event.connection.number: event.reason for event in conversation.events if isinstance(event, Disconnect)}
    assert endings == {1: Reason.QUIT, 2: Reason.LINKDEATH, 3: Reason.REFUSED, 4: Reason.LINKDEATH}


@pytest.mark.unmeasured
def test_serve_can_be_cancelled_at_every_step_and_loses_nothing() -> None:
    """At the i-th step for every i: one disconnect for each connect, nobody on the list, no task left."""
    for step in itertools.count(1):
        conversation, cut, tasks_left = _converse(step)
        _check(conversation, tasks_left)
        if cut.steps < step:
            break
    assert step > 100
