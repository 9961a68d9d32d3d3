"""The cluster link over Redis or Valkey Streams: gateways and worlds on any number of machines.

Theory of operation
-------------------
Each gateway writes a stream of its own and reads another one, so the access rules of the server keep gateways apart:
none can read what is for another, and none can write as another. The world reads the streams of all gateways, and
writes by one script, the commit. It is refused unless the epoch is that of the last claim (the fence), so a world
that was paused or doubled changes nothing. The commit also renews the lease, on whose expiry a waiting world claims.

Everything that the server holds is either in a process too or held by the commit for the next world:

- Input is kept by its gateway until it is acknowledged. A stream that has lost entries shows a gap in their numbers,
  and a server that has lost its data has no epoch. Both make the next commit raise `Forgotten`; then the world claims
  again, and the rolls of the gateways repair the rest.
- The frames of commits are numbered for each gateway, and kept by the world until the gateway confirms them
  (`redis_delivery`). What is lost is written again, also that of a commit whose reply is lost with the data.
- A gateway that finds that it was forgotten sends its first frame again, so that a world asks for its roll.

Trimming bounds the streams: the commit trims the input to what was read, and each gateway trims its output. A gateway
waits before it sends more while much of its input is unread.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import trio

from .ends import Commit, Fenced, Forgotten, LinkUnavailable
from .frames import sender_of
from .redis_access import ATTEMPT, RedisAccess, check_key_name, refusals
from .redis_client import Outages, RedisCommands, RedisTask
from .redis_delivery import Arrivals, Deliveries, Sign
from .redis_scripts import CLAIM, COMMIT, FENCED, FORGOTTEN, GIVE_UP, HELD_BY_ANOTHER, NOT_FOUNDED, RELEASE, SEEN, Keys

if TYPE_CHECKING:
    from coredis import Redis
    from coredis.response.types import StreamEntry
    from coredis.tokens import PureToken

logger = logging.getLogger("trio_mud")

T = TypeVar("T")

LEASE: Final = 1.5  # seconds without a commit after which another world may claim
ALIVE: Final = 3.0  # seconds without a sign of a gateway after which its connections are given up
LOOK: Final = 0.25  # seconds between two looks for gateways, and the longest wait of a world's read
POLL: Final = 0.05  # seconds between two attempts to claim
WAITING: Final = 2.0  # seconds that the sign of a standby lasts
SIGN_EVERY: Final = 10  # attempts to claim
MOST_READ: Final = 100  # entries of a stream in one read
MOST_ENTRIES: Final = 100_000  # of a gateway's input: a guard, since the gateway waits before
MOST_UNREAD: Final = 64 * 1024 * 1024  # bytes of a gateway's input; past it, the gateway sends nothing


class RedisGatewayEnd:
    """The gateway's end; see `GatewayEnd`.

    Args:
        access: The way to the server.
        world: The name of the world.
        name: The name of the gateway, which no other gateway of this world has.
        alive: Seconds after which the world gives the gateway up if it has no sign of it.
    """

    has_world: bool | None = None  # the access rules of a gateway do not include the lease
    spares: int | None = None

    def __init__(self, access: RedisAccess, world: str, name: str, *, alive: float = ALIVE) -> None:
        self.access = access
        self._alive = alive
        self._name = check_key_name(name, "the name of the gateway")
        self._keys = Keys(check_key_name(world, "the name of the world"))
        self._outages = Outages(access)
        self._commands = RedisCommands(access, self._outages)
        self._is_open = trio.Event()  # the output for an earlier process of this name is dropped
        self._last: str | bytes = "0-0"
        self._number = 0
        self._first: bytes | None = None
        self._is_behind = False
        self._process = secrets.token_hex(8).encode()
        self._beat = 0
        self._has_signed = False  # with whatever client
        self._arrivals = Arrivals()
        self._has_missed = trio.Event()

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send frames; wait while the world is too far behind."""
        await self._is_open.wait()
        for frame in frames:
            while self._is_behind:
                await trio.sleep(2 * POLL)
                await self._commands.insist(self._measure)
            self._first = self._first or frame
            await self._add(frame)

    async def run(self, receive: Callable[[bytes], object]) -> None:
        """Deliver the world's frames."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commands.run)
            await self._commands.insist(lambda client: client.xtrim(self._output, _maxlen(), 0))
            nursery.start_soon(RedisTask(self.access, self._outages).keep, self._be_alive)
            self._is_open.set()
            reader = RedisTask(self.access, self._outages)
            await reader.keep(lambda client: self._read(reader, client, receive))

    @property
    def _output(self) -> str:
        return self._keys.output_for(self._name)

    async def _read(self, task: RedisTask, client: Redis[bytes], receive: Callable[[bytes], object]) -> None:
        while True:
            read = await task.call(
                lambda: client.xread({self._output: self._last}, count=MOST_READ, block=1000), 1 + ATTEMPT
            )
            for entries in (read or {}).values():
                for entry in entries:
                    self._last = entry.identifier
                    writer, number = entry.field_values.get(b"w", b""), entry.field_values.get(b"s")
                    missed = self._arrivals.misses
                    if self._arrivals.take(_bytes(writer), _number(number)):
                        receive(_bytes(entry.field_values.get(b"m", b"")))
                    elif self._arrivals.misses and not missed:
                        self._has_missed.set()

    async def _add(self, frame: bytes) -> None:
        self._number += 1
        fields: dict[str, str | bytes | int] = {"n": self._number, "m": frame}
        await self._commands.insist(
            lambda client: client.xadd(
                self._keys.input_of(self._name),
                fields,
                trim_strategy=_maxlen(),
                threshold=MOST_ENTRIES,
                trim_operator=_about(),
            )
        )

    async def _be_alive(self, client: Redis[bytes]) -> None:
        """Renew the sign of this gateway, and trim its output."""
        task = RedisTask(self.access, self._outages)
        while True:
            self._has_missed = trio.Event()
            try:
                known = await task.call(
                    lambda: client.set(self._keys.alive(self._name), self._sign(), px=int(self._alive * 1000), get=True)
                )
            except refusals():  # it may have reached `maxmemory`, and this stream may be what has filled it
                await self._trim(task, client)
                raise
            await task.call(lambda: client.sadd(self._keys.gateways, [self._name]))
            if self._has_signed and known is None:
                self._last = "0-0"  # the clock of the server that has taken its place may be behind
            was_forgotten = self._has_signed and self._last == "0-0"  # or no world has ever answered
            if was_forgotten and self._first is not None:
                await self._add(self._first)
            self._has_signed = True
            await self._trim(task, client)
            await task.call(lambda: self._measure(client))
            with trio.move_on_after(self._alive / 3):
                await self._has_missed.wait()

    async def _trim(self, task: RedisTask, client: Redis[bytes]) -> None:
        """Remove from the output what was read."""
        if self._last != "0-0":
            await task.call(lambda: client.xtrim(self._output, _minid(), self._last))  # type: ignore[arg-type]  # an id

    def _sign(self) -> bytes:
        """Return the sign of life, which confirms what has arrived."""
        self._beat += 1
        arrivals = self._arrivals
        return Sign(self._process, self._beat, arrivals.writer, arrivals.number, arrivals.misses).encode()

    async def _measure(self, client: Redis[bytes]) -> None:
        size = await client.memory_usage(self._keys.input_of(self._name))
        self._is_behind = size is not None and size > MOST_UNREAD


class _Input:
    """The place in a gateway's stream."""

    __slots__ = ("last", "number", "trimmed")

    def __init__(self) -> None:
        self.last: str | bytes = "0-0"
        self.trimmed: str | bytes = "0-0"
        self.number = 0


class RedisWorldEnd:
    """The world's end; see `WorldEnd`.

    Args:
        access: The way to the server.
        world: The name of the world.
        lease: Seconds without a commit after which another world may claim.
        alive: Seconds after which a gateway without a sign is given up; as the gateways have it.
        waits: True to wait in `claim` as long as another world holds the lease.

    Attributes:
        epoch: The epoch of the claim; 0 before.
        heartbeat: Seconds after which the world commits even if it has nothing to say.
        hand_over_wanted: Set when `redis_handover` asks this world to hand over.
    """

    def __init__(
        self, access: RedisAccess, world: str, *, lease: float = LEASE, alive: float = ALIVE, waits: bool = True
    ) -> None:
        self.access = access
        self.epoch = 0
        self.heartbeat = lease / 4
        self._lease = lease
        self._waits = waits
        self._alive = alive
        self._keys = Keys(check_key_name(world, "the name of the world"))
        self._holder = secrets.token_hex(8)
        self._outages = Outages(access)
        self._commands = RedisCommands(access, self._outages)
        self._takes_over = trio.Event()
        self.hand_over_wanted = trio.Event()
        self._inputs: dict[str, _Input] = {}
        self._has_gap = False
        self._is_running = False
        self._deliveries: dict[str, Deliveries] = {}

    def take_over(self) -> None:
        """Let `claim` not wait for the world that serves, which is fenced by it."""
        self._takes_over.set()

    async def claim(self) -> Mapping[bytes, bytes]:
        """Become the world as soon as no other one holds the lease, or at once after `take_over`.

        Raises:
            LinkUnavailable: Another world holds the lease, and this one does not wait.
        """
        task = RedisTask(self.access, self._outages)
        held = await task.keep(lambda client: self._claim(task, client))
        if held == FENCED:  # not raised within: the client would put it into groups
            raise Fenced
        if isinstance(held, int):
            raise LinkUnavailable(
                f"another world serves at {self.access}, or ended less than {self._lease:g} s ago: "
                "end it, or wait for it with --standby"
            )
        return held

    async def gateways(self) -> Sequence[str]:
        """Return the names of the gateways that were alive at the claim, or are since."""
        await trio.lowlevel.checkpoint()
        return sorted(self._inputs)

    async def run(self, receive: Callable[[Sequence[bytes]], object], lost: Callable[[str], object]) -> None:
        """Deliver the gateways' frames."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commands.run)
            self._is_running = True
            watcher = RedisTask(self.access, self._outages)
            nursery.start_soon(watcher.keep, lambda client: self._watch(watcher, client, lost))
            reader = RedisTask(self.access, self._outages)
            try:
                await reader.keep(lambda client: self._read(reader, client, receive))
            finally:
                self._is_running = False

    async def commit(self, commit: Commit) -> None:
        """Deliver a commit, and renew the lease."""
        if self._has_gap or any(deliveries.has_lost for deliveries in self._deliveries.values()):
            raise Forgotten
        trims = {gateway: place for gateway, place in self._inputs.items() if place.last != place.trimmed}
        upto = [place.last for place in trims.values()]
        values = {key: value for key, value in commit.held.items() if value is not None}
        drops = [key for key, value in commit.held.items() if value is None]
        keys = [self._keys.state, self._keys.lease, self._keys.held]
        keys += map(self._keys.input_of, trims)
        outputs = {
            gateway: deliveries.entries(commit.frames.get(gateway, ()))
            for gateway in self._deliveries.keys() | commit.frames.keys()
            if (deliveries := self._deliveries_to(gateway)).repeats or gateway in commit.frames
        }
        keys += map(self._keys.output_for, outputs)
        arguments: list[str | bytes | int] = [self.epoch, commit.number, self._holder, int(self._lease * 1000)]
        arguments += [len(trims), len(drops), len(values), *upto, *drops]
        for key, value in values.items():
            arguments += [key, value]
        for entries in outputs.values():
            arguments.append(len(entries))
            for entry in entries:
                arguments += entry
        tries = 0

        async def deliver(client: Redis[bytes]) -> object:
            nonlocal tries
            tries += 1
            try:
                return await COMMIT.run(client, keys, arguments)
            except refusals():  # it may have reached `maxmemory`, and input that was read may be what has filled it
                for gateway, place in self._inputs.items():
                    await client.xtrim(self._keys.input_of(gateway), _minid(), place.last)  # type: ignore[arg-type]  # an id
                raise

        result = await self._insist(deliver)
        if result == FENCED:
            raise Fenced
        if result == FORGOTTEN and tries == 1:
            raise Forgotten
        if result == SEEN and tries == 1:
            return
        for gateway in outputs:
            frames = commit.frames.get(gateway, ())
            self._deliveries_to(gateway).written(frames, is_certain=result != FORGOTTEN)
        if result == FORGOTTEN:  # an earlier attempt may have succeeded, and its reply was lost with the data
            raise Forgotten(is_kept=True)
        for place, last in zip(trims.values(), upto, strict=True):
            place.trimmed = last

    async def release(self) -> None:
        """Let another world claim at once; without the server, it may when the lease expires."""
        with trio.move_on_after(ATTEMPT):
            await self._insist(lambda client: RELEASE.run(client, [self._keys.lease], [self._holder]))

    def _deliveries_to(self, gateway: str) -> Deliveries:
        return self._deliveries.setdefault(gateway, Deliveries(self._holder.encode()))

    async def _insist(self, command: Callable[[Redis[bytes]], Awaitable[T]]) -> T:
        """Run a command until it succeeds, with a client of its own before and after `run`."""
        if self._is_running:
            return await self._commands.insist(command)
        task = RedisTask(self.access, self._outages)
        return await task.keep(lambda client: task.call(partial(command, client)))

    async def _claim(self, task: RedisTask, client: Redis[bytes]) -> Mapping[bytes, bytes] | int:
        """Wait for the claim; return what is held, or why this world cannot claim."""
        began: float | None = None  # when there was nothing of an earlier world
        attempts = 0
        must_wait = False  # a world serves, and if the data is lost, that one claims again
        while True:
            alive = await self._alive_gateways(task, client)
            inputs = sorted(alive | self._inputs.keys())
            keys = [self._keys.state, self._keys.lease, *map(self._keys.input_of, inputs)]
            may_begin = not must_wait or (began is not None and trio.current_time() - began > self._lease)
            forced = self._takes_over.is_set()
            arguments: list[str | bytes | int] = [
                self._holder,
                int(self._lease * 1000),
                int(forced),
                self.epoch,
                int(may_begin or forced),
            ]
            result = await task.call(lambda: CLAIM.run(client, keys, arguments))  # noqa: B023 - called at once
            assert isinstance(result, int), "the script returns an integer"
            if result > 0:
                break
            if result == FENCED or (result == HELD_BY_ANOTHER and not self._waits):
                return result
            must_wait = must_wait or result == HELD_BY_ANOTHER
            if attempts % SIGN_EVERY == 0:
                await task.call(lambda: client.set(self._keys.waiting, self._holder, px=int(WAITING * 1000)))
            attempts += 1
            if result != NOT_FOUNDED:
                began = None
            elif began is None:
                began = trio.current_time()
            with trio.move_on_after(POLL):
                await self._takes_over.wait()
        self.epoch = result
        if attempts:  # another standby soon signs again
            await task.call(lambda: client.delete([self._keys.waiting]))
        self._has_gap = False
        self._inputs = {gateway: _Input() for gateway in inputs}
        for deliveries in self._deliveries.values():
            deliveries.has_lost = False
            deliveries.repeat()
        return await task.call(lambda: client.hgetall(self._keys.held), 10 * ATTEMPT)

    async def _alive_gateways(self, task: RedisTask, client: Redis[bytes]) -> set[str]:
        known = await self._known_gateways(task, client)
        return {gateway for gateway, is_alive in known.items() if is_alive}

    async def _known_gateways(self, task: RedisTask, client: Redis[bytes]) -> dict[str, bool]:
        """Return the names of all gateways, and whether each is alive; take note of what they confirm."""
        members = await task.call(lambda: client.smembers(self._keys.gateways))
        names = sorted(_bytes(member).decode(errors="replace") for member in members)
        if not names:
            return {}
        signs = await task.call(lambda: client.mget([self._keys.alive(name) for name in names]))
        for name, sign in zip(names, signs, strict=True):
            if sign is not None:
                self._deliveries_to(name).confirm(_bytes(sign))
        return {name: sign is not None for name, sign in zip(names, signs, strict=True)}

    async def _read(self, task: RedisTask, client: Redis[bytes], receive: Callable[[Sequence[bytes]], object]) -> None:
        while True:
            places = {self._keys.input_of(gateway): (gateway, place) for gateway, place in self._inputs.items()}
            if not places:
                await trio.sleep(POLL)
                continue
            lasts = {key: place.last for key, (_, place) in places.items()}
            read = await task.call(
                lambda: client.xread(lasts, count=MOST_READ, block=int(LOOK * 1000)),  # noqa: B023 - called at once
                LOOK + ATTEMPT,
            )
            for key, entries in (read or {}).items():
                gateway, place = places[_bytes(key).decode()]
                if self._inputs.get(gateway) is place:  # otherwise it was given up, or this world has claimed again
                    frames = self._take(gateway, place, entries)
                    if frames:
                        receive(frames)

    def _take(self, gateway: str, place: _Input, entries: Sequence[StreamEntry]) -> list[bytes]:
        """Return the frames of entries, without those that name another gateway."""
        frames = []
        for entry in entries:
            place.last = entry.identifier
            number = _number(entry.field_values.get(b"n"))
            if place.number and number > place.number + 1:
                self._has_gap = True
            place.number = number
            frame = _bytes(entry.field_values.get(b"m", b""))
            if (sender := sender_of(frame)) is None or sender == gateway:
                frames.append(frame)
            else:
                logger.error("gateway %s sent a frame as gateway %.64r, which is dropped", gateway, sender)
        return frames

    async def _watch(self, task: RedisTask, client: Redis[bytes], lost: Callable[[str], object]) -> None:
        """Look for new gateways, and give up those that have no sign of life while the server answers."""
        missing: dict[str, float] = {}
        while True:
            for gateway, is_alive in (await self._known_gateways(task, client)).items():
                now = trio.current_time()
                if is_alive:
                    missing.pop(gateway, None)
                    self._inputs.setdefault(gateway, _Input())
                    continue
                # While the server was away, signs could expire that were not renewed.
                began = max(missing.setdefault(gateway, now), self._outages.last)
                patience = LOOK if self._outages.last < now - self._alive else self._alive
                if now - began >= patience and await task.call(lambda: self._give_up(client, gateway)):  # noqa: B023
                    del missing[gateway]
                    self._inputs.pop(gateway, None)
                    self._deliveries_to(gateway).give_up()
                    logger.warning("gateway %s is given up: no sign of it for %g s", gateway, self._alive)
                    lost(gateway)
            wanted = await task.call(lambda: client.get(self._keys.wanted))
            if wanted is not None and _number(wanted) == self.epoch:
                self.hand_over_wanted.set()
            await trio.sleep(LOOK)

    async def _give_up(self, client: Redis[bytes], gateway: str) -> bool:
        keys = [
            self._keys.alive(gateway),
            self._keys.input_of(gateway),
            self._keys.output_for(gateway),
            self._keys.gateways,
        ]
        return await GIVE_UP.run(client, keys, [gateway]) == 1


def _bytes(value: str | bytes) -> bytes:
    """Return a value of a reply; clients that decode nothing return bytes."""
    return value.encode() if isinstance(value, str) else value


def _number(value: str | bytes | None) -> int:
    try:
        return int(value or 0)
    except ValueError:
        return 0


def _maxlen() -> Literal[PureToken.MAXLEN]:
    from coredis.tokens import PureToken

    return PureToken.MAXLEN


def _minid() -> Literal[PureToken.MINID]:
    from coredis.tokens import PureToken

    return PureToken.MINID


def _about() -> Literal[PureToken.APPROXIMATELY]:
    from coredis.tokens import PureToken

    return PureToken.APPROXIMATELY
