"""Clients of Redis that survive its restarts: each belongs to one task, and is left after any error.

A connection that breaks is lost to coredis' pool for good, and its client opens a nursery where it is entered. So one
task enters and leaves each client, runs one command at a time with a deadline, and makes another client after a
failure.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from .redis_access import ATTEMPT, RedisAccess, describe, first_of, troubles

if TYPE_CHECKING:
    from coredis import Redis

logger = logging.getLogger("trio_mud")

T = TypeVar("T")

FIRST_PAUSE: Final = 0.05  # seconds before the first attempt to connect again; doubled each time
LONGEST_PAUSE: Final = 0.5  # seconds


class Outages:
    """Whether the server answers, for the clients of one process.

    Args:
        access: The way to the server.

    Attributes:
        last: When the server was last found to be away; -inf if it never was.
    """

    def __init__(self, access: RedisAccess) -> None:
        self._access = access
        self._since: float | None = None
        self.last = float("-inf")

    def failed(self, error: BaseException) -> None:
        """Take note of a failure; only the first of an outage is logged."""
        self.last = trio.current_time()
        if self._since is None:
            self._since = self.last
            logger.warning("the cluster link at %s fails, and is tried again: %s", self._access, describe(error))

    def answered(self) -> None:
        """Take note of an answer."""
        if self._since is not None:
            logger.info(
                "the cluster link at %s works again after %.1f s", self._access, trio.current_time() - self._since
            )
            self._since = None


class RedisTask:
    """One task with one client at a time.

    Args:
        access: The way to the server.
        outages: Takes note of failures.
    """

    def __init__(self, access: RedisAccess, outages: Outages) -> None:
        self._access = access
        self._outages = outages
        self._pause = FIRST_PAUSE

    async def keep(self, use: Callable[[Redis[bytes]], Awaitable[T]]) -> T:
        """Call a function with a client, and with another one after each failure, until it returns."""
        while True:
            try:
                async with self._access.client() as client:
                    return await use(client)
            except* troubles() as group:
                self._outages.failed(first_of(group))
            await trio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def call(self, command: Callable[[], Awaitable[T]], within: float = ATTEMPT) -> T:
        """Run one command of a function that `keep` has called."""
        with trio.fail_after(within):
            result = await command()
        self._outages.answered()
        self._pause = FIRST_PAUSE
        return result


class _Request:
    __slots__ = ("command", "done", "result")

    def __init__(self, command: Callable[[Redis[bytes]], Awaitable[object]]) -> None:
        self.command = command
        self.done = trio.Event()
        self.result: object = None


class RedisCommands:
    """Commands of several tasks, run by the one that owns the client.

    Args:
        access: The way to the server.
        outages: Takes note of failures.
    """

    def __init__(self, access: RedisAccess, outages: Outages) -> None:
        self._task = RedisTask(access, outages)
        self._put, self._get = trio.open_memory_channel[_Request](0)

    async def run(self) -> None:
        """Run the commands, until cancelled."""
        unfinished: list[_Request] = []

        async def serve(client: Redis[bytes]) -> None:
            while True:
                if not unfinished:
                    unfinished.append(await self._get.receive())
                request = unfinished[0]
                request.result = await self._task.call(partial(request.command, client))
                unfinished.clear()
                request.done.set()

        await self._task.keep(serve)

    async def insist(self, command: Callable[[Redis[bytes]], Awaitable[T]]) -> T:
        """Run a command until it succeeds; after a failure it may have been run more than once."""
        request = _Request(command)
        await self._put.send(request)
        await request.done.wait()
        return request.result  # type: ignore[return-value]  # it is the command's
