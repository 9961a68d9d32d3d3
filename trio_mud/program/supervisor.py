"""`trio-mud serve`: a gateway, a world and a spare world as three processes, which are started again when they end.

Theory of operation
-------------------
The supervisor serves no player and imports no game, so it has nothing that could fail with them. It starts the
gateway and the world at the same time, and a spare once the world serves. Which world serves is decided by
the gateway (`cluster/unix_link.py`), so when the world dies, the spare takes over without the supervisor, which only
starts the next spare.

A hand-over starts a new process, which imports the code as it is now. If that is ready, the world hands over to it; if
it is not, nothing has changed. The spare, which has the previous code, waits behind it until it serves. So if the
new code fails on `Started`, which it can run only in its turn, the previous code keeps running with all players. When
the world has reloaded its game, earlier spares are replaced, since they have the code from before the reload.

A process that ends soon after its start is started again after a pause, which doubles each time. The pause is short
while there is no gateway or no world, since players wait for them. A world that ends by itself with status 0, as by the
verb `shutdown`, ends the whole server.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio

from ..driver.server.log_queue import reopen_log
from ..errors import TrioMudError
from ..transports.unix import bind, is_own, remove_own
from .supervision import FAILED, READY, RELOADED, SERVING, WATCHED

__all__ = ["HAND_OVER", "ChildFailed", "ClusterSupervisor", "HandOverFailed", "control_path"]

LOADING_TIMEOUT: Final = 120.0  # seconds for a process to be ready
HAND_OVER_TIMEOUT: Final = 30.0  # seconds from the signal until the new world serves
QUICK: Final = 10.0  # seconds; a process that ends earlier is started again after a pause
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds
URGENT_PAUSE: Final = 2.0  # seconds at most while players wait for the next process
CANNOT_START: Final = 75  # the exit status, as for a port that cannot be bound
LAST_REPORTS: Final = 0.5  # seconds after the end of a process until the end of its reports
BACKLOG: Final = 8
MAX_REQUEST: Final = 1024  # bytes
MAX_LINE: Final = 64 * 1024  # bytes of a line that a process reports
HAND_OVER: Final = "handover"

logger = logging.getLogger("trio_mud")


class ChildFailed(TrioMudError):
    """The gateway or the world cannot be started; the log says why.

    Attributes:
        status: Its exit status.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class HandOverFailed(TrioMudError):
    """No new world has taken over; the text says why, and who serves."""


def control_path(link: Path) -> Path:
    """Return the socket of the supervisor, beside its cluster link."""
    return link.with_suffix(".serve")


class _Child:
    """A process of the server.

    Attributes:
        ready: Set when its ports are open, or its game is loaded and it waits for its turn.
        serving: Set when it is the world.
        ended: Set when it has ended.
        text: The lines that say how to connect, of a gateway that is ready.
        page: The address of its watch; "" without one.
        said: The error that ends it, as it has reported it.
        is_replaced: True if another process takes its place, so that its end is no failure.
    """

    def __init__(self, name: str, joined: socket.socket, process: trio.Process, reloaded: Callable[[], object]) -> None:
        self.name = name
        self.process = process
        self._reloaded = reloaded
        self.ready = trio.Event()
        self.serving = trio.Event()
        self.ended = trio.Event()
        self._has_read = trio.Event()
        self.text = self.page = self.said = ""
        self.is_replaced = False
        self.began = trio.current_time()
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(joined))  # closing it ends the process

    @property
    def status(self) -> int:
        """The exit status; that of a shell after a signal."""
        code = self.process.returncode or 0
        return 128 - code if code < 0 else code

    @property
    def end_described(self) -> str:
        """How it has ended: its status, and the error if it has reported one."""
        return f"has ended with status {self.status}: {self.said or 'see the log'}"

    async def run(self) -> None:
        """Read what the process reports, until it has ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            await self.process.wait()
            with trio.move_on_after(LAST_REPORTS):  # of this process; a child of its own may keep the socket open
                await self._has_read.wait()
            self.ended.set()
            nursery.cancel_scope.cancel(reason="the process has ended")
        await trio.aclose_forcefully(self._stream)

    async def _read(self) -> None:
        """Take note of the reports, up to the end of the process."""
        try:
            await self._read_lines()
        finally:
            self._has_read.set()

    async def _read_lines(self) -> None:
        buffer = b""
        while data := await self._receive():
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                try:
                    word, _, text = line.decode().partition(" ")
                    self._take(word, str(json.loads(text)))
                except (ValueError, RecursionError):  # code of the game may write to any descriptor
                    logger.error(  # noqa: TRY400 - the text says all
                        "the %s, process %d, has reported %.80r, which is ignored", self.name, self.process.pid, line
                    )
            buffer = buffer[:MAX_LINE]

    def _take(self, word: str, text: str) -> None:
        if word == READY:
            self.text = text
            self.ready.set()
        elif word == SERVING:
            self.serving.set()
        elif word == WATCHED:
            self.page = text
        elif word == FAILED:
            self.said = text
        elif word == RELOADED:
            self._reloaded()

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some())
        except trio.BrokenResourceError:  # it has ended with a message unread, which Linux reports as a reset
            return b""

    async def reopen_log(self) -> None:
        """Let the process reopen the file of its log."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            await self._stream.send_all(b"log\n")

    async def reaches(self, event: trio.Event, within: float) -> bool:
        """Wait for an event; return False if the process ends before, or it takes too long."""
        with trio.move_on_after(within):
            async with trio.open_nursery() as nursery:

                async def until(awaited: trio.Event) -> None:
                    await awaited.wait()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(until, event)
                nursery.start_soon(until, self.ended)
        return event.is_set()

    async def end(self, number: signal.Signals) -> None:
        """Send a signal, and wait for the end."""
        if not self.ended.is_set():
            self.process.send_signal(number)
        await self.ended.wait()


class ClusterSupervisor:
    """Runs the processes of one server.

    Args:
        gateway: The command of the gateway.
        world: The command of a world.
        control: The path of the socket for `trio-mud handover`.
        sockets: Descriptors that the gateway inherits, with the names of LISTEN_FDNAMES.
        token: A token that all processes use for the watch, and that is printed; "" for the configured one.
    """

    def __init__(
        self,
        gateway: Sequence[str],
        world: Sequence[str],
        control: Path,
        sockets: Sequence[str] = (),
        *,
        token: str = "",
    ) -> None:
        self._gateway_command = list(gateway)
        self._world_command = list(world)
        self._control = control
        self._sockets = tuple(sockets)
        self._token = token
        self._gateway: _Child | None = None
        self._worlds: list[_Child] = []
        self._changed = trio.Event()  # a world has ended, or serves
        self._is_closing = False
        self._handing_over = trio.Lock()
        self._starting = trio.Lock()  # of one process, which is registered before another one starts or all are ended
        self._is_renewing = False  # the spare is to be replaced
        self._is_asked = False  # by a signal, for a hand-over that has not begun
        self._status = 0
        self._nursery: trio.Nursery | None = None

    async def run(self) -> int:
        """Serve until a signal, or until the world has shut down; return the exit status.

        Raises:
            ChildFailed: The gateway or the first world cannot be started.
            OSError: Another server listens at the path of the socket.
        """
        listening = bind(self._control, backlog=BACKLOG)
        inode = self._control.stat().st_ino
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        try:
            async with trio.open_nursery() as self._nursery:
                await self._nursery.start(self._obey_signals)
                await self._start_all()
                if not self._is_closing:
                    self._nursery.start_soon(self._keep_gateway)
                    self._nursery.start_soon(self._keep_worlds)
                    self._nursery.start_soon(trio.serve_listeners, self._answer, [listener])
        finally:
            remove_own(self._control, inode)
            await trio.aclose_forcefully(listener)
        return self._status

    # Starting

    async def _start_all(self) -> None:
        """Start the gateway and the world, which waits for the gateway.

        Raises:
            ChildFailed: One of them ends before it serves.
        """
        gateway = await self._start_gateway()
        world = await self._start_world()
        await self._must_reach(gateway, gateway.ready)
        await self._must_reach(world, world.serving)
        if not self._is_closing:
            fragment = f"#{self._token}" if self._token else ""  # for the page; a browser never sends it
            for what, child in (("game", world), ("gateway", gateway)):
                if child.page:
                    print(f"To watch the {what}: {child.page}{fragment}")
            print(gateway.text, flush=True)

    async def _must_reach(self, child: _Child, event: trio.Event) -> None:
        if self._is_closing or await child.reaches(event, LOADING_TIMEOUT) or self._is_closing:
            return
        status = child.status if child.ended.is_set() else 1
        if not child.ended.is_set():
            logger.error("the %s was not ready within %g s, and is ended", child.name, LOADING_TIMEOUT)
        self._is_closing = True
        await self._end_all(signal.SIGKILL)
        raise ChildFailed(f"the {child.name} has ended with status {status}", status)

    async def _start(self, name: str, command: Sequence[str], sockets: Sequence[str] = ()) -> _Child:
        assert self._nursery is not None, "it runs"
        ours, theirs = socket.socketpair()
        command = [*command, "--supervisor", str(theirs.fileno())]
        environment = dict(os.environ) | ({"TRIO_MUD_WATCH_TOKEN": self._token} if self._token else {})
        descriptors = [theirs.fileno()]
        if sockets:  # LISTEN_PID has to be the number of the new process
            command = ["/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"', "sh", *command]
            environment |= {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(sockets)}
            descriptors += range(3, 3 + len(sockets))
        try:
            with theirs, trio.CancelScope(shield=True):  # a process that was started is known to `_end_all`
                # A session of its own: Ctrl-C reaches the supervisor only, which ends the others in their order.
                process = await trio.lowlevel.open_process(
                    command, stdin=subprocess.DEVNULL, pass_fds=descriptors, start_new_session=True, env=environment
                )
        except OSError as error:  # too many processes or open files, or the interpreter is being replaced
            ours.close()
            logger.error("cannot start the %s: %s", name, error)  # noqa: TRY400 - not a bug
            raise ChildFailed(f"cannot start the {name}: {error}", CANNOT_START) from error
        child = _Child(name, ours, process, self._renew_spare)
        self._nursery.start_soon(child.run)
        return child

    async def _start_gateway(self) -> _Child:
        await self._wait_if_closing()
        async with self._starting:
            self._gateway = await self._start("gateway", self._gateway_command, self._sockets)
        return self._gateway

    async def _wait_if_closing(self) -> None:
        """Wait for the end of this task if the server is ending."""
        if self._is_closing:
            await trio.sleep_forever()

    async def _start_world(self, *arguments: str) -> _Child:
        await self._wait_if_closing()
        async with self._starting:
            world = await self._start("world", [*self._world_command, *arguments])
            self._worlds.append(world)
        assert self._nursery is not None, "it runs"
        self._nursery.start_soon(self._follow, world)
        return world

    async def _follow(self, world: _Child) -> None:
        """Wake up `_keep_worlds` when the world serves, and when it has ended."""
        await world.reaches(world.serving, math.inf)
        self._change()
        await world.ended.wait()
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # Keeping them

    async def _keep_gateway(self) -> None:
        """Start the gateway again whenever it ends."""
        pause = 0.0
        while True:
            gateway = self._gateway
            assert gateway is not None, "it was started"
            await gateway.ended.wait()
            if self._is_closing:
                return
            pause = await self._note_end(gateway, pause, lambda: True)
            await self._start_again(self._start_gateway)

    async def _keep_worlds(self) -> None:
        """Start a spare whenever a world serves and there is none, and a world if there is none at all."""
        pause = 0.0
        while not self._is_closing:
            changed = self._changed
            for world in [world for world in self._worlds if world.ended.is_set()]:
                self._worlds.remove(world)
                if world.is_replaced:
                    continue
                if world.serving.is_set() and world.status == 0:
                    logger.info("the world has shut down")
                    await self._close(signal.SIGTERM)
                    return
                pause = await self._note_end(world, pause, self._lacks_world)
            async with self._handing_over:  # which ends the spares that it knows of
                is_served = any(world.serving.is_set() for world in self._worlds)
                is_missing = len(self._worlds) < 1 + is_served and not self._is_closing
                if is_missing:
                    await self._start_again(partial(self._start_world, "--standby"))
            if not is_missing:
                await changed.wait()

    async def _start_again(self, start: Callable[[], Awaitable[object]]) -> None:
        """Start a process; try again if the system has no room for it now."""
        while not self._is_closing:
            try:
                await start()
            except ChildFailed:  # it is logged
                await trio.sleep(URGENT_PAUSE)
            else:
                return

    def _has_spare(self) -> bool:
        """Return True if a world has loaded its game, and waits for its turn or has just had it."""
        return any(world.ready.is_set() and not world.ended.is_set() for world in self._worlds)

    def _lacks_world(self) -> bool:
        """Return True if no world serves or could take over."""
        return all(world.ended.is_set() for world in self._worlds)

    async def _note_end(self, child: _Child, pause: float, is_urgent: Callable[[], bool]) -> float:
        """Log the end of a process, and wait before the next one is started; return the length of the pause.

        Args:
            child: The process.
            pause: The pause before, which doubles.
            is_urgent: Returns True while players wait for the next process.
        """
        is_quick = trio.current_time() - child.began < QUICK
        pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE) if is_quick else 0.0
        logger.error(
            "the %s, process %d, has ended with status %d: %sanother one is started%s",
            "spare" if child.name == "world" and not child.serving.is_set() else child.name,
            child.process.pid,
            child.status,
            "the spare takes over, and " if child.serving.is_set() and self._has_spare() else "",
            f" within {min(pause, URGENT_PAUSE) if is_urgent() else pause:g} s" if pause else "",
        )
        with trio.move_on_after(pause):
            while not is_urgent():
                await self._changed.wait()  # another one may end meanwhile
            await trio.sleep(URGENT_PAUSE)
        return pause

    # Ending them

    async def _close(self, number: signal.Signals) -> None:
        """End all processes, and then `run`."""
        self._is_closing = True
        await self._end_all(number)
        assert self._nursery is not None, "it runs"
        self._nursery.cancel_scope.cancel(reason="the server has ended")

    async def _end_all(self, number: signal.Signals) -> None:
        """End the spares at once, then the world, so that players read its last words, and then the gateway."""
        async with self._starting:  # `_is_closing` is set, so no process is started later
            pass
        for world in self._worlds:
            if not world.serving.is_set():
                await world.end(signal.SIGKILL)  # it must not take over now
        for world in self._worlds:
            if world.serving.is_set():
                await world.end(number)
                self._status = self._status or world.status
        if self._gateway is not None:
            await self._gateway.end(number)

    async def _obey_signals(self, *, task_status: trio.TaskStatus[None]) -> None:
        assert self._nursery is not None, "it runs"
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
        with trio.open_signal_receiver(*wanted) as signals:
            task_status.started()
            async for number in signals:
                children = [child for child in (self._gateway, *self._worlds) if child and not child.ended.is_set()]
                if number == signal.SIGHUP:
                    reopen_log()
                    logger.info("SIGHUP received: the gateway reads its certificate, and a new world takes over")
                    for child in children:
                        if child is self._gateway:
                            child.process.send_signal(number)
                        else:
                            self._nursery.start_soon(child.reopen_log)
                    self._hand_over_soon()
                elif number == signal.SIGUSR2 or self._is_closing:
                    for child in children:
                        child.process.send_signal(number)
                else:
                    name = signal.Signals(number).name
                    logger.info("%s received: shutting down; a second one ends at once", name)
                    self._nursery.start_soon(self._close, signal.SIGTERM)
                    self._is_closing = True

    # Handing over

    async def hand_over(self) -> float:
        """Let a world with new code take over from the one that serves; return the seconds until it served.

        Raises:
            HandOverFailed: The new one did not become ready, and nothing has changed; or it failed later.
        """
        async with self._handing_over:
            self._is_asked = False  # the new process may have imported already what changes from now on
            try:
                return await self._hand_over()
            except HandOverFailed as error:
                logger.error("no new world took over: %s", error)  # noqa: TRY400 - not a bug
                raise
            finally:
                self._change()

    async def _hand_over(self) -> float:
        earlier = [world for world in self._worlds if not world.ended.is_set()]
        successor = await self._load_spare("--first")
        serving = [world for world in earlier if world.serving.is_set()]
        spares = [world for world in earlier if world not in serving]
        ready = [world for world in spares if world.ready.is_set() and not world.ended.is_set()]
        await self._end_spares([world for world in spares if world not in ready[-1:]])
        began = trio.current_time()
        for world in serving:
            world.is_replaced = True
            if not world.ended.is_set():
                world.process.send_signal(signal.SIGUSR1)
        if await successor.reaches(successor.serving, HAND_OVER_TIMEOUT):
            seconds = trio.current_time() - began
            successor.is_replaced = False
            await self._end_spares(ready)
            logger.info("a new world has taken over in %.0f ms", seconds * 1000)
            return seconds
        if successor.ended.is_set():
            why = f"the new world {successor.end_described}"
        else:
            why = f"the new world did not serve within {HAND_OVER_TIMEOUT:g} s, and is ended: see the log"
            await successor.end(signal.SIGKILL)
        for world in ready[-1:]:
            if await world.reaches(world.serving, HAND_OVER_TIMEOUT):
                raise HandOverFailed(f"{why}; the previous code keeps running")
        raise HandOverFailed(
            f"{why}; no world serves now: players stay connected, and their lines wait; the game is started again "
            "and again until it serves"
        )

    async def _end_spares(self, spares: Sequence[_Child]) -> None:
        for world in spares:
            world.is_replaced = True
            await world.end(signal.SIGKILL)

    async def _load_spare(self, *arguments: str) -> _Child:
        """Start a spare, and return it once it has imported the game. Until it serves, its end is no failure.

        Raises:
            HandOverFailed: It did not become ready.
        """
        try:
            spare = await self._start_world("--standby", *arguments)
        except ChildFailed as error:
            raise HandOverFailed(f"{error}; nothing changed") from error
        spare.is_replaced = True
        if not await spare.reaches(spare.ready, LOADING_TIMEOUT):
            if spare.ended.is_set():
                raise HandOverFailed(f"the new world {spare.end_described}; nothing changed")
            await spare.end(signal.SIGKILL)
            raise HandOverFailed(
                f"the new world was not ready within {LOADING_TIMEOUT:g} s, and is ended: see the log; nothing changed"
            )
        return spare

    def _hand_over_soon(self) -> None:
        """Hand over after the one that is under way; many requests meanwhile are one, since each takes seconds."""
        assert self._nursery is not None, "it runs"
        if not self._is_asked:
            self._is_asked = True
            self._nursery.start_soon(self._try_to_hand_over)

    async def _try_to_hand_over(self) -> None:
        with suppress(HandOverFailed):  # it is logged
            await self.hand_over()

    def _renew_spare(self) -> None:
        """Replace the spare, which has imported the game before the world has reloaded it."""
        assert self._nursery is not None, "it runs"
        if not (self._is_renewing or self._is_closing):
            self._is_renewing = True
            self._nursery.start_soon(self._replace_spares)

    async def _replace_spares(self) -> None:
        async with self._handing_over:
            self._is_renewing = False  # for a reload from now on, the next spare is too old as well
            earlier = [world for world in self._worlds if not world.serving.is_set()]
            if earlier:  # otherwise the next one is yet to be started
                try:
                    spare = await self._load_spare()
                except HandOverFailed as error:
                    logger.error("the spare still has the previous code: %s", error)  # noqa: TRY400 - not a bug
                else:
                    spare.is_replaced = False
                    await self._end_spares([world for world in earlier if not world.serving.is_set()])
        self._change()

    async def _answer(self, stream: trio.SocketStream) -> None:
        """Answer `trio-mud handover`, by the protocol of the console."""
        async with stream:
            try:
                line = await stream.receive_some(MAX_REQUEST)
                if not is_own(stream.socket):
                    answer = "1\nonly the user of the server, and root, may hand over"
                elif line.strip() != HAND_OVER.encode():
                    answer = f"1\nthe supervisor has one command: {HAND_OVER}"
                else:
                    seconds = await self.hand_over()
                    answer = f"0\na new world has taken over in {seconds * 1000:.0f} ms"
            except HandOverFailed as error:
                answer = f"1\n{error}"
            except trio.BrokenResourceError:
                return
            with suppress(trio.BrokenResourceError):
                await stream.send_all(answer.encode())
