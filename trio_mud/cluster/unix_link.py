"""The cluster link over a Unix socket: one gateway and the worlds of the same machine.

Theory of operation
-------------------
The gateway listens, and it decides which world serves, so it holds the epoch. A world asks for its turn. It is granted
if no other world serves; a spare world waits for it. The turn ends when the world gives it up, when its connection
ends, or when it has been silent for the lease while another world waits. Then the gateway waits until the process of
that world has ended, so that its database and its ports are free, and grants the turn to the world that has waited
longest, with a greater epoch. The new world of a hand-over goes before those that wait: if it fails to start, the
world after it, with the previous code, has all players. A process that does not end while another world waits is
killed: it could wake up later.

A commit counts once the gateway has read it whole from the world whose turn it is, so nothing of another one is
delivered. What it leaves to be held is held by the gateway. A world whose connection has ended comes back with its
epoch, and is fenced if another world has served since. A gateway that has just started has no links and holds nothing.
It gives the world of its predecessor some time to come back, before it grants a turn to a spare; to that world the
cluster link has lost its data.

The socket is for processes of this user only.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import trio

from ..driver.core.guard import unwrap_single
from .ends import Commit, Fenced, Forgotten, HeldState, LinkUnavailable
from .frames import VERSION, encode_up
from .unix_channel import (
    FROM_GATEWAY,
    FROM_WORLD,
    MAX_MESSAGE,
    MAX_REQUEST,
    BadPeer,
    CommitSent,
    CommitTaken,
    FramesSent,
    FromGateway,
    FromWorld,
    GatewayGreeting,
    MessageStream,
    PeerProgram,
    StillAlive,
    TurnGranted,
    TurnOver,
    TurnRefused,
    TurnWanted,
    check_own,
)

logger = logging.getLogger("trio_mud")

PULSE: Final = 0.25  # seconds between two signs of life of a world
LOADING: Final = 60.0  # seconds from the grant to the first sign of life: the world opens its database
LEASE: Final = 3.0  # seconds without one until a waiting world takes over
CHECKS: Final = 4  # of the signs of life, in each lease
GREETING_TIMEOUT: Final = 5.0  # seconds for a peer's first message
RETURN_TIMEOUT: Final = 1.0  # seconds that a new gateway waits for the world of its predecessor
END_TIMEOUT: Final = 2.0  # seconds that the process of an earlier world has to end if another world waits
BAD_PAUSE: Final = 0.5  # seconds to the next attempt after a message that is none; less than `END_TIMEOUT`
RETRY: Final = 0.03  # seconds between two attempts to reach a gateway


class _JoinedWorld:
    """A world that is connected to the gateway."""

    __slots__ = ("channel", "peer")

    def __init__(self, channel: MessageStream[FromWorld], peer: PeerProgram | None) -> None:
        self.channel = channel
        self.peer = peer


class UnixGatewayEnd:
    """The gateway's end; see `GatewayEnd`.

    Args:
        listener: Accepts the worlds; closed at the end of `run`.
        name: The name of the gateway.
        incarnation: Greater each time the gateway starts.
        lease: Seconds without a sign of life of the world until a waiting one takes over.
        wall_clock: Returns the time in seconds since 1970; an epoch is at least that in milliseconds, so that it is
            greater than those of an earlier gateway.

    Attributes:
        epoch: That of the last world whose turn it was; 0 before the first.
    """

    def __init__(
        self,
        listener: trio.abc.Listener[trio.abc.Stream],
        name: str,
        *,
        incarnation: int,
        lease: float = LEASE,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._listener = listener
        self._name = name
        self._incarnation = incarnation
        self._lease = lease
        self._wall_clock = wall_clock
        self._world: _JoinedWorld | None = None
        self._waiting: list[_JoinedWorld] = []
        self._former = trio.CancelScope()  # of the wait for the end of the former world
        self._is_vacant = False  # no world serves, and a waiting one may
        self._committed = 0  # by the last world
        self._held = HeldState()
        self._receive: Callable[[bytes], object] = lambda frame: None
        self._nursery: trio.Nursery | None = None
        self.epoch = 0

    @property
    def has_world(self) -> bool:
        """True if a world has its turn."""
        return self._world is not None

    @property
    def spares(self) -> int:
        """The number of worlds that wait for their turn."""
        return len(self._waiting)

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send frames to the world whose turn it is; without one they are lost, and its roll replaces them."""
        if self._world is None:
            await trio.lowlevel.checkpoint()
            return
        await _send_to(self._world.channel, FramesSent(list(frames)))

    async def run(self, receive: Callable[[bytes], object]) -> None:
        """Serve worlds, and deliver their commits."""
        self._receive = receive
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._watch)
            self._nursery.start_soon(self._vacate, None, self._former)
            await trio.serve_listeners(self._serve, [self._listener], handler_nursery=self._nursery)

    # One world

    async def _serve(self, stream: trio.abc.Stream) -> None:
        channel = MessageStream(stream, FROM_WORLD, largest=MAX_REQUEST)
        world = _JoinedWorld(channel, PeerProgram.of(stream))
        try:
            check_own(stream)
            await _send_to(channel, GatewayGreeting(VERSION, self._name, self._incarnation))
            wanted = None
            with trio.move_on_after(GREETING_TIMEOUT):
                wanted = await channel.receive()
            if isinstance(wanted, TurnWanted):
                await self._answer(world, wanted)
                await self._listen_to(world)
        except BadPeer as error:
            logger.error("a peer of the cluster link is refused: %s", error)  # noqa: TRY400 - not a bug
        finally:
            self._leave(world)
            await channel.aclose()

    async def _answer(self, world: _JoinedWorld, wanted: TurnWanted) -> None:
        """Grant the turn, or let the world wait for it, or refuse it."""
        if abs(wanted.version - VERSION) > 1:
            logger.error("a world of version %d is refused: this gateway has version %d", wanted.version, VERSION)
            await _send_to(world.channel, TurnRefused("version"))
        elif wanted.epoch:
            if wanted.epoch < self.epoch:
                await _send_to(world.channel, TurnRefused("fenced"))
                return
            if self._world is not None:  # its earlier connection, whose end was not noticed yet
                earlier, self._world = self._world, None
                await earlier.channel.aclose()
            self._grant(world, wanted.epoch if wanted.epoch == self.epoch else self._next_epoch(wanted.epoch))
        elif not wanted.waits and (self._world is not None or self._waiting):
            await _send_to(world.channel, TurnRefused("busy"))
        else:
            self._waiting.insert(0 if wanted.goes_first else len(self._waiting), world)
            if not wanted.waits and not self.epoch:  # the first one of all; no predecessor could come back
                self._former.cancel()
                self._is_vacant = True
            self._grant_next()

    async def _listen_to(self, world: _JoinedWorld) -> None:
        while (message := await world.channel.receive()) is not None:
            match message:
                case CommitSent(number, frames, held):
                    if world is not self._world:
                        return  # its turn is over, and it reads that when it comes back
                    if number > self._committed:
                        self._committed = number
                        self._held.apply(Commit(number, {}, held))
                        for frame in frames:
                            self._receive(frame)
                    await _send_to(world.channel, CommitTaken(number))
                case TurnOver() if world is self._world:
                    self._end_turn(world)
                case TurnWanted():
                    raise BadPeer("a world asked twice for its turn")

    def _leave(self, world: _JoinedWorld) -> None:
        """Forget a world whose connection has ended."""
        if world in self._waiting:
            self._waiting.remove(world)
        if world is self._world:
            self._end_turn(world)
        if world.peer is not None:
            world.peer.close()
            world.peer = None

    # Turns

    def _end_turn(self, world: _JoinedWorld) -> None:
        assert self._nursery is not None, "it runs"
        self._world = None
        peer, world.peer = world.peer, None
        self._former = trio.CancelScope()
        self._nursery.start_soon(self._vacate, peer, self._former)

    async def _vacate(self, peer: PeerProgram | None, scope: trio.CancelScope) -> None:
        """Wait for the end of the former world, unless it comes back, and then let the next one serve."""
        try:
            with scope:
                if not self.epoch:
                    await trio.sleep(RETURN_TIMEOUT)
                elif peer is not None:
                    await _end(peer, lambda: bool(self._waiting))
        finally:
            if peer is not None:
                peer.close()
        if not scope.cancelled_caught:
            self._is_vacant = True
            self._grant_next()

    def _grant_next(self) -> None:
        if self._is_vacant and self._waiting:
            self._grant(self._waiting.pop(0), self._next_epoch(self.epoch))

    def _next_epoch(self, epoch: int) -> int:
        return max(epoch + 1, int(self._wall_clock() * 1000))

    def _grant(self, world: _JoinedWorld, epoch: int) -> None:
        assert self._nursery is not None, "it runs"
        self._former.cancel()
        self._is_vacant = False
        if epoch != self.epoch:
            self._committed = 0
        self.epoch, self._world = epoch, world
        world.channel.largest = MAX_MESSAGE
        world.channel.silent_for = -int(LOADING / self._lease * CHECKS)  # checks, until its first sign of life
        self._nursery.start_soon(_send_to, world.channel, TurnGranted(epoch, self._held.all()))

    async def _watch(self) -> None:
        """End the turn of a world that has been silent for the lease, if another one waits."""
        while True:
            await trio.sleep(self._lease / CHECKS)
            if (world := self._world) is None:
                continue
            # Counted, and not measured: if this process itself was stopped, that is one check.
            world.channel.silent_for += 1
            if world.channel.silent_for > CHECKS and self._waiting:
                logger.error("the world has been silent for %g s: another one takes over", self._lease)
                if world.peer is not None:
                    world.peer.kill()
                await world.channel.aclose()


class UnixWorldEnd:
    """The world's end; see `WorldEnd`.

    Args:
        connect: Returns a new stream to the gateway, or raises OSError.
        place: The path of the socket, for error texts.
        waits: True to wait in `claim` as long as another world serves.
        awaits_gateway: True to wait in `claim` until a gateway answers.
        goes_first: True to serve before the worlds that wait already.
        asked: Called when the gateway was asked for the turn, which this world has as soon as it is free.

    Attributes:
        epoch: The epoch of the turn; 0 before.
        heartbeat: As in `WorldEnd`.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[trio.abc.Stream]],
        place: str,
        *,
        waits: bool = False,
        awaits_gateway: bool = False,
        goes_first: bool = False,
        asked: Callable[[], object] = lambda: None,
    ) -> None:
        self._connect = connect
        self._asked = asked
        self._place = place
        self._wanted = TurnWanted(VERSION, 0, waits, goes_first)
        self._awaits_gateway = awaits_gateway
        self._channel: MessageStream[FromGateway] | None = None
        self._gateway = ""
        self._incarnation = 0
        self._under_way: CommitSent | None = None
        self._answered = trio.Event()  # the commit under way was taken, or will never be
        self._is_fenced = False
        self._has_forgotten = False  # the gateway is another one
        self.epoch = 0
        self.heartbeat = math.inf  # `run` gives signs of life

    async def claim(self) -> Mapping[bytes, bytes]:
        """Become the world, with a new epoch; return what the gateway holds.

        After `Forgotten`, `run` has claimed at the next gateway already.

        Raises:
            LinkUnavailable: No gateway answers, another world serves, or the versions do not fit.
        """
        if self.epoch:
            await trio.lowlevel.checkpoint()
            self._has_forgotten = False
            return {}
        reach = self._reach_again if self._awaits_gateway else self._reach
        channel = await reach(self._wanted)
        self._asked()
        while True:
            answer = await _answer_on(channel)
            if isinstance(answer, TurnGranted):
                self.epoch, self._channel = answer.epoch, channel
                return answer.held
            await channel.aclose()
            if isinstance(answer, TurnRefused):
                raise self._refusal(answer)
            # The gateway has ended, and comes back.
            channel = await self._reach_again(self._wanted)

    async def gateways(self) -> Sequence[str]:
        """Return the name of the gateway."""
        await trio.lowlevel.checkpoint()
        return [] if self._channel is None else [self._gateway]

    async def run(self, receive: Callable[[Sequence[bytes]], object], lost: Callable[[str], object]) -> None:
        """Deliver the gateway's frames. When the gateway ends, its links are lost; then the next one is awaited.

        Raises:
            Fenced: Another world has served meanwhile.
            LinkUnavailable: The version of the next gateway does not fit.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pulse)
                while True:
                    await self._serve_one(receive, lost)
        except BaseExceptionGroup as group:
            raise unwrap_single(group) from None

    async def _serve_one(self, receive: Callable[[Sequence[bytes]], object], lost: Callable[[str], object]) -> None:
        """Deliver the frames of one gateway, up to its end, and join the next one."""
        if self._channel is not None:
            channel, is_bad = self._channel, False
            try:
                await self._listen_to(channel, receive)
            except BadPeer as error:
                is_bad = True
                _log_bad(error)
            await channel.aclose()
            self._channel = None
            if is_bad:
                await trio.sleep(BAD_PAUSE)
        gateway, incarnation = self._gateway, self._incarnation
        channel = await self._return()
        if self._incarnation != incarnation:  # its links have ended with it
            self._has_forgotten = True
            self._settle()
        elif self._under_way is not None:
            await _send_to(channel, self._under_way)
        lost(gateway)
        self._channel = channel
        # Its next frame could come late, and it has to be asked for its roll.
        receive(encode_up(self._gateway, self._incarnation, 0, 0, []))

    async def commit(self, commit: Commit) -> None:
        """Deliver a commit; return once the gateway has it.

        Raises:
            Fenced: Another world has served meanwhile, and nothing was delivered.
            Forgotten: The gateway has ended, and `run` has joined the next one.
        """
        if self._is_fenced or self._has_forgotten:
            await trio.lowlevel.checkpoint()
        else:
            frames = list(commit.frames.get(self._gateway, ()))
            self._under_way = CommitSent(commit.number, frames, dict(commit.held))
            self._answered = trio.Event()
            if self._channel is not None:
                await _send_to(self._channel, self._under_way)
            await self._answered.wait()
        if self._is_fenced:
            raise Fenced
        if self._has_forgotten:
            raise Forgotten

    async def release(self) -> None:
        """Let another world claim as soon as this process has ended."""
        if self._channel is not None:
            await _send_to(self._channel, TurnOver())
            await self._channel.aclose()
            self._channel = None

    async def _listen_to(
        self, channel: MessageStream[FromGateway], receive: Callable[[Sequence[bytes]], object]
    ) -> None:
        while (message := await channel.receive()) is not None:
            match message:
                case FramesSent(frames):
                    receive(frames)
                case CommitTaken(number) if self._under_way is not None and number == self._under_way.number:
                    self._settle()

    def _settle(self) -> None:
        self._under_way = None
        self._answered.set()

    async def _pulse(self) -> None:
        while True:
            await trio.sleep(PULSE)
            if self._channel is not None:
                await _send_to(self._channel, StillAlive())

    # Reaching the gateway

    async def _reach(self, wanted: TurnWanted) -> MessageStream[FromGateway]:
        """Connect, and ask for the turn.

        Raises:
            LinkUnavailable: No gateway answers, or its version does not fit.
        """
        try:
            stream = await self._connect()
        except OSError as error:
            reason = error.strerror or error
            raise LinkUnavailable(
                f"no gateway answers at {self._place}: {reason}; start it by trio-mud gateway"
            ) from error
        channel = MessageStream(stream, FROM_GATEWAY)
        try:
            check_own(stream)
            greeting = None
            with trio.move_on_after(GREETING_TIMEOUT):
                greeting = await channel.receive()
            self._gateway, self._incarnation = self._checked(greeting)
            await _send_to(channel, wanted)
        except BaseException as error:
            await channel.aclose()
            if isinstance(error, BadPeer):
                raise LinkUnavailable(f"{self._place}: {error}", LinkUnavailable.NEEDS_CHANGE) from error
            raise
        return channel

    def _checked(self, greeting: FromGateway | None) -> tuple[str, int]:
        """Return the name and incarnation of a gateway that speaks a version of ours."""
        if not isinstance(greeting, GatewayGreeting):
            raise LinkUnavailable(f"the gateway at {self._place} does not answer: end its process")
        if abs(greeting.version - VERSION) > 1:
            raise LinkUnavailable(
                f"the gateway at {self._place} speaks version {greeting.version}, and this world {VERSION}: "
                "update the older one",
                LinkUnavailable.NEEDS_CHANGE,
            )
        return greeting.gateway, greeting.incarnation

    async def _reach_again(self, wanted: TurnWanted) -> MessageStream[FromGateway]:
        """Connect to the next gateway, whenever it comes."""
        while True:
            try:
                return await self._reach(wanted)
            except LinkUnavailable as error:
                if error.status != LinkUnavailable.MAY_WORK_LATER:
                    raise
                await trio.sleep(RETRY)

    async def _return(self) -> MessageStream[FromGateway]:
        """Go on with the same epoch at the next gateway."""
        while True:
            channel = await self._reach_again(TurnWanted(VERSION, self.epoch, False))
            answer = await _answer_on(channel)
            if isinstance(answer, TurnGranted):
                self.epoch = answer.epoch
                return channel
            await channel.aclose()
            if isinstance(answer, TurnRefused):
                if answer.why != "fenced":
                    raise self._refusal(answer)
                self._is_fenced = True
                self._settle()
                raise Fenced

    def _refusal(self, answer: TurnRefused) -> LinkUnavailable:
        if answer.why == "version":
            return LinkUnavailable(
                f"the gateway at {self._place} has refused version {VERSION}: update the older one",
                LinkUnavailable.NEEDS_CHANGE,
            )
        return LinkUnavailable(f"another world serves at {self._place}: stop it, or start this one with --standby")


async def _send_to(
    channel: MessageStream[FromGateway] | MessageStream[FromWorld], message: FromGateway | FromWorld
) -> None:
    """Send a message; if the connection has ended, the task that receives notices it."""
    try:
        await channel.send(message)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        await trio.lowlevel.checkpoint()


async def _answer_on(channel: MessageStream[FromGateway]) -> FromGateway | None:
    """Return the gateway's answer to `TurnWanted`; None if the connection has ended before it.

    Frames that overtake it are for the world before.
    """
    try:
        while isinstance(answer := await channel.receive(), FramesSent):
            pass
    except BadPeer as error:
        _log_bad(error)
        await channel.aclose()
        await trio.sleep(BAD_PAUSE)
        return None
    return answer


def _log_bad(error: BadPeer) -> None:
    logger.error("the connection to the gateway is ended, and tried again: %s", error)


async def _end(peer: PeerProgram, is_in_the_way: Callable[[], bool]) -> None:
    """Wait until a process has ended; kill it if it takes too long while it is in the way of another one.

    A world that shuts down has no successor. On a busy machine it may take seconds to end, and nobody waits for that.
    """
    while True:
        with trio.move_on_after(END_TIMEOUT):
            await peer.wait()
            return
        if is_in_the_way():
            break
    logger.error("process %d, the world before, does not end: it is killed", peer.number)
    peer.kill()
    await peer.wait()
