"""I-20: scenes of a server's life, each cut at each of its steps by a cancel from outside; what must hold holds.

Usually every so-many-th step is tried, of another schedule each day; `pytest --whole` tries all of them.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import pytest
import trio
import trustme

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Dialog,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    Limits,
    LinkLost,
    MasterServer,
    Reason,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    broadcast,
)
from trio_mud.testing import Pipe, PipeListener
from trio_mud.testing.simulation import DeterministicRun
from trio_mud.transports.proxy import ProxyListener
from trio_mud.transports.site import Site
from trio_mud.transports.streams import StreamListener
from trio_mud.transports.tcp import TcpTransport
from trio_mud.transports.tls import Certificate, TlsListener
from trio_mud.transports.websocket import WebListener
from trio_mud.web import SUBPROTOCOLS
from trio_mud.web.ports import HEALTH

from .transports.frames import BINARY, CLOSE, frame
from .transports.tls_peer import TlsPeer

SAMPLE = 15  # cuts of each scene, without --whole
LIMITS = Limits(
    max_per_address=None,
    accept_rate_per_address=None,
    handshake_timeout=3,
    write_stall_timeout=5,
    hook_timeout=3,
    quit_timeout=1,
    linger_timeout=0.5,
    shutdown_timeout=4,
    cleanup_timeout=2,
    grace=10,
    max_output=400,
)
AUTHORITY = trustme.CA()
PROXY = "198.51.100.1"
TYPES = (Connect, Admitted, Input, Disconnect, SessionStarted, LinkLost, SessionResumed, SessionEnded)


class Stage:
    """A server, its listener, and the events of its hooks.

    Attributes:
        steps: Of all tasks, from when the server was open until it had ended.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.events: list[HookEvent] = []
        self.buried: list[int] = []
        self.hooks = Hooks()
        for event_type in TYPES:
            self.hooks.on(event_type)(self._note)
        self.hooks.on(Input)(self._obey)
        self.hooks.on(Disconnect)(self._bury)
        self.server = MasterServer(self.hooks, limits=LIMITS)
        self.listener = PipeListener()
        self.secure = PipeListener()
        self.polled = SocketListener()
        self.web = SocketListener()
        self.audience: trio.Nursery | None = None

    def _note(self, event: Any) -> None:
        self.events.append(event)

    async def _obey(self, event: Input) -> None:
        guest = event.connection
        match event.line.split():
            case ["quit"]:
                guest.quit("Farewell. " * 20)
            case ["wait", seconds]:
                await trio.sleep(float(seconds))
                guest.write("waited")
            case ["enter", name]:
                guest.server.sessions.enter(name, guest)
            case ["shout", *words]:
                broadcast(" ".join(words) * 10, to=guest.server.connections)
            case _:
                guest.write(f"you said {event.line}")

    async def _bury(self, event: Disconnect) -> None:
        try:
            await trio.sleep(0.1)
        finally:  # when the server's time is over it is cut
            self.buried.append(event.connection.number)

    def call(self, *, capacity: int = 64, reads: bool = True) -> Pipe:
        """Connect a peer, which reads to the end or nothing at all."""
        pipe = Pipe(capacity=capacity, address=f"192.0.2.{capacity % 200}")
        with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.listener.connect(pipe)
        if reads:
            self.start(partial(_read, pipe))
        return pipe

    def start(self, act: Callable[[], Awaitable[object]]) -> None:
        assert self.audience is not None
        self.audience.start_soon(_unless_it_ends, act)

    def type(self, pipe: Pipe, *lines: str) -> None:
        self.start(partial(pipe.client.send_all, "".join(f"{line}\r\n" for line in lines).encode()))

    async def run(self, scene: Scene, cut_at: int | None, run: DeterministicRun) -> None:
        """Play it; the scope of the cut holds the server and nothing else."""
        async with trio.open_nursery() as self.audience:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    secure = ProxyListener(StreamListener(self.secure), [ipaddress.ip_network(PROXY)])
                    doors = [self.listener, TlsListener(secure, certificate()), TlsListener(self.polled, certificate())]
                    doors.append(WebListener(self.web, Site(SUBPROTOCOLS, {"/healthz": HEALTH}, limits=LIMITS)))
                    await nursery.start(self.server.serve, doors)
                    self.audience.start_soon(self._play, scene)
                    begun = run.steps.count
                    if cut_at is not None:
                        run.steps.cut_at, run.steps.cut = begun + cut_at, scope.cancel
            self.steps = run.steps.count - begun
            self.audience.cancel_scope.cancel()

    async def _play(self, scene: Scene) -> None:
        await scene(self)
        self.server.shutdown("Night falls.")

    def check(self) -> None:
        server, counters = self.server, self.server.counters
        connects = [event.connection for event in self.events if isinstance(event, Connect)]
        ends = [event for event in self.events if isinstance(event, Disconnect)]
        admitted = {event.connection for event in self.events if isinstance(event, Admitted)}
        assert Counter(connects) == Counter(event.connection for event in ends)  # I-1, I-2
        never_there = counters["handshakes failed"] + counters["health checks"] + counters["requests answered"]
        assert len(set(connects)) == len(connects) == counters["accepted"] - never_there
        assert all((event.reason is Reason.REFUSED) == (event.connection not in admitted) for event in ends)
        assert all(event.cause is event.connection.ending for event in ends)  # I-3
        for connection in connects:  # I-4
            kinds = [type(event) for event in self.events if getattr(event, "connection", None) is connection]
            assert kinds[0] is Connect
            assert kinds[-1] is Disconnect
        assert sorted(self.buried) == sorted(connection.number for connection in connects)
        entered = Counter(event.session for event in self.events if isinstance(event, SessionStarted))
        left = Counter(event.session for event in self.events if isinstance(event, SessionEnded))
        assert entered == left
        assert server.closed.is_set()  # I-18, I-19
        assert len(server.connections) == len(server.sessions) == len(server._context.timers) == 0  # I-15
        assert not server._tree.accepted
        assert not server._link_host.poller  # or it is empty


class SocketListener:
    """A listener for socket pairs, which the server's poller reads."""

    def __init__(self) -> None:
        self._connecting, self._waiting = trio.open_memory_channel[socket.socket](10)

    def connect(self) -> trio.SocketStream:
        """Connect a peer; once the listener is closed, its end is closed, too."""
        here, there = socket.socketpair()
        here.setblocking(False)
        try:
            self._connecting.send_nowait(here)
        except trio.BrokenResourceError:
            here.close()
        return trio.SocketStream(trio.socket.from_stdlib_socket(there))

    async def accept(self) -> TcpTransport:
        return TcpTransport(await self._waiting.receive())

    async def aclose(self) -> None:
        with suppress(trio.WouldBlock, trio.ClosedResourceError):
            while True:
                self._waiting.receive_nowait().close()
        self._waiting.close()
        await trio.lowlevel.checkpoint()


Scene = Callable[[Stage], Awaitable[None]]


@cache
def certificate() -> Certificate:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        AUTHORITY.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
        return Certificate(path)


@cache
def trust() -> ssl.SSLContext:
    """Return the context of a client that trusts the certificate."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


async def _read(pipe: Pipe) -> None:
    while await pipe.client.receive_some():
        pass
    await pipe.client.aclose()


async def _unless_it_ends(act: Callable[[], Awaitable[object]]) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await act()


# The scenes


async def a_conversation(stage: Stage) -> None:
    """A waiting connect hook, a refusal, dialogs, ticks, a waiting hook, a reset, a half-close and a quit."""

    async def login(dialog: Dialog) -> None:
        dialog.connection.write("Welcome, " + await dialog.ask("Name? "))

    @stage.hooks.on(Connect)
    async def keep_the_door(event: Connect) -> None:
        await trio.sleep(0.1)
        if event.connection.number == 3:
            event.connection.refuse("No.")

    @stage.hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.start_dialog(login)
        event.connection.every(0.3, lambda: event.connection.write("tick"))

    quitter, lost, _, half = [stage.call(capacity=capacity) for capacity in (9, 64, 65, 66)]
    await trio.sleep(0.2)
    stage.type(quitter, "ann", "hello")
    stage.type(lost, "bob", "wait 0.5", "look")
    stage.type(half, "cid", "look")
    await trio.sleep(0.6)
    lost.reset()
    stage.start(half.client.send_eof)
    stage.type(quitter, "quit", "never")
    await trio.sleep(1)


async def a_login_with_a_hidden_question(stage: Stage) -> None:
    async def login(dialog: Dialog) -> None:
        name = await dialog.ask("Name? ")
        await dialog.ask_hidden("Word? ")
        dialog.connection.server.sessions.enter(name, dialog.connection)

    stage.hooks.on(Admitted)(lambda event: event.connection.start_dialog(login, deadline=2))
    ann, bob = stage.call(), stage.call()
    stage.call()  # who never answers
    await trio.sleep(0.1)
    stage.type(ann, "ann", "sesame", "look")
    stage.type(bob, "bob")
    await trio.sleep(0.5)
    bob.reset()
    await trio.sleep(3)


async def a_refusal(stage: Stage) -> None:
    @stage.hooks.on(Connect)
    async def keep_the_door(event: Connect) -> None:
        await trio.sleep(0.1 * event.connection.number)
        if event.connection.number % 2:
            event.connection.refuse("No.")

    pipes = [stage.call(capacity=capacity) for capacity in (4, 64, 65, 66)]
    await trio.sleep(0.25)
    pipes[2].reset()
    await trio.sleep(1)


async def a_takeover(stage: Stage) -> None:
    first, second = stage.call(), stage.call()
    stage.type(first, "enter ann", "wait 0.3", "look", "look")
    await trio.sleep(0.1)
    stage.type(second, "enter ann", "look")
    await trio.sleep(1)


async def a_return_within_the_grace(stage: Stage) -> None:
    first = stage.call()
    stage.type(first, "enter ann")
    await trio.sleep(0.1)
    first.reset()
    await trio.sleep(0.5)
    for session in list(stage.server.sessions):
        session.write("You missed this.")
    second = stage.call()
    stage.type(second, "enter ann", "quit")
    await trio.sleep(1)


async def a_grace_that_runs_out(stage: Stage) -> None:
    first = stage.call()
    stage.type(first, "enter ann")
    await trio.sleep(0.1)
    for session in list(stage.server.sessions):
        session.every(3, lambda: None)
    first.reset()
    await trio.sleep(12)


async def a_flood(stage: Stage) -> None:
    flooder, other = stage.call(capacity=300), stage.call()
    stage.type(flooder, *["x"] * 200, "quit", *["x"] * 200)
    stage.type(other, "look", "wait 0.2", "look")
    await trio.sleep(3)


async def a_reader_too_slow(stage: Stage) -> None:
    slow, other = stage.call(capacity=8, reads=False), stage.call()
    stage.type(other, *["shout hello"] * 10)
    await trio.sleep(0.5)
    stage.start(partial(slow.client.receive_some, 50))
    await trio.sleep(7)


async def _talk_by_tls(pipe: Pipe, header: bytes = b"", lines: bytes = b"look\r\nquit\r\n") -> None:
    await pipe.client.send_all(header)
    player = trio.SSLStream(pipe.client, trust(), server_hostname="localhost")
    await player.do_handshake()
    if lines:
        await player.send_all(lines)
        while await player.receive_some():
            pass
    await player.aclose()


async def handshakes_of_tls(stage: Stage) -> None:
    pipes = [Pipe(capacity=capacity) for capacity in (300, 2000, 64)]
    for pipe in pipes:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            stage.secure.connect(pipe)
    stage.start(partial(_talk_by_tls, pipes[0]))
    stage.start(partial(_talk_by_tls, pipes[1]))
    stage.start(partial(pipes[2].client.send_all, b"\x16"))  # and nothing more
    await trio.sleep(4)


async def health_checks_of_a_proxy(stage: Stage) -> None:
    pipes = [Pipe(capacity=2000, address=PROXY) for _ in range(3)]
    for pipe in pipes:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            stage.secure.connect(pipe)
    header = b"PROXY UNKNOWN\r\n"
    stage.start(partial(_talk_by_tls, pipes[0], header, b""))  # a health check
    stage.start(partial(_talk_by_tls, pipes[1], header))  # a player after all
    stage.start(partial(pipes[2].client.send_all, header))  # and nothing more
    await trio.sleep(4)


async def endings_of_tls_in_a_poller(stage: Stage) -> None:
    """A quit behind much that was typed, a half-close, a cut, a violation, a slow reader, and one that stays."""

    async def play(lines: bytes, end: Callable[[TlsPeer], Awaitable[object]], *, reads_after: float = 0) -> None:
        async with TlsPeer(stage.polled.connect(), trust()) as player:
            await player.do_handshake()
            await player.send_all(lines)
            await trio.sleep(reads_after)
            await end(player)

    async def read_on(player: TlsPeer) -> None:
        while await player.receive_some():
            pass

    async def end_and_read_on(player: TlsPeer) -> None:
        await player.send_eof()
        await read_on(player)

    async def send_junk(player: TlsPeer) -> None:
        await player.below.send_all(b"look\r\n")
        await read_on(player)

    flood = (b"x" * 300 + b"\r\n") * 15  # one record, more than a read
    for lines, end, delay in (
        (flood + b"quit\r\n", read_on, 0),
        (b"wait 0.3\r\nlook\r\n", end_and_read_on, 0),
        (flood, TlsPeer.aclose, 0.2),
        (b"wait 0.3\r\nlook\r\n", send_junk, 0.1),
        (b"shout hello\r\n" * 10, read_on, 3),
        (b"look\r\n", read_on, 0),
    ):
        stage.start(partial(play, lines, end, reads_after=delay))
    await trio.sleep(4)


async def endings_of_websocket_in_a_poller(stage: Stage) -> None:
    """A quit, a close amid output, a violation, a page, a refusal, a head without an end, a slow reader."""

    async def play(sent: bytes, reads_after: float = 0) -> None:
        async with stage.web.connect() as player:
            await player.send_all(sent)
            await trio.sleep(reads_after)
            while await player.receive_some():
                pass

    get = b"GET /healthz HTTP/1.1\r\nHost: mud.example\r\n"
    upgrade = get + (
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: gmcp.mudstandards.org\r\n\r\n"
    )
    for sent, delay in (
        (upgrade + frame(BINARY, b"look\nquit\n"), 0),
        (upgrade + frame(BINARY, b"wait 0.3") + frame(BINARY, b"look") + frame(CLOSE), 0.1),
        (upgrade + frame(BINARY, b"wait 0.3") + b"\xff\xff", 0),
        (get + b"\r\n", 0.1),
        (b"POST / HTTP/1.1\r\n", 0),
        (get, 0),
        (upgrade + frame(BINARY, b"shout hello\n" * 10), 3),
    ):
        stage.start(partial(play, sent, delay))
    await trio.sleep(4)


async def a_half_close(stage: Stage) -> None:
    early, late = stage.call(), stage.call()
    stage.type(early, "look", "wait 0.3", "look")
    stage.type(late, "wait 2", "look")
    await trio.sleep(0.1)
    stage.start(early.client.send_eof)
    stage.start(late.client.send_eof)
    await trio.sleep(2)


async def a_shutdown_with_a_hanging_hook(stage: Stage) -> None:
    hanging, other = stage.call(), stage.call()
    stage.type(hanging, "enter ann", "wait 100", "look")
    stage.type(other, "look")
    await trio.sleep(0.3)
    stage.server.shutdown("Now.", within=1)
    await trio.sleep(6)


async def timers_and_work(stage: Stage) -> None:
    @stage.hooks.on(Admitted)
    def begin(event: Admitted) -> None:
        guest = event.connection
        guest.every(0.2, lambda: guest.write("tick"))
        guest.after(0.3, partial(trio.sleep, 0.3))
        guest.start_soon(partial(trio.sleep, 0.7))
        guest.start_soon(trio.sleep_forever)

    stage.server.every(0.25, partial(trio.sleep, 0.1))
    stage.server.daily(dt.time(12), lambda: None)
    first, second = stage.call(), stage.call()
    await trio.sleep(0.5)
    first.reset()
    stage.type(second, "quit")
    await trio.sleep(1)


async def a_quit_while_much_is_written(stage: Stage) -> None:
    slow, stuck = stage.call(capacity=4), stage.call(capacity=4, reads=False)
    stage.type(slow, "look", "quit", "never")
    stage.type(stuck, "look", "quit")
    await trio.sleep(2)


async def a_broadcast_to_many(stage: Stage) -> None:
    crowd = [stage.call(capacity=20 + number) for number in range(12)]
    await trio.sleep(0.1)
    for number, pipe in enumerate(crowd):
        stage.type(pipe, "shout hello", "quit" if number % 3 else "look")
    crowd[0].reset()
    await trio.sleep(1)


SCENES: Final[list[Scene]] = [
    a_conversation,
    a_login_with_a_hidden_question,
    a_refusal,
    a_takeover,
    a_return_within_the_grace,
    a_grace_that_runs_out,
    a_flood,
    a_reader_too_slow,
    handshakes_of_tls,
    health_checks_of_a_proxy,
    endings_of_tls_in_a_poller,
    endings_of_websocket_in_a_poller,
    a_half_close,
    a_shutdown_with_a_hanging_hook,
    timers_and_work,
    a_quit_while_much_is_written,
    a_broadcast_to_many,
]


def play(scene: Scene, step: int | None, seed: int = 1) -> Stage:
    """Play a scene by the schedule of a seed, cut at this step, and check."""
    run = DeterministicRun(seed)
    stage = Stage()

    async def main() -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        await stage.run(scene, step, run)
        assert trio.lowlevel.current_statistics().tasks_living == before  # I-14

    run(main)
    stage.check()
    return stage


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_scene_goes_to_its_end_when_nobody_cuts_it(scene: Scene) -> None:
    stage = play(scene, None)
    assert stage.steps > 50
    assert not stage.server._aborting.is_set() or scene is a_shutdown_with_a_hanging_hook


def test_a_conversation_ends_for_each_as_it_should_when_nobody_cuts_it() -> None:
    stage = play(a_conversation, None)
    endings = {event.connection.number: event.reason for event in stage.events if isinstance(event, Disconnect)}
    assert endings == {1: Reason.QUIT, 2: Reason.LINKDEATH, 3: Reason.REFUSED, 4: Reason.LINKDEATH}


def test_the_endings_of_websocket_in_a_poller_are_each_as_they_should_be_when_nobody_cuts_them() -> None:
    stage = play(endings_of_websocket_in_a_poller, None)
    endings = Counter(event.cause for event in stage.events if isinstance(event, Disconnect))
    assert endings == {Cause.ASKED: 1, Cause.EOF: 1, Cause.PROTOCOL: 1, Cause.SHUTDOWN: 1}
    counters = stage.server.counters
    assert (counters["requests answered"], counters["handshakes failed"]) == (1, 2)


def test_the_endings_of_tls_in_a_poller_are_each_as_they_should_be_when_nobody_cuts_them() -> None:
    stage = play(endings_of_tls_in_a_poller, None)
    endings = Counter(event.cause for event in stage.events if isinstance(event, Disconnect))
    assert endings == {Cause.ASKED: 1, Cause.EOF: 1, Cause.RESET: 2, Cause.SHUTDOWN: 2}


@pytest.mark.unmeasured
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_scene_cut_at_any_step_loses_nothing(scene: Scene, request: pytest.FixtureRequest) -> None:
    """One disconnect a connect, one `SessionEnded` a `SessionStarted`, an empty list, and no task left."""
    seed = dt.date.today().toordinal()
    steps = play(scene, None, seed).steps
    every = 1 if request.config.getoption("--whole") else max(1, steps // SAMPLE)
    for step in range(1 + seed % every, steps + 1, every):
        try:
            play(scene, step, seed)
        except BaseException as error:
            error.add_note(f"{scene.__name__} was cut at step {step} of seed {seed}")
            raise
