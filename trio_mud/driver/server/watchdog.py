"""The watchdog: detects a function that blocks the event loop, and logs its stack.

A thread asks the event loop periodically to answer. That costs the game nothing, and finds any code that blocks the
loop: a plain hook, an async hook between two awaits, a dialog, a timer. It cannot see a C function that holds the GIL
until that function returns.
Used by `run`, for a whole program. Not for tests in virtual time, whose loop it would wake in real time.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from contextlib import suppress
from io import UnsupportedOperation
from types import FrameType
from typing import TYPE_CHECKING, Final, Self

import trio

from ..core.guard import log_error
from .stacks import activity_of

if TYPE_CHECKING:
    from .server import MasterServer

logger = logging.getLogger("trio_mud")

EXIT_HELD_UP: Final = 1  # as for any crash
STEPS: Final = 10  # readings of the clock in each `limits.watchdog_timeout`, while it waits for an answer
LAST_WORDS: Final = 2.0  # seconds to write the log before the process is ended anyway


class LoopBlocked(Exception):
    """The event loop is blocked. Never raised: its traceback shows where the function is that does not return."""


class Watchdog:
    """Watches the event loop of the running task during a `with` block, unless `limits.watchdog_timeout` is None."""

    def __init__(self, server: MasterServer) -> None:
        self._counters = server.counters
        self._patience = server.limits.watchdog_timeout
        self._abort_after = server.limits.watchdog_abort_timeout
        self._token = trio.lowlevel.current_trio_token()
        self._watched = threading.get_ident()
        self._answered = threading.Event()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._patience is not None:
            self._thread = threading.Thread(
                target=self._watch, args=(self._patience,), name="trio_mud watchdog", daemon=True
            )
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._answered.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, patience: float) -> None:
        with suppress(trio.RunFinishedError):
            while not self._is_over.wait(patience / 2):
                self._answered.clear()
                # Checked after the clear: `__exit__` may have set both events just before it, and the loop answers
                # no longer.
                if self._is_over.is_set():
                    return
                self._token.run_sync_soon(self._answered.set)
                self._wait_for_the_answer(patience)

    def _wait_for_the_answer(self, patience: float) -> None:
        waited, is_reported, has_answered = 0.0, False, False
        step = patience / STEPS
        while not has_answered:
            began, worked = time.monotonic(), time.process_time()
            has_answered = self._answered.wait(step)
            # A process stopped by SIGSTOP or a suspended machine uses no CPU time, so that time does not count.
            # A C function that holds the GIL keeps this thread from running but uses CPU time, so it counts.
            waited += min(time.monotonic() - began, step + time.process_time() - worked)
            if waited < patience or self._is_over.is_set():
                continue
            if not is_reported:
                is_reported = True
                self._report(waited, None if has_answered else sys._current_frames().get(self._watched))
                self._token.run_sync_soon(self._count)
            if not has_answered and self._abort_after is not None and waited >= self._abort_after:
                self._abort(waited)
        if is_reported:
            logger.warning("the event loop runs again after it was blocked for %.1f s", waited)

    def _count(self) -> None:
        self._counters["stood still"] += 1

    def _report(self, waited: float, innermost: FrameType | None) -> None:
        activity = activity_of(innermost)
        error = LoopBlocked(
            "a function does not return and blocks the event loop: write `await trio.sleep()` for time.sleep(), "
            "and trio.to_thread.run_sync() for calls that block"
        ).with_traceback(activity.trace)
        where = activity.where and f" in {activity.where}"
        what = activity.event and f", for {activity.event}"
        log_error(error, "the event loop has been blocked for %.1f s%s%s", waited, where, what)

    def _abort(self, waited: float) -> None:
        text = f"the event loop was blocked for {waited:.1f} s: the process is ended without saving"
        end_process(EXIT_HELD_UP, text, shows_stacks=True)


def end_process(status: int, text: str, *, shows_stacks: bool = False) -> None:
    """End the process from a thread, even if the log cannot be written, perhaps because of the same fault.

    Args:
        status: The exit status.
        text: The last line of the log.
        shows_stacks: True to write the stack of every thread to standard error.
    """
    last_moment = threading.Timer(LAST_WORDS, os._exit, (status,))
    last_moment.daemon = True
    last_moment.start()
    logger.critical(text)
    logging.shutdown()  # flushes
    if shows_stacks:
        with suppress(OSError, ValueError, AttributeError, RuntimeError, UnsupportedOperation):  # no standard error
            descriptor = sys.stderr.fileno()
            blocks = os.get_blocking(descriptor)
            # faulthandler writes with the GIL held: if the stream blocked, no thread could end the process.
            os.set_blocking(descriptor, False)
            faulthandler.dump_traceback(all_threads=True)
            os.set_blocking(descriptor, blocks)
    os._exit(status)
