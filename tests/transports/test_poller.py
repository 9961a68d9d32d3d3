"""The poller's own side: turns, pauses without deafness, and descriptors that are used again."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from trio_mud import Hooks, MasterServer
from trio_mud.testing.peers import reset
from trio_mud.transports import DeadPeer
from trio_mud.transports.layered import EndOfStream
from trio_mud.transports.poller import ENDINGS, TURN, Poller
from trio_mud.transports.tcp import TcpTransport

pytestmark = pytest.mark.skipif(not Poller.is_possible(), reason="this system has no epoll")

PATIENCE = 60.0  # true seconds until a test that hangs has failed


class CollectingReader:
    """A reader that stores received bytes, and has room for a given number."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.heard = b""
        self._room = room
        self._emptied = trio.Event()

    def feed(self, data: bytes) -> bool:
        self.heard += data
        return len(self.heard) < self._room

    def lost(self, error: trio.BrokenResourceError) -> None:
        """`listen` raises it."""

    async def room(self) -> None:
        await self._emptied.wait()

    def empty(self) -> None:
        self.heard = b""
        self._emptied.set()
        self._emptied = trio.Event()


class Count(trio.abc.Instrument):
    """How often trio has waited for the kernel."""

    def __init__(self) -> None:
        self.waits = 0

    def after_io_wait(self, timeout: float) -> None:
        self.waits += 1


@asynccontextmanager
async def polling() -> AsyncGenerator[tuple[Poller, trio.Nursery], None]:
    poller = Poller()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller.run)
            yield poller, nursery
            nursery.cancel_scope.cancel()


def pair() -> tuple[TcpTransport, socket.socket]:
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    return TcpTransport(here, "here"), there


async def tcp_pair() -> tuple[TcpTransport, trio.SocketStream]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        peer = await trio.open_tcp_stream(*door.getsockname())
        here, _ = door.accept()
    here.setblocking(False)
    return TcpTransport(here, "127.0.0.1"), peer


async def listen(transport: TcpTransport, ear: CollectingReader, poller: Poller, endings: list[str]) -> None:
    """Listen to the end, write down which it was, and close."""
    try:
        await transport.listen(ear, poller)
        endings.append("end of file")
    except trio.BrokenResourceError:
        endings.append("broken")
    finally:
        await transport.aclose_forcefully()


class Ends:
    """A reader that waits for the end, and records how it was reported."""

    def __init__(self, transport: TcpTransport, poller: Poller) -> None:
        self._transport = transport
        self._poller = poller
        self.error: trio.BrokenResourceError | None = None

    async def wait(self) -> None:
        try:
            await self._transport.listen(CollectingReader(), self._poller)
        except trio.BrokenResourceError as error:
            self.error = error
        finally:
            await self._transport.aclose_forcefully()


async def test_a_listener_whose_reader_is_full_reads_on_when_there_is_room() -> None:
    async with polling() as (poller, nursery):
        transport, peer = pair()
        ear = CollectingReader(room=4)
        nursery.start_soon(listen, transport, ear, poller, [])
        await wait_all_tasks_blocked(0.01)
        peer.send(b"full")
        await wait_all_tasks_blocked(0.01)
        peer.send(b" and more")
        await wait_all_tasks_blocked(0.01)
        assert ear.heard == b"full"
        ear.empty()
        await wait_all_tasks_blocked(0.01)
        assert ear.heard == b" and more"
        peer.close()


async def test_a_reset_is_noticed_while_the_reader_is_full_and_nothing_is_written() -> None:
    async with polling() as (poller, nursery):
        transport, peer = await tcp_pair()
        ear, endings = CollectingReader(room=1), list[str]()
        nursery.start_soon(listen, transport, ear, poller, endings)
        await wait_all_tasks_blocked(0.01)
        await peer.send_all(b"much typed ahead")
        await wait_all_tasks_blocked(0.01)
        await reset(peer)
        while not endings:
            await wait_all_tasks_blocked(0.01)
        assert endings == ["broken"]
        assert ear.heard == b"much typed ahead"


async def test_a_paused_listener_whose_peer_has_reset_keeps_no_processor_busy() -> None:
    async with polling() as (poller, nursery):
        transport, peer = await tcp_pair()
        ear = CollectingReader(room=1)
        nursery.start_soon(listen, transport, ear, poller, [])
        await wait_all_tasks_blocked(0.01)
        await peer.send_all(b"x")
        await wait_all_tasks_blocked(0.01)
        await peer.send_all(b"unread")  # which the kernel has, and nobody asks for
        await peer.send_eof()
        count = Count()
        trio.lowlevel.add_instrument(count)
        await trio.sleep(0.1)
        await reset(peer)
        await trio.sleep(0.1)
        trio.lowlevel.remove_instrument(count)
        assert count.waits < 20


async def test_what_came_before_a_reset_is_heard_before_the_end_is_told() -> None:
    async with polling() as (poller, nursery):
        transport, peer = pair()
        ear, endings = CollectingReader(), list[str]()
        peer.send(b"last line")
        peer.close()
        nursery.start_soon(listen, transport, ear, poller, endings)
        while not endings:
            await wait_all_tasks_blocked(0.01)
        assert ear.heard == b"last line"


async def test_a_descriptor_that_is_used_again_hears_nothing_of_the_one_before() -> None:
    """The kernel gives the lowest free number, so the next socket gets that of the one just closed."""
    async with polling() as (poller, nursery):
        first, peer = pair()
        number = first._fileno
        lost, endings = CollectingReader(), list[str]()
        nursery.start_soon(listen, first, lost, poller, endings)
        await wait_all_tasks_blocked(0.01)
        peer.send(b"never read")
        await first.aclose_forcefully()
        second, other = pair()
        assert number in (second._fileno, other.fileno())
        ear = CollectingReader()
        nursery.start_soon(listen, second, ear, poller, endings)
        other.send(b"for the second")
        await wait_all_tasks_blocked(0.01)
        assert lost.heard == b""
        assert ear.heard == b"for the second"
        assert endings == ["broken"]
        assert len(poller) == 1
        peer.close()
        other.close()


async def test_no_turn_reads_more_sockets_than_leaves_the_others_their_turn() -> None:
    async with polling() as (poller, nursery):
        ears = [CollectingReader() for _ in range(2 * TURN)]
        peers = []
        for ear in ears:
            transport, peer = pair()
            peers.append(peer)
            nursery.start_soon(listen, transport, ear, poller, [])
        await wait_all_tasks_blocked(0.01)
        for peer in peers:
            peer.send(b"x")
        read: list[int] = []
        while not read or read[-1] < len(ears):
            await trio.lowlevel.checkpoint()
            read.append(sum(bool(ear.heard) for ear in ears))
        assert max(after - before for before, after in zip([0, *read], read, strict=False)) <= 2 * TURN
        for peer in peers:
            peer.close()


async def test_many_endings_are_told_in_slices_while_the_others_are_read() -> None:
    async with polling() as (poller, nursery):
        transport, survivor = pair()
        ear = CollectingReader()
        nursery.start_soon(listen, transport, ear, poller, [])
        endings: list[str] = []
        peers = []
        for _ in range(10 * ENDINGS):
            transport, peer = pair()
            peers.append(peer)
            nursery.start_soon(listen, transport, CollectingReader(), poller, endings)
        await wait_all_tasks_blocked(0.01)
        for peer in peers:
            peer.close()
        survivor.send(b"look")
        told = 0
        while len(endings) < len(peers):
            await trio.lowlevel.checkpoint()
            assert len(endings) - told <= 2 * ENDINGS  # this task may come first in one pass and last in the next
            told = len(endings)
            if told >= 4 * ENDINGS:
                assert ear.heard == b"look"
        survivor.close()


async def test_where_the_kernel_watches_no_more_sockets_the_task_waits_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with polling() as (poller, nursery):
        monkeypatch.setattr(Poller, "watch", refuse)
        transport, peer = pair()
        ear, endings = CollectingReader(), list[str]()
        nursery.start_soon(listen, transport, ear, poller, endings)
        peer.send(b"look")
        await wait_all_tasks_blocked(0.01)
        assert ear.heard == b"look"
        peer.close()
        await wait_all_tasks_blocked(0.01)
        assert endings == ["end of file"]


async def test_a_listener_that_is_cancelled_leaves_the_set() -> None:
    async with polling() as (poller, _):
        transport, peer = pair()
        with trio.move_on_after(0.01):
            await transport.listen(CollectingReader(), poller)
        assert len(poller) == 0
        peer.send(b"unread")
        await wait_all_tasks_blocked(0.01)
        assert await transport.receive() == b"unread"
        await transport.aclose_forcefully()
        peer.close()


async def test_a_loss_that_sending_meets_is_told_by_listening_in_slices() -> None:
    """Otherwise a broadcast to thousands of lost links would end them all in one pass."""
    async with polling() as (poller, nursery):
        endings: list[str] = []
        pairs = [await tcp_pair() for _ in range(10 * ENDINGS)]
        for transport, _ in pairs:
            nursery.start_soon(listen, transport, CollectingReader(), poller, endings)
        await wait_all_tasks_blocked(0.01)
        for transport, peer in pairs:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.socket.close()  # a reset
            assert transport.send_nowait(b"lost") == len(b"lost")
            assert transport.send_nowait(b"lost too") == len(b"lost too")
        told = 0
        while len(endings) < len(pairs):
            await trio.lowlevel.checkpoint()
            assert len(endings) - told <= 2 * ENDINGS
            told = len(endings)
        assert set(endings) == {"broken"}


async def test_a_dead_peer_whose_end_is_not_told_yet_is_no_reset_to_who_sends_meanwhile() -> None:
    """The kernel reports an error once, here to the poller; a later send gets a broken pipe."""

    class DeadSocket(socket.socket):
        def recv(self, *_: object) -> bytes:
            raise OSError(errno.ETIMEDOUT, "Connection timed out")

        def send(self, *_: object) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    here, peer = socket.socketpair()
    here.setblocking(False)
    poller = Poller()
    transport = TcpTransport(DeadSocket(fileno=here.detach()), "here")
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            ends = Ends(transport, poller)
            nursery.start_soon(ends.wait)
            await wait_all_tasks_blocked(0.01)
            watch = transport._watch
            assert watch is not None
            watch.read()  # as a turn does in which many more end
            assert transport.send_nowait(b"taken, and lost") == len(b"taken, and lost")
            watch.wake()  # as a later turn does
    assert isinstance(ends.error, DeadPeer)
    peer.close()


class RaisingReader(CollectingReader):
    """A reader of a layer, which raises this when it is fed."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.losses: list[trio.BrokenResourceError] = []
        self._error = error

    def feed(self, data: bytes) -> bool:
        raise self._error

    def lost(self, error: trio.BrokenResourceError) -> None:
        self.losses.append(error)


async def listen_until_it_raises(transport: TcpTransport, reader: RaisingReader, poller: Poller) -> None:
    with pytest.raises(type(reader._error)) as caught:
        await transport.listen(reader, poller)
    assert caught.value is reader._error


async def test_the_end_of_a_layer_is_no_loss_to_a_task_that_still_sends() -> None:
    """Between the turn that finds the end and the one that reports it, the writer may go on."""
    poller = Poller()
    transport, peer = pair()
    reader = RaisingReader(EndOfStream())
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen_until_it_raises, transport, reader, poller)
            await wait_all_tasks_blocked(0.01)
            peer.send(b"the end, in the cipher")
            watch = transport._watch
            assert watch is not None
            watch.read()  # as a turn does in which many more end
            assert await transport.send_some(b"the rest") == len(b"the rest")
            watch.report_end()  # as a later turn does
    assert peer.recv(100) == b"the rest"
    assert reader.losses == []
    await transport.aclose_forcefully()
    peer.close()


async def test_a_violation_in_a_layer_is_a_loss_and_is_told_to_the_reader_first() -> None:
    """So that the reader cancels the scopes of the listening task, as at any other loss."""
    poller = Poller()
    transport, peer = pair()
    reader = RaisingReader(trio.BrokenResourceError("it is no record"))
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen_until_it_raises, transport, reader, poller)
            await wait_all_tasks_blocked(0.01)
            peer.send(b"junk")
            watch = transport._watch
            assert watch is not None
            watch.read()
            with pytest.raises(trio.BrokenResourceError):
                await transport.send_some(b"in vain")
            assert reader.losses == []
            watch.report_end()
            assert reader.losses == [reader._error]
    assert len(poller) == 0
    await transport.aclose_forcefully()
    peer.close()


def test_a_server_without_epoll_reads_by_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")
    assert MasterServer(Hooks())._link_host.poller is None
