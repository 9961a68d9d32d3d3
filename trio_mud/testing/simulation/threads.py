"""The threads of a simulated run: they run while everything else stands still, so that a seed stays deterministic.

Used by `determinism`.
"""

from __future__ import annotations

import time

import trio
from trio.lowlevel import Task

from ..threads import PATIENCE, is_at_work, serves_thread


class Threads:
    """The threads of one run: each runs, while trio's own thread waits, until it calls trio or returns.

    A thread that takes too long, because it waits for another one, is given up, and then its seed may depend on the
    machine. It is waited for again when nothing else is left to do.
    """

    def __init__(self) -> None:
        self._waiting: set[Task] = set()  # tasks in `to_thread.run_sync`
        self._given_up: set[Task] = set()
        self._served: set[Task] = set()  # tasks that run for a thread
        self._spoken = 0  # threads that trio has not answered yet
        self._at_work = 0  # threads whose next message is awaited

    def task_spawned(self, task: Task) -> None:
        """Register the task if a thread requested it."""
        if serves_thread(task):
            self._served.add(task)

    def task_exited(self, task: Task) -> None:
        """If the task ran for a thread, that thread runs again."""
        if task in self._served:
            self._served.remove(task)
            self._at_work += 1

    def task_scheduled(self, task: Task) -> None:
        """Unregister the task: its thread has returned or calls it, or its wait was cancelled."""
        self._waiting.discard(task)
        self._given_up.discard(task)

    def after_task_step(self, task: Task) -> None:
        """Wait for the threads that this step started."""
        if is_at_work(task):
            self._waiting.add(task)
            self._at_work += 1
        if self._at_work:
            self._spoken += self._at_work
            self._at_work = 0
            self._let_speak()

    def speak_at_last(self) -> bool:
        """Wait for the threads that were given up; return False if none of them sends anything."""
        return bool(self._given_up) and _have_spoken(1)

    def _let_speak(self) -> None:
        """Wait until every possible thread has sent its message to trio's single queue."""
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(self._be_answered, idempotent=True)
        if not _have_spoken(self._spoken + 1):
            self._given_up |= self._waiting
            self._waiting.clear()
            return
        token.run_sync_soon(self._be_answered, idempotent=True)  # takes the queue's lock: until then trio may sleep on

    def _be_answered(self) -> None:
        """Handle that trio has answered all messages: threads without a waiting task or a finished wait run again."""
        self._spoken = 0
        self._at_work = max(0, len(self._waiting) - len(self._served))


def _have_spoken(count: int) -> bool:
    """Wait until trio's queue has this length; return False if it takes too long."""
    last_moment = time.monotonic() + PATIENCE
    pause = 0.0001  # seconds
    while trio.lowlevel.current_statistics().run_sync_soon_queue_size < count:
        if time.monotonic() > last_moment:
            return False
        time.sleep(pause)
        pause = min(0.005, 2 * pause)
    return True
