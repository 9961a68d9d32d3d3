"""A cluster link in memory: one world at a time and any number of gateways, in one process.

Used by `mud` with `split=True`, by tests that end one side, and by the simulator, which plants the faults of a real
cluster link: latency, silence, replies and data that are lost, and frames that come twice.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import trio

from ..cluster.ends import Commit, Fenced, Forgotten, HeldState

RETRY: Final = 0.5  # seconds after which a sender without a reply sends again
ALIVE: Final = 3.0  # seconds of silence after which a gateway is given up


class _Stream:
    """The frames on their way to one reader. None overtakes another."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, bytes]] = deque()  # each with the time of its arrival
        self._changed = trio.Event()
        self._repeats = False  # the next frame

    def put(self, frame: bytes, latency: float = 0.0) -> None:
        arrival = trio.current_time() + latency
        self._frames.append((max(arrival, self._frames[-1][0]) if self._frames else arrival, frame))
        self._changed.set()

    def repeat(self) -> None:
        """Let the next frame arrive twice."""
        self._repeats = True

    def clear(self) -> None:
        self._frames.clear()

    async def get(self) -> bytes:
        """Return the next frame, as soon as it has arrived."""
        await trio.lowlevel.checkpoint()
        while not self._frames or self._frames[0][0] > trio.current_time():
            self._changed = trio.Event()
            with trio.move_on_at(self._frames[0][0] if self._frames else math.inf):
                await self._changed.wait()
        if self._repeats:
            self._repeats = False
            return self._frames[0][1]
        return self._frames.popleft()[1]


class MemoryCluster:
    """The state that both sides share.

    Args:
        latency: Seconds of virtual time from sending to delivery, half of them from the sender to the cluster link; may
            be random.

    Attributes:
        latency: The latency; it may be changed at any time.
        epoch: That of the last world that has claimed; 0 if the cluster link knows none.
        commits: The number of commits that took effect.
        held: The state that is held for the next world.
    """

    def __init__(self, latency: float | Callable[[], float] = 0.0) -> None:
        self.latency = latency
        self.epoch = 0
        self.commits = 0
        self.held = HeldState()
        self._greatest = 0  # epoch
        self._number = 0  # of the last commit in this epoch
        self._up: _Stream | None = None  # to the current world
        self._down: dict[str, _Stream] = {}
        self._silences: dict[str, tuple[float, float]] = {}  # the last one of each gateway: its begin and end
        self._silence_began = trio.Event()
        self._silent_until = -math.inf
        self._lost_replies = 0

    # The two sides

    def gateway_end(self, name: str) -> MemoryGatewayEnd:
        """Return the end of a new gateway; an earlier one of that name is gone."""
        self._down[name] = _Stream()
        self._silences.pop(name, None)
        return MemoryGatewayEnd(self, name, self._down[name])

    def world_end(self) -> MemoryWorldEnd:
        """Return the end of a new world, which takes over when it claims."""
        return MemoryWorldEnd(self)

    # Faults

    def be_silent(self, seconds: float) -> None:
        """Answer and take nothing for so long. What was sent waits."""
        self._silent_until = trio.current_time() + seconds

    def lose_replies(self, count: int = 1) -> None:
        """Lose the next replies: their senders send again, though all has arrived."""
        self._lost_replies += count

    def repeat(self, gateway: str) -> bool:
        """Let the next frame for a gateway arrive twice; return False if the gateway is unknown."""
        if gateway not in self._down:
            return False
        self._down[gateway].repeat()
        return True

    def forget(self) -> None:
        """Lose all data, as an engine does that starts again with nothing on disk."""
        self.epoch = 0
        self.held = HeldState()
        self._up = None
        for stream in self._down.values():
            stream.clear()

    # Parts

    def _lag(self) -> float:
        """Return the seconds from a side to the cluster link, or back."""
        return (self.latency() if callable(self.latency) else self.latency) / 2

    async def _reach(self) -> None:
        """Wait until what was sent has arrived."""
        await trio.sleep(self._lag())
        await trio.sleep_until(self._silent_until)

    async def _answer(self) -> bool:
        """Wait for a reply; return False if it is lost."""
        if self._lost_replies:
            self._lost_replies -= 1
            await trio.sleep(RETRY)
            return False
        await trio.sleep(self._lag())
        return True

    def _claim(self, up: _Stream) -> int:
        self._greatest += 1
        self.epoch, self._number, self._up = self._greatest, 0, up
        return self.epoch

    def _send_up(self, frames: Sequence[bytes]) -> None:
        for frame in frames if self._up is not None else ():
            self._up.put(frame, self._lag())  # type: ignore[union-attr]  # checked above

    def _commit(self, epoch: int, commit: Commit) -> None:
        """Deliver a commit once, however often it is sent.

        Raises:
            Fenced, Forgotten: As `WorldEnd.commit`.
        """
        if not self.epoch:
            raise Forgotten
        if self.epoch != epoch:
            raise Fenced
        if commit.number > self._number:
            self._number = commit.number
            self._send_down(commit)

    def _send_down(self, commit: Commit) -> None:
        self.commits += 1
        self.held.apply(commit)
        for gateway, frames in commit.frames.items():
            for frame in frames:
                if gateway in self._down:
                    self._down[gateway].put(frame, self._lag())

    def _falls_silent(self, gateway: str, until: float) -> None:
        self._silences[gateway] = trio.current_time(), until
        self._silence_began.set()
        self._silence_began = trio.Event()

    def _given_up(self) -> set[str]:
        """Return the gateways that have been silent for too long."""
        now = trio.current_time()
        return {gateway for gateway, (since, until) in self._silences.items() if since + ALIVE <= now < until}

    async def _given_up_changes(self) -> None:
        """Wait until another gateway may be given up, or one of them may speak again."""
        now, ends = trio.current_time(), [math.inf]
        for since, until in self._silences.values():
            ends += [at for at in (since + ALIVE, until) if at > now]
        with trio.move_on_at(min(ends)):
            await self._silence_began.wait()


class MemoryGatewayEnd:
    """The gateway's end; see `GatewayEnd`."""

    has_world: bool | None = None
    spares: int | None = None

    def __init__(self, cluster: MemoryCluster, name: str, frames: _Stream) -> None:
        self._cluster = cluster
        self._name = name
        self._frames = frames
        self._is_dead = False
        self._cut_until = -math.inf
        self._was_cut = trio.Event()
        self._first: bytes | None = None

    def kill(self) -> None:
        """Deliver nothing from here on, in either direction, as when the process of this gateway is killed."""
        self._is_dead = True
        self._cluster._falls_silent(self._name, math.inf)

    def cut(self, seconds: float) -> None:
        """Deliver nothing for so long, in either direction, as when the network between the machines is cut."""
        self._cut_until = trio.current_time() + seconds
        self._was_cut.set()
        if not self._is_dead:
            self._cluster._falls_silent(self._name, self._cut_until)

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send frames to the current world; without one they are lost, and its roll replaces them."""
        if self._first is None and frames:
            self._first = frames[0]
        is_sent = False
        while not is_sent:
            await self._passes()
            await self._cluster._reach()
            await self._passes()
            self._cluster._send_up(frames)
            is_sent = await self._cluster._answer()

    async def run(self, receive: Callable[[bytes], object]) -> None:
        """Deliver the world's frames. After a cut, send the first frame again: the world may have given it up."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._return)
            await self._deliver(receive)

    async def _return(self) -> None:
        while True:
            await self._was_cut.wait()
            self._was_cut = trio.Event()
            await self._passes()
            if self._first is not None:
                self._cluster._send_up([self._first])

    async def _deliver(self, receive: Callable[[bytes], object]) -> None:
        while True:
            frame = await self._frames.get()
            await self._passes()
            receive(frame)

    async def _passes(self) -> None:
        """Wait until the network lets something through."""
        if self._is_dead:
            await trio.sleep_forever()
        await trio.sleep_until(self._cut_until)


class MemoryWorldEnd:
    """The world's end; see `WorldEnd`."""

    heartbeat = math.inf  # nothing of it expires

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._is_dead = False
        self._under_way: Commit | None = None
        self._frames = _Stream()
        self.epoch = 0

    def kill(self, *, is_sent: bool = False) -> None:
        """Deliver nothing from here on, in either direction, as when the process of this world is killed.

        Args:
            is_sent: True if a commit that is under way takes effect all the same.
        """
        commit, self._is_dead = self._under_way, True
        if is_sent and commit is not None and self._cluster.epoch == self.epoch:
            self._cluster._commit(self.epoch, commit)
        if self._cluster.epoch == self.epoch:
            self._cluster._up = None

    async def claim(self) -> Mapping[bytes, bytes]:
        """Become the world; an earlier one is fenced."""
        await self._cluster._reach()
        if self.epoch and self._cluster.epoch not in (0, self.epoch):
            raise Fenced
        self._frames.clear()
        self.epoch = self._cluster._claim(self._frames)
        return self._cluster.held.all()

    async def gateways(self) -> Sequence[str]:
        """Return the names of all gateways."""
        await trio.lowlevel.checkpoint()
        return sorted(self._cluster._down.keys() - self._cluster._given_up())

    async def run(self, receive: Callable[[Sequence[bytes]], object], lost: Callable[[str], object]) -> None:
        """Deliver the gateways' frames."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, lost)
            while True:
                frame = await self._frames.get()
                if self._is_dead:
                    await trio.sleep_forever()
                receive([frame])

    async def commit(self, commit: Commit) -> None:
        """Deliver a commit, unless another world has claimed."""
        is_known = is_delivered = False
        while not is_known:
            self._under_way = commit
            await self._cluster._reach()
            if self._is_dead:
                await trio.sleep_forever()
            self._under_way = None
            try:
                self._cluster._commit(self.epoch, commit)
            except Forgotten:
                if not is_delivered:
                    raise
                return  # it was delivered, and only its reply was lost; the next one finds the data lost
            is_delivered = True
            is_known = await self._cluster._answer()

    async def release(self) -> None:
        """Take no more frames."""
        await trio.lowlevel.checkpoint()
        if self._cluster.epoch == self.epoch:
            self._cluster._up = None

    async def _watch(self, lost: Callable[[str], object]) -> None:
        """Report each gateway that is given up, once for each time."""
        reported: set[str] = set()
        while True:
            given_up = self._cluster._given_up()
            for gateway in sorted(given_up - reported):
                lost(gateway)
            reported = given_up
            await self._cluster._given_up_changes()
