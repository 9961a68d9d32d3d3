"""A function that runs in slices: in a thread of its own, which runs only while its caller waits for it.

The import of a package cannot be divided otherwise, since a module imports the ones that it needs. Only one of the two
threads runs at a time, so the function sees and changes nothing while the event loop serves players.

Used by the reload.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

__all__ = ["SlicedCall"]

# Seconds that a paused function waits for its caller, which may have ended, or may wait for a lock of the function: for
# that of a module which the function imports, and which the caller imports at the same moment.
PATIENCE: Final = 5.0

T = TypeVar("T")


class _Abandoned(BaseException):
    """Raised in the function when its result is not wanted any more."""


class SlicedCall(Generic[T]):
    """One call of a function, which calls `pause` wherever it may be interrupted.

    Args:
        function: The function.
        longest: Seconds of processor time before a pause takes effect; 0 for every pause.

    Attributes:
        is_over: True when the function has returned or raised.
    """

    def __init__(self, function: Callable[[], T], longest: float) -> None:
        self._function = function
        self._longest = longest
        self._turn, self._end_of_slice = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="trio_mud reload", daemon=True)
        self._is_abandoned = self._is_late = False
        self._began = 0.0
        self._result: T
        self._error: BaseException | None = None
        self.is_over = False

    def run_slice(self) -> None:
        """Run the function to its next pause or its end."""
        self._turn.release()  # before the start, so that the thread never waits for its first turn
        if self._thread.ident is None:
            self._thread.start()
        self._end_of_slice.acquire()
        if self.is_over:
            self._thread.join()

    def abandon(self) -> None:
        """End the function at its pause, and return when it has ended; has no effect if it is over or not begun."""
        self._is_abandoned = True
        if self._thread.ident is not None and not self.is_over:
            self.run_slice()

    def result(self) -> T:
        """Return what the function has returned, or raise what it has raised.

        Raises:
            TimeoutError: The function was not continued for `PATIENCE` seconds, and has ended at its pause.
        """
        if self._is_late:  # whatever the function has made of `_Abandoned`
            raise TimeoutError(f"it was not continued for {PATIENCE:g} s, because the server was busy; try again")
        if self._error is not None:
            raise self._error
        return self._result

    # In the thread

    def pause(self) -> None:
        """Give the caller its turn if this slice is long enough; has no effect in another thread."""
        if threading.get_ident() != self._thread.ident:
            return
        if self._is_abandoned:
            raise _Abandoned
        if time.thread_time() - self._began >= self._longest:
            self._end_of_slice.release()
            self._wait()

    def _wait(self) -> None:
        if not self._turn.acquire(timeout=PATIENCE):
            self._is_abandoned = self._is_late = True
        self._began = time.thread_time()
        if self._is_abandoned:
            raise _Abandoned

    def _run(self) -> None:
        try:
            self._wait()
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self._error = error
        self.is_over = True
        self._end_of_slice.release()
