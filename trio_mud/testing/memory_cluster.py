"""A cluster link in memory: one world and any number of gateways in one process.

Used by `mud` with `split=True`, and by tests that end one side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import trio

from ..cluster.ends import Commit, Fenced, HeldState


class MemoryCluster:
    """What the two sides share.

    Args:
        latency: Seconds of virtual time from sending to delivery, in each direction.

    Attributes:
        epoch: That of the last world that has claimed.
        commits: The number of commits so far.
        held: The state that is held for the next world.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        self.epoch = 0
        self.commits = 0
        self.held = HeldState()
        self._up: trio.MemorySendChannel[bytes] | None = None  # to the current world
        self._down: dict[str, trio.MemorySendChannel[bytes]] = {}

    def gateway_end(self, name: str) -> MemoryGatewayEnd:
        """Return the end of a new gateway."""
        self._down[name], down = trio.open_memory_channel[bytes](math.inf)
        return MemoryGatewayEnd(self, down)

    def world_end(self) -> MemoryWorldEnd:
        """Return the end of a new world, which takes over when it claims."""
        return MemoryWorldEnd(self)

    def _claim(self) -> trio.MemoryReceiveChannel[bytes]:
        self.epoch += 1
        if self._up is not None:
            self._up.close()
        self._up, up = trio.open_memory_channel[bytes](math.inf)
        return up

    def _send_up(self, frames: Sequence[bytes]) -> None:
        for frame in frames if self._up is not None else ():
            try:
                self._up.send_nowait(frame)  # type: ignore[union-attr]  # checked above
            except trio.BrokenResourceError:
                return  # that world has ended; the next one asks for the roll

    def _send_down(self, commit: Commit) -> None:
        self.commits += 1
        self.held.apply(commit)
        for gateway, frames in commit.frames.items():
            for frame in frames:
                if gateway in self._down:
                    self._down[gateway].send_nowait(frame)


class MemoryGatewayEnd:
    """The gateway's end; see `GatewayEnd`."""

    def __init__(self, cluster: MemoryCluster, down: trio.MemoryReceiveChannel[bytes]) -> None:
        self._cluster = cluster
        self._frames = down

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send frames to the current world; without one they are lost, and its roll replaces them."""
        await trio.sleep(self._cluster.latency)
        self._cluster._send_up(frames)

    async def run(self, receive: Callable[[bytes], object]) -> None:
        """Deliver the world's frames."""
        async for frame in self._frames:
            receive(frame)


class MemoryWorldEnd:
    """The world's end; see `WorldEnd`."""

    heartbeat = math.inf  # nothing of it expires

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._is_dead = False
        self.epoch = 0
        self._frames: trio.MemoryReceiveChannel[bytes] | None = None

    def kill(self) -> None:
        """Deliver nothing from here on, in either direction, as when the process of this world is killed."""
        self._is_dead = True
        if self._cluster.epoch == self.epoch:
            self._cluster._up = None

    async def claim(self) -> Mapping[bytes, bytes]:
        """Become the world; an earlier one is fenced."""
        await trio.lowlevel.checkpoint()
        self._frames = self._cluster._claim()
        self.epoch = self._cluster.epoch
        return self._cluster.held.all()

    async def gateways(self) -> Sequence[str]:
        """Return the names of all gateways."""
        await trio.lowlevel.checkpoint()
        return sorted(self._cluster._down)

    async def run(self, receive: Callable[[Sequence[bytes]], object], lost: Callable[[str], object]) -> None:
        """Deliver the gateways' frames."""
        frames = None
        while frames is not self._frames:  # another one if it has claimed again
            frames = self._frames
            assert frames is not None, "claimed before"
            async for frame in frames:
                if self._is_dead:
                    await trio.sleep_forever()
                receive([frame])
        await trio.sleep_forever()

    async def commit(self, commit: Commit) -> None:
        """Deliver a commit, unless another world has claimed."""
        await trio.sleep(self._cluster.latency)
        if self._is_dead:
            await trio.sleep_forever()
        if self._cluster.epoch != self.epoch:
            raise Fenced
        self._cluster._send_down(commit)

    async def release(self) -> None:
        """Take no more frames."""
        await trio.lowlevel.checkpoint()
        if self._cluster.epoch == self.epoch:
            self._cluster._up = None
