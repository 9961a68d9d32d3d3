"""The poller: one task that receives for many sockets, on systems with epoll.

A task that waits for its own socket costs trio a registration, a wakeup and a switch for each read, which is most of
the cost of a line (docs/topics/performance.md). The poller registers the sockets with an epoll set of its own, and
only its descriptor with trio. It passes received bytes to the reader of each socket, whose task sleeps until the link
pauses or ends.

At most `turn` sockets are read before all other tasks run, so that timers stay on time. That is fewer than the
dispatcher serves in a batch; otherwise lines would queue up before the dispatcher, and timers behind them. Endings are
cheap to detect and expensive to handle, so they are reported in slices, and active peers are read first.

Each server owns one; `TcpTransport.listen` uses it.
"""

from __future__ import annotations

import logging
import os
import select
import socket
from collections import deque
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from ..coroutines import without_origin
from ..interrupts import protect_task
from . import broken

if TYPE_CHECKING:
    from . import Reader

logger = logging.getLogger("trio_mud")

RECEIVE: Final = 4096  # bytes per read
TURN: Final = 32  # sockets; with 64 (the dispatcher's batch) of 10,000 busy ones, a 10 ms timer is 5 ms late, not 1
ENDINGS: Final = 16  # lost links reported per turn; 64 would delay the others by 20 ms


class Watch:
    """One socket in the poller's set, and the task that listens to it."""

    __deletable__ = ("_reader",)  # for mypyc, which otherwise compiles attributes that cannot be deleted
    __slots__ = (
        "_pause",
        "_poller",
        "_reader",
        "_socket",
        "_task",
        "error",
        "fileno",
        "has_ended",
        "is_over",
        "is_paused",
    )

    def __init__(self, poller: Poller, sock: socket.socket, reader: Reader) -> None:
        self._poller = poller
        self._reader = reader
        self._socket = sock
        self._task: Task | None = None  # the listening task, while it sleeps
        self._pause: trio.CancelScope | None = None  # set while the task waits for room
        self.fileno = sock.fileno()
        self.is_paused = False
        self.is_over = False  # nothing more is read
        self.has_ended = False  # the listening task has gone on, too
        self.error: Exception | None = None  # the reason for the end; None at the end of file

    async def listen(self) -> None:
        """Sleep until the end of file; received bytes go to the reader meanwhile.

        Raises:
            trio.BrokenResourceError: The link is lost.
        """
        try:
            while not self.is_over:
                self._task = current_task()
                await without_origin(wait_task_rescheduled, self._forget_task)
                if self.is_paused and not self.is_over:
                    # A reader without room may wait forever; `wake` cancels the wait when the link ends.
                    with trio.CancelScope() as self._pause:
                        await self._reader.room()
                    self._pause = None
                    self._poller.resume(self)
        finally:
            self._poller.forget(self)
            self.has_ended = True
            del self._reader  # it refers to the transport, which keeps this
        if (loss := self._loss()) is not None and loss is not self.error:
            raise loss
        if self.error is not None:
            raise self.error

    def read(self) -> None:
        """Read from the socket and pass the bytes on, or handle the end."""
        # No bound methods are kept: a pair takes 144 bytes for each connection, and looking them up is as fast.
        try:
            data = self._socket.recv(RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._poller.end(self, error)
            return
        if not data:
            self._poller.end(self, self.error)
            return
        try:
            if not self._reader.feed(data):
                self._poller.pause(self)
        except Exception as error:  # noqa: BLE001 - the boundary of a link: raised again in its own task
            self._poller.end(self, error)

    def read_error(self) -> None:
        """Handle an error: the socket has no input, but the kernel reports an event, so the link is lost."""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        error = OSError(number, os.strerror(number)) if number else ConnectionResetError("both ends are shut down")
        self._poller.end(self, self.error or error)

    def note(self, error: OSError) -> None:
        """Store the error of a failed send as the reason for the end, because the kernel reports it only once."""
        if self.error is None:
            self.error = error

    def close(self) -> None:
        """Stop watching a socket that is about to be closed; the listening task gets ClosedResourceError."""
        if not self.is_over:
            self.error = trio.ClosedResourceError("it was closed here")
            self._poller.forget(self)
            self.wake()

    def report_end(self) -> None:
        """Report a loss to the reader, and wake the listening task unless the reader has cancelled it."""
        if self.has_ended:
            return
        if (loss := self._loss()) is not None:
            self._reader.lost(loss)
        self.wake()

    def wake(self) -> None:
        """Wake the listening task so that it handles the end of its link."""
        if self._pause is not None:
            self._pause.cancel(reason="the link is over")
        if self._task is not None:
            task, self._task = self._task, None
            reschedule(task)

    @property
    def is_lost(self) -> bool:
        """True if the reason for the end is a loss of the link, and neither an end of file nor a failed reader."""
        return isinstance(self.error, OSError | trio.BrokenResourceError | trio.ClosedResourceError)

    def _loss(self) -> trio.BrokenResourceError | None:
        if isinstance(self.error, trio.BrokenResourceError):
            return self.error  # raised by the reader of a layer such as TLS
        return broken(self.error, "the link is gone") if self.error is not None and self.is_lost else None

    def _forget_task(self, _: object) -> Abort:
        self._task = None
        return Abort.SUCCEEDED


class Poller:
    """The sockets of one server that are read without waking a task for each.

    The epoll set and its descriptor exist from the first socket until `run` ends.

    Args:
        turn: The number of sockets read before all other tasks run.
    """

    def __init__(self, turn: int = TURN) -> None:
        self._turn = turn
        self._epoll: select.epoll | None = None
        self._is_wanted = trio.Event()
        self._watched: dict[int, Watch] = {}  # by descriptor
        self._ended: deque[Watch] = deque()  # to be reported, a slice per turn

    @staticmethod
    def is_possible() -> bool:
        """True if this system has epoll."""
        return hasattr(select, "epoll")

    def __len__(self) -> int:
        """The number of sockets in the set."""
        return len(self._watched)

    def watch(self, sock: socket.socket, reader: Reader) -> Watch:
        """Start reading this socket, until `forget`. The caller owns the socket.

        Raises:
            OSError: The kernel's limit of watched descriptors is reached.
        """
        if self._epoll is None:
            self._epoll = select.epoll()
            self._is_wanted.set()
        watch = Watch(self, sock, reader)
        self._epoll.register(watch.fileno, select.EPOLLIN)
        self._watched[watch.fileno] = watch
        return watch

    def pause(self, watch: Watch) -> None:
        """Pause reading. A reset is still detected, because the kernel reports it without being asked."""
        watch.is_paused = True
        assert self._epoll is not None
        self._epoll.modify(watch.fileno, 0)
        watch.wake()

    def resume(self, watch: Watch) -> None:
        """Resume reading."""
        watch.is_paused = False
        if not watch.is_over and self._epoll is not None:
            self._epoll.modify(watch.fileno, select.EPOLLIN)

    def end(self, watch: Watch, error: Exception | None = None) -> None:
        """Remove an ended socket at once, because the kernel would report it in every turn; report its end soon."""
        watch.error = error
        self.forget(watch)
        self._ended.append(watch)

    def forget(self, watch: Watch) -> None:
        """Stop watching. Call it before the descriptor is closed, because the next socket may get the same number."""
        watch.is_over = True
        if self._watched.get(watch.fileno) is watch:
            del self._watched[watch.fileno]
            if self._epoll is not None:
                try:
                    self._epoll.unregister(watch.fileno)
                except OSError:  # another part of the program has closed it
                    logger.exception("a socket was closed while the poller was watching it")

    @protect_task
    async def run(self) -> None:
        """Run until cancelled."""
        await self._is_wanted.wait()
        assert self._epoll is not None
        is_full_turn = False
        try:
            while True:
                # Endings still to be reported, or probably more input: let other tasks run, but do not register with
                # trio to sleep until the next input, which takes as long as reading a socket.
                if self._ended or is_full_turn:
                    await trio.lowlevel.checkpoint()
                else:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                is_full_turn = self._take_turn(self._epoll)
        finally:
            epoll, self._epoll = self._epoll, None
            epoll.close()

    def _take_turn(self, epoll: select.epoll) -> bool:
        """Read each socket that has input, at most `turn`; return True if there may be more."""
        watched = self._watched
        found = epoll.poll(0, self._turn)
        for fileno, _ in found:
            watch = watched.get(fileno)  # looked up for each event, because an earlier one may have ended it
            if watch is None:
                continue
            if watch.is_paused:
                watch.read_error()
            else:
                watch.read()
        # After a full turn, more active peers may be waiting behind many ended ones, so report only one end and read
        # again.
        is_full_turn = len(found) == self._turn
        for _ in range(min(1 if is_full_turn else ENDINGS, len(self._ended))):
            self._ended.popleft().report_end()
        return is_full_turn
