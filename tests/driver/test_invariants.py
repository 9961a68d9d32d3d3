"""Whatever players, hooks and operators do, and in whatever order tasks run: the invariants hold.

Hypothesis writes the script of a whole evening and draws the seed of the schedule; a failure shrinks to a short story.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Connection,
    Dialog,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Reason,
    Texts,
    WindowSize,
)
from trio_mud.telnet.codes import IAC, NAWS, SB, SE, WILL
from trio_mud.testing import Pipe, PipeListener

LIMITS = Limits(
    typeahead=3,
    outbox=600,
    write_stall=6,
    hook_deadline=3,
    quit_flush=2,
    linger=1,
    drain=4,
    cleanup=2,
    first_input=30,
    command_rate=None,
    accept_rate=None,
    batch=3,
)
TEXTS = Texts(refused="REFUSED", connect_failed="REFUSED", connect_too_slow="REFUSED", server_full="REFUSED")
RESIZE = bytes((IAC, SB, NAWS, 0, 90, 0, 30, IAC, SE))
_TELNET = re.compile(rb"\xff[\xfb-\xfe].|\xff\xfa.*?\xff\xf0|\xff\xf9", re.DOTALL)

FATES = (
    "welcome",
    "welcome",
    "welcome",
    "refuse",
    "raise",
    "hang",
    "wait",
    "quit",
    "dialog",
    "quit and refuse",
    "work",
)
COMMANDS = (
    "look",
    "look",
    "wait",
    "hang",
    "raise",
    "group",
    "quit",
    "kick",
    "shout",
    "stubborn",
    "tick",
    "ask",
    "drop",
)
DEEDS = ("type", "type", "type", "flood", "resize", "half-close", "vanish", "hang up", "stop reading", "go silent")

steps = st.one_of(
    st.tuples(st.just("join"), st.sampled_from(FATES), st.sampled_from((5, 64, 65536))),
    st.tuples(st.just("act"), st.integers(0, 5), st.sampled_from(DEEDS), st.sampled_from(COMMANDS)),
    st.tuples(st.just("pass"), st.sampled_from((0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 7.0))),
)
endings = st.sampled_from(("shutdown", "shutdown at once", "cancel", "abort", "nothing"))


@dataclass
class Guest:
    """A peer and what it did."""

    pipe: Pipe
    fate: str
    typed: list[str] = field(default_factory=list)
    read: bytearray = field(default_factory=bytearray)
    is_honest: bool = True  # it reads, and its link was never touched
    has_ended_input: bool = False
    reading: trio.CancelScope = field(default_factory=trio.CancelScope)
    typing: trio.Lock = field(default_factory=trio.Lock)


class Evening:
    """One run of the script."""

    def __init__(self) -> None:
        self.guests: list[Guest] = []
        self.events: list[HookEvent] = []
        self.faults: list[str] = []
        self.written: dict[Connection, list[str]] = {}
        self.endings: dict[Connection, Cause] = {}
        self.running: Counter[Connection] = Counter()
        self.hooks = Hooks()
        for event_type in (Connect, Admitted, Input, WindowSize, Disconnect):
            self.hooks.on(event_type, order=-10)(self._note)
        self.hooks.on(Connect)(self._at_the_door)
        self.hooks.on(Input)(self._obey)
        self.hooks.on(Disconnect)(self._mourn)
        self.server = MasterServer(self.hooks, limits=LIMITS, texts=TEXTS)
        self.listener = PipeListener()

    # The game

    def _note(self, event: Any) -> None:
        self.events.append(event)
        connection = event.connection
        if self.running[connection]:
            self.faults.append(f"two events of {connection.name} at once")
        if connection.ending is not None:
            first = self.endings.setdefault(connection, connection.ending)
            if first is not connection.ending and not connection.refused:
                self.faults.append(f"{connection.name} ended twice: {first}, {connection.ending}")

    def say(self, connection: Connection) -> None:
        """Write a numbered line."""
        lines = self.written.setdefault(connection, [])
        line = f"<{connection.number}:{len(lines)}>"
        if connection.write(line):
            if connection.ending is not None:
                self.faults.append("a write after the ending was taken")
            lines.append(line)

    def _at_the_door(self, event: Connect) -> Awaitable[None] | None:
        connection = event.connection
        self.say(connection)
        match self.guests[connection.number - 1].fate:
            case "refuse":
                connection.refuse("REFUSED")
            case "raise":
                raise RuntimeError
            case "hang":
                return self._wait(connection, 60)
            case "wait":
                return self._wait(connection, 1)
            case "quit":
                connection.quit()
            case "quit and refuse":
                connection.quit("last words")
                connection.refuse("REFUSED")
            case "dialog":
                connection.start_dialog(self._talk)
            case "work":
                connection.start_soon(trio.sleep_forever)
                connection.every(1, lambda: self._tick(connection))
            case _:
                pass
        return None

    def _obey(self, event: Input) -> Awaitable[None] | None:
        connection = event.connection
        self.say(connection)
        match event.line.split()[0]:
            case "wait":
                return self._wait(connection, 1)
            case "hang":
                return self._wait(connection, 60)
            case "stubborn":
                return self._be_stubborn(connection)
            case "raise":
                raise RuntimeError
            case "group":
                raise ExceptionGroup("several", [ValueError(), KeyError()])
            case "quit":
                connection.quit()
            case "kick":
                for other in self.server.connections:
                    if other is not connection:
                        other.quit(cause=Cause.KICKED)
                        break
            case "shout":
                for other in self.server.connections:
                    self.say(other)
            case "tick":
                connection.after(1, lambda: self._tick(connection))
            case "ask":
                if connection.dialog is None:
                    connection.start_dialog(self._talk)
            case "drop":
                connection.refuse()
            case _:
                pass
        return None

    async def _wait(self, connection: Connection, seconds: float) -> None:
        self.running[connection] += 1
        try:
            await trio.sleep(seconds)
        finally:
            self.running[connection] -= 1

    async def _be_stubborn(self, connection: Connection) -> None:
        try:
            await self._wait(connection, 60)
        except trio.Cancelled:
            await self._shielded(connection)

    async def _shielded(self, connection: Connection) -> None:
        with trio.CancelScope(shield=True):
            await self._wait(connection, 0.5)

    async def _talk(self, dialog: Dialog) -> None:
        for _ in range(2):
            await dialog.ask("")
            self.say(dialog.connection)

    def _tick(self, connection: Connection) -> None:
        if connection.ending is not None:
            self.faults.append(f"a tick of {connection.name} after its ending")
        self.say(connection)

    def _mourn(self, event: Disconnect) -> Awaitable[None] | None:
        connection = event.connection
        if connection in self.server.connections:
            self.faults.append("on the list in its own disconnect hook")
        if connection.write("too late") or connection.prompt("too late"):
            self.faults.append("wrote in its disconnect hook")
        connection.quit()
        if event.cause is not connection.ending:
            self.faults.append("the disconnect event tells another cause")
        return self._wait(connection, 0.5) if connection.number % 2 else None

    # The peers

    async def play(self, script: list[Any], ending: str, when: int) -> None:
        baseline = trio.lowlevel.current_statistics().tasks_living
        with trio.fail_after(1000):  # of virtual time: a deadlock ends here
            async with trio.open_nursery() as peers:
                with trio.CancelScope() as outside:
                    async with trio.open_nursery() as nursery:
                        await nursery.start(self.server.serve, [self.listener])
                        nursery.start_soon(self._run, script, ending, when, peers, outside)
                        await self.server.closed.wait()
                        nursery.cancel_scope.cancel()
                await trio.sleep(20)
                peers.cancel_scope.cancel()
        assert trio.lowlevel.current_statistics().tasks_living == baseline, "a task was left"

    async def _run(
        self, script: list[Any], ending: str, when: int, peers: trio.Nursery, outside: trio.CancelScope
    ) -> None:
        for number, step in enumerate(script):
            if number == when:
                self._end(ending, outside)
            if step[0] == "join":
                self._join(step[1], step[2], peers)
            elif step[0] == "pass":
                await trio.sleep(step[1])
            elif self.guests:
                peers.start_soon(self._act, self.guests[step[1] % len(self.guests)], step[2], step[3])
                await trio.lowlevel.checkpoint()
        await trio.sleep(10)  # calm
        self._check_the_list()
        self.server.shutdown()

    def _end(self, ending: str, outside: trio.CancelScope) -> None:
        match ending:
            case "shutdown":
                self.server.shutdown()
            case "shutdown at once":
                self.server.shutdown(within=0)
            case "cancel":
                outside.cancel()
            case "abort":
                self.server.abort()
            case _:
                pass

    def _join(self, fate: str, capacity: int, peers: trio.Nursery) -> None:
        guest = Guest(Pipe(capacity=capacity, address=f"10.0.0.{len(self.guests)}"), fate)
        try:
            self.listener.connect(guest.pipe)
        except (OSError, trio.BrokenResourceError):
            return  # the doors are closed
        self.guests.append(guest)
        peers.start_soon(self._read, guest)

    async def _read(self, guest: Guest) -> None:
        with guest.reading:
            try:
                while data := await guest.pipe.client.receive_some():
                    guest.read += data
                await guest.pipe.client.aclose()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def _act(self, guest: Guest, deed: str, command: str) -> None:
        if deed in ("type", "flood", "resize", "half-close"):
            async with guest.typing:  # one hand
                await self._do(guest, deed, command)
        else:
            await self._do(guest, deed, command)

    async def _do(self, guest: Guest, deed: str, command: str) -> None:
        client = guest.pipe.client
        try:
            match deed:
                case "type" | "flood" if not guest.has_ended_input:
                    lines = [f"{command} {len(guest.typed) + number}" for number in range(1 if deed == "type" else 60)]
                    guest.typed += lines
                    half = len(lines) // 2
                    typed = [f"{line}\r\n".encode() for line in lines]
                    resize = bytes((IAC, WILL, NAWS)) + RESIZE if deed == "flood" else b""
                    await client.send_all(b"".join((*typed[:half], resize, *typed[half:])))
                case "resize" if not guest.has_ended_input:
                    await client.send_all(bytes((IAC, WILL, NAWS)) + RESIZE)
                case "half-close":
                    guest.has_ended_input = True
                    await client.send_eof()
                case "vanish":
                    guest.is_honest = False
                    guest.has_ended_input = True
                    guest.pipe.reset()
                case "hang up":
                    guest.is_honest = False
                    guest.has_ended_input = True
                    guest.reading.cancel()
                    await client.aclose()
                case "stop reading":
                    guest.is_honest = False
                    guest.reading.cancel()
                case "go silent":
                    guest.is_honest = False
                    client.stall()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            guest.has_ended_input = True

    # The invariants

    def _check_the_list(self) -> None:
        """I-15, at a quiescent point."""
        admitted = {event.connection for event in self.events if isinstance(event, Admitted)}
        gone = {event.connection for event in self.events if isinstance(event, Disconnect)}
        living = {connection for connection in admitted - gone if connection.ending is None}
        listed = set(self.server.connections)
        if not living <= listed or not listed <= admitted - gone:
            self.faults.append("the list is not who was admitted and has not ended")

    def check(self) -> None:
        assert not self.faults, self.faults
        server = self.server
        assert server.closed.is_set()
        assert len(server.connections) == 0
        assert not server.tree.accepted
        assert not server.context.dispatcher.is_working
        by_connection: dict[Connection, list[HookEvent]] = {}
        for event in self.events:
            by_connection.setdefault(event.connection, []).append(event)  # type: ignore[attr-defined]
        assert len(by_connection) == server.counters["accepted"]
        for connection, events in by_connection.items():
            self._check_events(connection, events)
            self._check_output(connection, events[-1])
        counters = server.counters
        refused = sum(count for word, count in counters.items() if word.startswith("refused: "))
        ended = sum(count for word, count in counters.items() if word.startswith(("quit: ", "linkdeath: ")))
        assert counters["accepted"] == refused + counters["admitted"]
        assert counters["admitted"] == ended

    def _check_events(self, connection: Connection, events: list[HookEvent]) -> None:
        kinds = [type(event) for event in events]
        assert kinds.count(Connect) == kinds.count(Disconnect) == 1  # I-1, I-2
        assert kinds[0] is Connect
        assert kinds[-1] is Disconnect  # I-4
        ending = events[-1]
        assert isinstance(ending, Disconnect)
        assert (ending.reason is Reason.REFUSED) == (Admitted not in kinds)  # I-2
        if ending.reason is Reason.REFUSED:
            assert kinds == [Connect, Disconnect]
        else:
            assert kinds[1] is Admitted
            assert kinds.count(Admitted) == 1
        guest = self.guests[connection.number - 1]
        lines = [event.line for event in events if isinstance(event, Input)]
        if guest.fate != "dialog" and not any(line.startswith("ask") for line in guest.typed):
            assert lines == guest.typed[: len(lines)]  # I-7
        if ending.cause is Cause.ASKED and guest.fate != "quit":
            assert lines[-1].startswith("quit")

    def _check_output(self, connection: Connection, ending: HookEvent) -> None:
        guest = self.guests[connection.number - 1]
        assert isinstance(ending, Disconnect)
        text = _TELNET.sub(b"", bytes(guest.read)).decode(errors="replace")
        if ending.reason is Reason.REFUSED:
            assert "REFUSED\r\n".startswith(text)  # I-6
            return
        numbers = [line for line in text.split("\r\n") if re.fullmatch(r"<\d+:\d+>", line)]
        assert numbers == [line for line in self.written.get(connection, []) if line in set(numbers)]  # I-8
        if guest.is_honest and ending.reason is Reason.QUIT and not self.server.aborting.is_set():
            assert numbers == self.written.get(connection, [])  # I-12


@contextmanager
def schedule(seed: int) -> Iterator[None]:
    """Let trio choose among ready tasks as this seed says."""
    run: Any = trio._core._run
    before = run._ALLOW_DETERMINISTIC_SCHEDULING
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r.seed(seed)
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = before


@settings(suppress_health_check=list(HealthCheck))
@given(
    script=st.lists(steps, min_size=5, max_size=40),
    ending=endings,
    when=st.integers(0, 40),
    seed=st.integers(0, 2**32),
)
def test_the_invariants_hold_whatever_happens(script: list[Any], ending: str, when: int, seed: int) -> None:
    """I-1 to I-8, I-12 to I-15, I-19 and I-26."""
    evening = Evening()
    with schedule(seed):
        trio.run(evening.play, script, ending, when, clock=trio.testing.MockClock(autojump_threshold=0))
    evening.check()
