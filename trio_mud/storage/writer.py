"""The writer: the one task that turns changes into commits.

Theory of operation
-------------------
Once in `interval` seconds, or at once when a caller awaits `saved`, the writer takes all changes as one transaction. It
encodes them in slices of about half a millisecond, with a checkpoint between two slices, so that players wait for one
slice at most. One call in a thread writes and commits them. Everything that changes meanwhile gathers for the next
transaction; so a hundred players who save at the same time cost one commit, and a slow disk makes larger transactions,
not more of them.

    waiting ──interval, saved()──► take ──► encode, slice by slice ──► write in a thread ─┬─► committed ──► waiting
       ▲                                                                                  └─► failed: give back
       └────────────── 0.5, 1, 2, 5, 5 … seconds; 0.5 each time once the store closes ────────────┘

A failure is logged once, and so is the first success after it. The writer retries for as long as the store is open.

It is shielded from cancellation from its first step, because leaving the store's block has to save once more. `close`
bounds that: after `cleanup` seconds it gives up. Only `open_store` starts it, and always closes it; a shielded task
that is never closed would keep its nursery open for ever.
"""

from __future__ import annotations

import logging

import trio

from .executor import Executor
from .rows import Backend, Changes
from .store import Store

__all__ = ["RETRY_DELAYS", "SWEEP_INTERVAL", "Writer", "write_freeing"]

RETRY_DELAYS = (0.5, 1.0, 2.0, 5.0)  # seconds after the first, second, … failure; the last one from then on
SWEEP_INTERVAL = 60.0  # seconds

logger = logging.getLogger("trio_mud")


class Writer:
    """Writes the changes of one store to one backend until it is closed."""

    def __init__(self, store: Store, backend: Backend, execute: Executor, *, interval: float, cleanup: float) -> None:
        self._store, self._backend, self._execute = store, backend, execute
        self._interval, self._cleanup = interval, cleanup
        self._closing = trio.Event()
        self._scope = trio.CancelScope(shield=True)
        self._failing_since: float | None = None
        self._failures = 0
        self._reported: set[tuple[type, str]] = set()

    def close(self) -> None:
        """Save what is left, for at most `cleanup` seconds, and end."""
        self._scope.deadline = trio.current_time() + self._cleanup
        self._closing.set()
        self._store._wanted.set()

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Write until `close` was called and everything is on disk, or its time is up."""
        with self._scope:
            sweep_at = trio.current_time() + SWEEP_INTERVAL
            while not (self._closing.is_set() and self._has_finished()):
                if not self._closing.is_set():
                    with trio.move_on_after(self._interval):
                        await self._store._wanted.wait()
                self._store._wanted = trio.Event()
                if not await self.write():
                    await self._wait_before_retry()
                elif trio.current_time() >= sweep_at:
                    sweep_at = trio.current_time() + SWEEP_INTERVAL
                    await self._sweep()

    def _has_finished(self) -> bool:
        """Return True if nothing is left to be written."""
        return not self._store.is_dirty

    def lost(self) -> int:
        """Return the number of changes that are lost at the end, besides those that the store still has."""
        return 0

    async def write(self) -> bool:
        """Write one transaction; return False if that failed."""
        transaction = self._store.take_changes()
        if transaction is None:
            return True
        try:
            while transaction.encode_slice():
                await trio.lowlevel.checkpoint()
            changes = transaction.changes()
            rows, entries = len(changes.rows), len(changes.entries)
            await self._execute(write_freeing, self._backend, changes)
        except trio.Cancelled:  # the time to save is up
            transaction.failed(self._store.error or TimeoutError("storage is slow"))
            raise
        except Exception as error:  # noqa: BLE001  a disk or a database may raise anything
            transaction.failed(error)
            self._failed(error)
            return False
        transaction.committed()
        self._store.counters.update(rows=rows, entries=entries)
        self._succeeded()
        while transaction.forget_slice():
            await trio.lowlevel.checkpoint()
        return True

    async def _wait_before_retry(self) -> None:
        if self._closing.is_set():  # little time is left, so try often
            await trio.sleep(RETRY_DELAYS[0])
            return
        with trio.move_on_after(RETRY_DELAYS[min(self._failures, len(RETRY_DELAYS)) - 1]):
            await self._closing.wait()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = trio.current_time()
            logger.error(
                "cannot save to %s: %s; changes stay in memory, and saving is retried", self._backend.name, error
            )

    def _succeeded(self) -> None:
        self._failures = 0
        if self._failing_since is not None:
            seconds = trio.current_time() - self._failing_since
            logger.warning("saving to %s works again after %.0f s; nothing was lost", self._backend.name, seconds)
            self._failing_since = None

    async def _sweep(self) -> None:
        try:
            found = await self._store.sweep()
        except Exception as error:  # noqa: BLE001  a failing disk, or code of the game that is compared
            logger.error("the sweep failed: %s; the next one is due in a minute", error)  # noqa: TRY400
            return
        for change in found:
            place = (type(change.record), change.field)
            if place not in self._reported:
                self._reported.add(place)
                logger.error("%s; it is saved now", change)


def write_freeing(backend: Backend, changes: Changes) -> None:
    """Write the changes, then free the lists here and in pieces: freeing 100,000 at once would hold the loop up."""
    try:
        backend.write(changes)
    finally:
        for written in (changes.rows, changes.removed):
            while isinstance(written, list) and written:
                del written[-1000:]
