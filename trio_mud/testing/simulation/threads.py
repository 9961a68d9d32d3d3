"""The threads of a simulated run: they work while everything else stands still, so that a seed stays one run.

Who uses it: `determinism`.
"""

from __future__ import annotations

import time

import trio
from trio.lowlevel import Task

from ..threads import PATIENCE, is_at_work, serves_thread


class Threads:
    """The threads of one run: each works, while trio's own thread waits, until it has something to say to trio.

    A thread that says nothing for too long, since it waits for another one, is given up, and its seed may depend
    on the machine; it is waited for once more when nothing else is left to happen.
    """

    def __init__(self) -> None:
        self._waiting: set[Task] = set()  # those in `to_thread.run_sync`
        self._given_up: set[Task] = set()
        self._served: set[Task] = set()  # those that run for a thread
        self._spoken = 0  # threads that trio has not answered yet
        self._at_work = 0  # threads that are to speak next

    def task_spawned(self, task: Task) -> None:
        """A thread may have asked for it."""
        if serves_thread(task):
            self._served.add(task)

    def task_exited(self, task: Task) -> None:
        """If it ran for a thread, that one works again."""
        if task in self._served:
            self._served.remove(task)
            self._at_work += 1

    def task_scheduled(self, task: Task) -> None:
        """Its thread has returned or asks it for something, or its wait was cancelled."""
        self._waiting.discard(task)
        self._given_up.discard(task)

    def after_task_step(self, task: Task) -> None:
        """Wait for the threads that this step let work."""
        if is_at_work(task):
            self._waiting.add(task)
            self._at_work += 1
        if self._at_work:
            self._spoken += self._at_work
            self._at_work = 0
            self._let_speak()

    def speak_at_last(self) -> bool:
        """Wait for those that were given up; False if none of them says anything."""
        return bool(self._given_up) and _have_spoken(1)

    def _let_speak(self) -> None:
        """Wait until as many threads have spoken as can: what they say stands in one queue of trio's."""
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(self._be_answered, idempotent=True)
        if not _have_spoken(self._spoken + 1):
            self._given_up |= self._waiting
            self._waiting.clear()
            return
        token.run_sync_soon(self._be_answered, idempotent=True)  # takes the queue's lock: until then trio may sleep on

    def _be_answered(self) -> None:
        """Trio has answered all that had spoken; those it called nothing for, and no task's wait is over, go on."""
        self._spoken = 0
        self._at_work = max(0, len(self._waiting) - len(self._served))


def _have_spoken(count: int) -> bool:
    """Wait until so much stands in trio's queue; False if it takes too long."""
    last_moment = time.monotonic() + PATIENCE
    pause = 0.0001  # seconds
    while trio.lowlevel.current_statistics().run_sync_soon_queue_size < count:
        if time.monotonic() > last_moment:
            return False
        time.sleep(pause)
        pause = min(0.005, 2 * pause)
    return True
