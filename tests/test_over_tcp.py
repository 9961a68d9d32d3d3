"""A complete server on real sockets and the real clock: few tests, of what a model of a network may miss."""

from __future__ import annotations

import ctypes
import errno
import gc
import logging
import runpy
import socket
import struct
import subprocess
import sys
import weakref
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import CoroutineType
from typing import Any, Self

import pytest
import trio
import trio.lowlevel

from trio_mud import (
    Cause,
    Connect,
    Connection,
    Disconnect,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Rate,
    Reason,
    open_tcp_listeners,
)
from trio_mud.coroutines import naming_forgotten_awaits
from trio_mud.driver.connection.inbox import Inbox
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.telnet.codes import DM, IAC
from trio_mud.testing.peers import reset
from trio_mud.testing.tasks import every_task
from trio_mud.testing.terminal import Terminal
from trio_mud.transports.poller import Poller

PATIENCE = 60.0  # true seconds until a test that hangs has failed
TAVERN = Path(__file__).parent.parent / "docs" / "tutorial" / "tavern.py"
QUICK = Limits(
    max_per_address=None,
    accept_rate_per_address=None,
    quit_timeout=1,
    linger_timeout=0.5,
    shutdown_timeout=2,
    cleanup_timeout=2,
)


class TcpClient:
    """A telnet client on a socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._terminal = Terminal()
        self._seen = 0
        self._sending: trio.Lock | None = trio.Lock()  # none: it has sent its end of file

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await trio.aclose_forcefully(self.stream)

    async def type(self, *lines: str) -> None:
        await self.send("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        if self._sending is not None:
            async with self._sending:
                await self.stream.send_all(data)

    async def finish_typing(self) -> None:
        self._sending = None
        await self.stream.send_eof()

    async def sees(self, text: str) -> str:
        """Read until this text arrives; return it with everything before."""
        while (found := self._terminal.text.find(text, self._seen)) < 0:
            if not await self._read():
                raise AssertionError(f"{text!r} did not come; the connection ended with {self.unread!r}")
        start, self._seen = self._seen, found + len(text)
        return self._terminal.text[start : self._seen]

    async def sees_the_end(self) -> str:
        """Read to the end of file; returns what came before."""
        while await self._read():
            pass
        return self.unread

    @property
    def unread(self) -> str:
        return self._terminal.text[self._seen :]

    async def _read(self) -> bool:
        data = await self.stream.receive_some()
        self._terminal.receive(data)
        if data and (answer := self._terminal.data_to_send()):
            await self.send(answer)
        return bool(data)


class TcpServer:
    """A server, its address, and the endings it has seen."""

    def __init__(self, server: MasterServer, address: tuple[str, int]) -> None:
        self.server = server
        self.address = address
        self.endings: list[Disconnect] = []
        server.hooks.on(Disconnect)(self.endings.append)

    async def call(self, *, receive_buffer: int | None = None) -> TcpClient:
        """Connect to the server, with a kernel buffer of this size for a client that does not read."""
        sock = trio.socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await sock.connect(self.address)
        return TcpClient(trio.SocketStream(sock))

    async def has_seen(self, count: int) -> list[Cause]:
        """Wait for this many endings; return their causes."""
        while len(self.endings) < count:  # noqa: ASYNC110  for once in a test, time passes by itself
            await trio.sleep(0.002)
        return [ending.cause for ending in self.endings]


@asynccontextmanager
async def serving(hooks: Hooks, limits: Limits = QUICK) -> AsyncGenerator[TcpServer, None]:
    """Serve these hooks on a port of this machine for the length of the block."""
    try:
        with trio.fail_after(PATIENCE):
            (listener,) = await open_tcp_listeners(0, host="127.0.0.1", dead_peer=limits.dead_peer_timeout)
            server = MasterServer(hooks, limits=limits)
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve, [listener])
                yield TcpServer(server, listener.address)
                server.shutdown()
    except BaseExceptionGroup as group:
        raise unwrap_single(group) from None


@pytest.fixture
def echo() -> Hooks:
    """A game that echoes, quits, and has a long text to send."""
    hooks = Hooks()

    @hooks.on(Input)
    def answer(event: Input) -> None:
        guest, line = event.connection, event.line
        if line == "quit":
            guest.quit("Farewell.")
        elif line == "story":
            for number in range(200):
                guest.write(f"{number} " + "and then " * 100)
        elif line == "epilogue":
            guest.quit("and so on " * 20_000 + "The end.")
        else:
            guest.write(f"you said {line}")

    return hooks


async def test_the_conversation_in_the_tavern() -> None:
    hooks: Hooks = runpy.run_path(str(TAVERN))["hooks"]
    async with serving(hooks) as tavern, await tavern.call() as ann, await tavern.call() as bob:
        for guest in (ann, bob):
            await guest.sees("The fire crackles. Say something, or quit.\n")
        await ann.type("Good evening!")
        assert await ann.sees("evening!\n") == await bob.sees("evening!\n") == "guest-1: Good evening!\n"
        async with await tavern.call() as lost:
            await lost.sees("crackles")
            await reset(lost.stream)
        await bob.sees("guest-3 stares into the fire, unblinking.\n")
        await ann.type("quit")
        await ann.sees("The door swings shut behind you.\n")
        assert await ann.sees_the_end() == ""
        assert [cause.reason for cause in await tavern.has_seen(2)] == [Reason.LINKDEATH, Reason.QUIT]


@pytest.mark.skipif(not Poller.is_possible(), reason="this system has no epoll")
async def test_the_coroutines_of_an_idle_player_keep_no_record_of_where_they_were_created(echo: Hooks) -> None:
    with naming_forgotten_awaits():
        async with serving(echo) as house, await house.call() as caller:
            await caller.type("hello")
            await caller.sees("you said hello")
            (task,) = [task for task in every_task() if task.name == "guest-1"]
            awaited: object = task.coro
            origins = []
            while isinstance(awaited, CoroutineType):
                origins.append(awaited.cr_origin)
                awaited = awaited.cr_await
            assert set(origins) == {None}


async def test_a_reset_is_one_link_death_while_reading(echo: Hooks) -> None:
    async with serving(echo) as house, await house.call() as caller:
        await caller.type("hello")
        await caller.sees("you said hello")
        await reset(caller.stream)
        assert await house.has_seen(1) == [Cause.RESET]
    assert len(house.endings) == 1


async def test_a_reset_is_one_link_death_while_much_is_being_written(echo: Hooks) -> None:
    async with serving(echo) as house, await house.call(receive_buffer=4096) as caller:
        await caller.type(*["story"] * 5)
        await caller.sees("199 and then")
        (connection,) = house.server.connections
        assert connection.write("one more") is True
        await reset(caller.stream)
        assert await house.has_seen(1) == [Cause.RESET]
        assert connection.write("too late") is False
    assert len(house.endings) == 1


async def test_a_reset_is_link_death_also_for_one_who_is_only_written_to(echo: Hooks) -> None:
    limits = Limits(
        max_per_address=None,
        accept_rate_per_address=None,
        max_typeahead=1,
        command_rate=Rate(0.2, burst=2),
        linger_timeout=0.2,
    )
    async with serving(echo, limits) as house, await house.call(receive_buffer=4096) as caller:
        await caller.type("hello", *["story"] * 50)  # so much typed ahead that its socket is not read
        await caller.sees("199 and then")
        (connection,) = house.server.connections
        assert isinstance(connection._link, TelnetLink)
        assert connection._link._incoming.is_full
        while connection.write("and then " * 1000):  # all buffers are full, so a writer waits
            await trio.lowlevel.checkpoint()
        await reset(caller.stream)
        assert await house.has_seen(1) == [Cause.RESET]


async def test_a_loss_is_what_ends_the_scopes_of_its_connection(echo: Hooks) -> None:
    """S13: the loss cancels both scopes while the task sleeps in them, and trio lets only the outermost catch."""
    async with serving(echo) as house, await house.call() as caller:
        await caller.type("hello")
        await caller.sees("you said hello")
        (connection,) = house.server.connections
        await reset(caller.stream)
        assert await house.has_seen(1) == [Cause.RESET]
        active, link = connection._lifecycle.active_scope, connection._lifecycle.link_scope
        assert active is not None
        assert (active.cancel_called, active.cancelled_caught) == (True, False)
        assert link.cancelled_caught


async def test_a_half_close_is_served_to_the_end_and_then_link_death(echo: Hooks) -> None:
    async with serving(echo) as house, await house.call() as caller:
        await caller.type("one", "story", "two")
        await caller.finish_typing()
        seen = await caller.sees_the_end()
        assert (seen.startswith("you said one\n"), seen.endswith("you said two\n")) == (True, True)
        assert await house.has_seen(1) == [Cause.EOF]


async def test_quit_before_a_half_close_is_a_quit(echo: Hooks) -> None:
    async with serving(echo) as house, await house.call() as caller:
        await caller.send(b"quit\n")  # printf 'quit\n' | nc
        await caller.finish_typing()
        assert await caller.sees_the_end() == "Farewell.\n"
        assert await house.has_seen(1) == [Cause.ASKED]


async def test_a_client_that_never_reads_is_lost_in_the_end_and_holds_up_nobody(echo: Hooks) -> None:
    limits = Limits(
        max_per_address=None,
        accept_rate_per_address=None,
        write_stall_timeout=0.2,
        command_rate=None,
        linger_timeout=0.2,
    )
    async with serving(echo, limits) as house, await house.call() as ann, await house.call(receive_buffer=4096) as mute:
        sending = trio.CancelScope()

        async def ask_for_ever() -> None:
            with sending, suppress(trio.BrokenResourceError):
                while True:
                    await mute.type("story")
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_for_ever)
            for number in range(50):
                await ann.type(f"line {number}")
                await ann.sees(f"you said line {number}\n")
            assert await house.has_seen(1) == [Cause.WRITE_STALL]
            sending.cancel()


async def test_the_last_words_arrive_although_the_client_types_on(echo: Hooks) -> None:
    async with serving(echo) as house, await house.call(receive_buffer=4096) as caller:
        typing = trio.CancelScope()

        async def type_on() -> None:
            with typing:
                while True:
                    await caller.type("wait, what?")
                    await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            await caller.type("epilogue")
            nursery.start_soon(type_on)
            await trio.sleep(0.05)  # the farewell is spoken, and unread input waits at the server
            seen = await caller.sees_the_end()
            typing.cancel()
        assert seen.endswith("and so on The end.\n")
        assert len(seen) >= 200_000
        assert await house.has_seen(1) == [Cause.ASKED]


async def test_urgent_data_keeps_its_place_and_does_no_harm(echo: Hooks) -> None:
    async with serving(echo) as house, await house.call() as caller:
        await caller.stream.send_all(b"befo")
        await caller.stream.socket.send(bytes((IAC, DM)), socket.MSG_OOB)  # telnet's Synch
        await caller.stream.send_all(b"re\r\n")
        await caller.stream.socket.send(b"x", socket.MSG_OOB)
        await caller.stream.send_all(b"yz\r\n")
        await caller.sees("you said before\nyou said xyz\n")
        assert house.endings == []


async def test_a_port_scan_is_one_connect_and_one_disconnect_each(echo: Hooks) -> None:
    connects: list[Connect] = []
    echo.on(Connect)(connects.append)
    limits = Limits(max_per_address=None, accept_rate_per_address=None, accept_rate=None, linger_timeout=0.5)
    async with serving(echo, limits) as house, await house.call() as ann:
        await ann.type("before")
        await ann.sees("you said before")
        for number in range(200):
            caller = await house.call()
            await (reset(caller.stream) if number % 2 else caller.stream.aclose())
        await ann.type("after")
        await ann.sees("you said after")
        causes = await house.has_seen(len(connects) - 1)
        assert set(causes) <= {Cause.EOF, Cause.RESET}
        while len(house.server.connections) > 1:  # noqa: ASYNC110  for once in a test, time passes by itself
            await trio.sleep(0.002)
        assert list(house.server.connections) == [connects[0].connection]
    assert len(house.endings) == len(connects)
    assert len({ending.connection.number for ending in house.endings}) == len(connects) <= 201
    assert len(connects) >= 101  # of those that reset at once the kernel may tell nothing


async def test_two_servers_on_two_ports_know_nothing_of_each_other(echo: Hooks) -> None:
    other = Hooks()
    other.on(Input)(lambda event: event.connection.quit("Wrong door."))
    async with serving(echo) as one, serving(other) as two, await one.call() as ann, await two.call() as bob:
        await bob.type("hello")
        await bob.sees("Wrong door.\n")
        two.server.shutdown()
        await two.server.closed.wait()
        await ann.type("hello")
        await ann.sees("you said hello\n")
        assert one.endings == []


async def test_a_shutdown_gives_everybody_its_last_words(echo: Hooks) -> None:
    async with serving(echo) as house, AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(await house.call()) for _ in range(20)]
        for caller in callers:
            await caller.type("hello")
            await caller.sees("you said hello\n")
        house.server.shutdown("Closing time.")
        for caller in callers:
            assert await caller.sees_the_end() == "Closing time.\n"
            await caller.stream.aclose()
        await house.server.closed.wait()


# Out of descriptors

SMALL_PROCESS = """
import logging, resource, sys, trio
from trio_mud import Hooks, Input, Limits, MasterServer, open_tcp_listeners

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
logging.basicConfig(stream=sys.stderr)
hooks = Hooks()
hooks.on(Input)(lambda event: event.connection.write(f"you said {event.line}") and None)

async def main():
    (listener,) = await open_tcp_listeners(0, host="127.0.0.1")
    limits = Limits(max_per_address=None, accept_rate_per_address=None, linger_timeout=0.2, shutdown_timeout=1)
    server = MasterServer(hooks, limits=limits)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [listener])
        print(listener.address[1], flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        print(server.counters["accepts without resources"], flush=True)
        server.shutdown()

trio.run(main)
"""
DESCRIPTORS = 40


async def test_a_server_out_of_descriptors_serves_those_it_has_and_accepts_again_when_there_are_some() -> None:
    with trio.fail_after(PATIENCE):
        async with AsyncExitStack() as stack:
            began = trio.current_time()
            process = await trio.lowlevel.open_process(
                [sys.executable, "-c", SMALL_PROCESS, str(DESCRIPTORS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.callback(process.kill)
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            port = int(await one_line(process.stdout))
            callers = []
            for _ in range(DESCRIPTORS + 10):
                stream = await trio.open_tcp_stream("127.0.0.1", port)  # by the kernel
                callers.append(await stack.enter_async_context(TcpClient(stream)))
            await callers[0].type("I am in")
            await callers[0].sees("you said I am in\n")
            await callers[-1].type("and I will be")
            await trio.sleep(0.3)  # three tries in vain, or fewer where the machine is busy
            await callers[0].type("still")
            await callers[0].sees("you said still\n")
            assert callers[-1].unread == ""
            for caller in callers[1:-1]:
                await caller.stream.aclose()
            await callers[-1].sees("you said and I will be\n")
            await process.stdin.send_all(b"\n")
            tries, waited = int(await one_line(process.stdout)), trio.current_time() - began
            assert 1 <= tries <= 2 + waited / 0.05  # it rested between them
            log = b"".join([data async for data in process.stderr])
            assert log.count(b"cannot accept connections") == 1
            assert b"Traceback" not in log
            assert await process.wait() == 0


async def one_line(stream: trio.abc.ReceiveStream) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += await stream.receive_some(1) or b"(closed)\n"
    return line


# Endings and bounds that need a kernel


@pytest.mark.skipif(sys.platform != "linux", reason="a filter of Linux makes the client deaf")
async def test_a_client_that_vanished_without_a_word_is_found_by_the_kernels_probes(echo: Hooks) -> None:
    """N5: its machine acknowledges nothing any more, and the server sends nothing to it."""
    async with serving(echo, Limits(dead_peer_timeout=1)) as house, await house.call() as lost:
        await lost.type("hello")
        await lost.sees("you said hello\n")
        fall_silent(lost.stream)
        assert await house.has_seen(1) == [Cause.DEAD_PEER]


def fall_silent(stream: trio.SocketStream) -> None:
    """Make a kernel drop all packets for this socket, as if its cable was cut."""
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: keep 0 bytes of each packet
    program = struct.pack("HP", 1, ctypes.addressof(drop))
    stream.socket.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_ATTACH_FILTER", 26), program)


async def test_a_slow_reader_misses_whole_messages_and_is_told_and_nobody_else_is(echo: Hooks) -> None:
    """N7: the text of every line that arrives is whole, and what is missing is one gap."""
    limits = Limits(
        max_per_address=None, accept_rate_per_address=None, max_output=20_000, linger_timeout=0.2, command_rate=None
    )
    async with (
        serving(echo, limits) as house,
        await house.call() as ann,
        await house.call(receive_buffer=100_000) as slow,
    ):
        await slow.type("hello")
        await slow.sees("you said hello\n")
        (_, connection) = sorted(house.server.connections, key=lambda one: one.number)
        assert isinstance(connection._link, TelnetLink)
        transport: Any = connection._link._transport
        transport._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)  # or the kernel would take megabytes
        written = 0
        while connection.write(f"{written} " + "and then " * 100):
            written += 1
            await trio.lowlevel.checkpoint()
        await ann.type("hello")
        await ann.sees("you said hello\n")
        await slow.sees(house.server.texts.output_dropped)
        told = [line for line in slow._terminal.text.splitlines() if "and then" in line]
        assert {line.split(" ", 1)[1].strip() for line in told} == {("and then " * 100).strip()}
        assert [int(line.split(" ", 1)[0]) for line in told] == list(range(len(told)))
        assert 20 < len(told) <= written
        assert house.server.counters["messages dropped"] == 1
        assert house.endings == []


async def test_clients_that_drip_before_they_say_a_word_are_shown_out(echo: Hooks) -> None:
    """N8: sixty of them, and the other players notice nothing."""
    limits = Limits(
        max_per_address=None,
        accept_rate_per_address=None,
        accept_rate=None,
        first_input_timeout=0.5,
        quit_timeout=0.2,
        linger_timeout=0.1,
    )
    async with serving(echo, limits) as house, await house.call() as ann, AsyncExitStack() as stack:
        await ann.type("hello")
        await ann.sees("you said hello\n")
        dripping = [await stack.enter_async_context(await house.call()) for _ in range(60)]
        async with trio.open_nursery() as nursery:
            for caller in dripping:
                nursery.start_soon(drip, caller)
            while len(house.endings) < len(dripping):
                await ann.type("still here")
                await ann.sees("you said still here\n")
                await trio.sleep(0.02)
            nursery.cancel_scope.cancel()
        assert {ending.cause for ending in house.endings} == {Cause.LOGIN_DEADLINE}
        assert len(house.server.connections) == 1


async def drip(caller: TcpClient) -> None:
    with suppress(trio.BrokenResourceError):
        while True:
            await caller.stream.send_all(b"x")
            await trio.sleep(0.05)


async def test_a_listening_socket_that_fails_ends_the_server_loudly_and_in_order(echo: Hooks) -> None:
    """N14."""
    (listener,) = await open_tcp_listeners(0, host="127.0.0.1")
    server, endings = MasterServer(echo, limits=QUICK), list[Disconnect]()
    echo.on(Disconnect)(endings.append)
    with pytest.raises(OSError) as caught, trio.fail_after(PATIENCE):  # noqa: PT012, PT011 - the block is the server
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve, [listener])
                async with await TcpServer(server, listener.address).call() as ann:
                    await ann.type("hello")
                    await ann.sees("you said hello\n")
                    listener._socket.shutdown(socket.SHUT_RDWR)  # from now on accept fails with EINVAL
                    await server.closed.wait()
        except BaseExceptionGroup as group:
            raise unwrap_single(group) from None
    assert caught.value.errno == errno.EINVAL
    assert [ending.cause for ending in endings] == [Cause.CANCELLED]


@pytest.mark.slow
async def test_five_thousand_quick_connects_leave_nothing_behind(echo: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    """N15, O10: no line of the log above `info`, and descriptors and tasks are as many as before."""
    connects = Counter[int]()
    echo.on(Connect)(lambda event: connects.update([event.connection.number]))
    limits = Limits(max_per_address=None, accept_rate_per_address=None, accept_rate=None, linger_timeout=0.5)
    async with serving(echo, limits) as house, await house.call() as ann:
        await ann.type("before")
        await ann.sees("you said before")
        before = descriptors(), trio.lowlevel.current_statistics().tasks_living
        for number in range(5000):
            with socket.create_connection(house.address) as scanner:
                if number % 2:
                    scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            await trio.lowlevel.checkpoint()  # the connection is accepted; otherwise the kernel's backlog would fill up
        await ann.type("after")
        await ann.sees("you said after")
        await house.has_seen(2500)  # of those that reset at once the kernel may tell nothing
        await until_as_before(lambda: (descriptors(), trio.lowlevel.current_statistics().tasks_living), before)
        assert set(connects.values()) == {1}
        assert len(house.endings) == len(connects) - 1 >= 2500
        assert len(house.server.connections) == 1
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


async def test_a_bug_in_hearing_costs_one_connection(echo: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """I-16: also where the poller calls it."""
    feed = Inbox.received_line

    def fail(self: Inbox, data: str, hidden: bool) -> bool:
        if "boom" in data:
            raise ZeroDivisionError
        return feed(self, data, hidden)

    monkeypatch.setattr(Inbox, "received_line", fail)
    async with serving(echo) as house, await house.call() as ann, await house.call() as bob:
        await ann.type("boom")
        assert await house.has_seen(1) == [Cause.ERROR]
        await bob.type("hello")
        await bob.sees("you said hello")


async def test_descriptors_tasks_and_memory_return_to_what_they_were(echo: Hooks) -> None:
    """O10: after every kind of ending, again and again."""
    limits = Limits(
        max_per_address=None, accept_rate_per_address=None, accept_rate=None, linger_timeout=0.2, quit_timeout=0.2
    )
    async with serving(echo, limits) as house:
        async with await house.call() as first:  # with whom the poller begins
            await quit_and_read(first)
        await house.has_seen(1)
        before = descriptors(), trio.lowlevel.current_statistics().tasks_living
        gone: list[weakref.ref[Connection]] = []
        echo.on(Connect)(lambda event: gone.append(weakref.ref(event.connection)))
        for _ in range(5):
            for act in (quit_and_read, half_close, reset_at_once, leave_in_the_middle):
                async with await house.call() as caller:
                    await act(caller)
        await house.has_seen(21)
        house.endings.clear()
        await until_as_before(lambda: (descriptors(), trio.lowlevel.current_statistics().tasks_living), before)
        gc.collect()
        assert len(gone) == 20
        assert [ref() for ref in gone if ref() is not None] == []


async def quit_and_read(caller: TcpClient) -> None:
    await caller.type("hello", "quit")
    await caller.sees_the_end()


async def half_close(caller: TcpClient) -> None:
    await caller.type("hello")
    await caller.finish_typing()
    await caller.sees_the_end()


async def reset_at_once(caller: TcpClient) -> None:
    await caller.type("story")
    await caller.sees("and then")
    await reset(caller.stream)


async def leave_in_the_middle(caller: TcpClient) -> None:
    await caller.send(b"hello\r\nhal")
    await caller.sees("you said hello")


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


async def until_as_before(look: Callable[[], tuple[int, int]], before: tuple[int, int]) -> None:
    while look() != before:  # noqa: ASYNC110  for once in a test, time passes by itself
        await trio.sleep(0.01)
