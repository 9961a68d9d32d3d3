"""Reload: the code of a game is imported again and takes over between two events, or nothing changes.

Theory of operation
-------------------
1. *Compile.* Files that have changed are compiled, in a thread (`game_code.py`).
2. *Import.* The modules of the game are imported into new module objects, and what depends on classes and files alone
   is read from them: the fields of records, the maps. This takes the event loop in slices (`slices.py`). Between them
   the old modules are in `sys.modules` again, and the game goes on with them.
3. *Check.* Every record class gets the successor of its module and name, and living records of changed fields are
   converted aside (`world/exchange.py`, `storage/succession.py`).
4. *Exchange.* Records change their class and keep their identity. The function of a `Game` makes the new hooks and
   commands, in a world of the new classes, and the server gets them. Check and exchange are one step between two
   events, so no code of the game sees a part of it.

After a failure the old modules, classes and hooks are in place again, as they were.

Work that is under way finishes by the old functions: an event, a dialog, `start_soon`. State lives in records and in
`server.world`; the globals of a module are new. Modules outside the game's package are not imported again.

Used by the command line and the test kit.
"""

from __future__ import annotations

import gc
import logging
import traceback
import typing
from collections.abc import Iterator
from pathlib import Path

import trio

from ..driver.server.events import Reloaded
from ..driver.server.server import MasterServer
from ..errors import ConfigurationError, ReloadFailed
from ..storage import Executor
from ..storage.executor import in_thread
from ..world import World
from ..world.exchange import WorldExchange
from .game_code import GameCode, Modules, game_files
from .loading import load_game
from .slices import SlicedCall

__all__ = ["GameReload", "enable_reload", "watch"]

LONGEST = 0.003  # seconds of processor time
REST = 4  # times as long as a slice: the import takes a fifth of the time, so that a busy machine does not slow it down
COLLECT_AFTER = 8  # reloads
MOST_OBJECTS = 250_000  # which a collection looks at in some 25 ms

_COUNTER = "reloads"
_WATCH_INTERVAL = 0.5  # seconds between two looks at the files

logger = logging.getLogger("trio_mud")


def enable_reload(server: MasterServer, name: str) -> None:
    """Let `server.reload()` reload the game of this name, `MODULE:NAME`, which the server serves."""
    server._reload = GameReload(server, name).run


class GameReload:
    """Reloads one game of a server, any number of times.

    Args:
        server: The server.
        name: The name of the game, `MODULE:NAME`.
        execute: Runs the compiler: in a thread by default, `storage.inline` in virtual time.
        longest: Seconds of processor time that a slice of the import takes, unless a single module takes longer; 0 for
            a slice for each module.
    """

    def __init__(
        self, server: MasterServer, name: str, *, execute: Executor | None = None, longest: float = LONGEST
    ) -> None:
        self._server = server
        self._code = GameCode(name)
        self._execute = execute or in_thread()
        self._longest = longest
        self._turn = trio.Lock()  # a second reload waits for the first

    async def run(self) -> Reloaded:
        """Reload the game, and post `Reloaded`.

        Raises:
            ReloadFailed: The new code cannot take over, and nothing has changed.
        """
        async with self._turn:
            server, began = self._server, trio.current_time()
            await self._execute(self._code.compile, self._code.modules())
            before = self._code.modules()
            world = server.world if isinstance(server.world, World) else None
            exchange = WorldExchange(before, world)
            try:
                after = await self._import(before, exchange)
                present = self._code.modules()  # with those that the old code has imported meanwhile
                try:
                    self._code.put(after)
                    exchange.check()
                    hooks = exchange.exchange()
                except BaseException:
                    self._code.put(present)
                    raise
            except BaseException as error:
                exchange.abandon(self._code.has)
                if not isinstance(error, Exception | SystemExit):
                    raise
                raise ReloadFailed(_reason(error, before)) from error
            server.hooks = hooks
            _clear_caches()
            if not server.counters[_COUNTER]:
                _warn_of_globals(before, after)
            server.counters[_COUNTER] += 1
            event = Reloaded(server, tuple(after), exchange.records, trio.current_time() - began)
            server._posts.put(event)
            if server.counters[_COUNTER] % COLLECT_AFTER == 0:
                trio.lowlevel.current_trio_token().run_sync_soon(_collect, idempotent=True)
            return event

    async def _import(self, before: Modules, exchange: WorldExchange) -> Modules:
        """Import the game in slices, and return its modules; between them the old ones are in place."""

        def load() -> None:
            with self._code.importing(call.pause):
                game = load_game(self._code.name)
                self._code.import_all(before)
                exchange.prepare(game, call.pause)

        call, after = SlicedCall(load, self._longest), Modules()
        try:
            while not call.is_over:
                present = self._code.modules()
                self._code.put(after)
                try:
                    call.run_slice()
                finally:
                    after = self._code.modules()
                    self._code.put(present)
                await trio.sleep(REST * self._longest)  # the players have their turn
        finally:
            if not call.is_over:  # it is cancelled
                present = self._code.modules()
                self._code.put(after)
                call.abandon()
                self._code.put(present)
        try:
            call.result()
        except TimeoutError:  # it has ended while the old modules were in place, and Python removes failed ones by name
            self._code.put(self._code.modules() | before)
            raise
        return after


async def watch(server: MasterServer, name: str, files: dict[str, int]) -> None:
    """Reload the game whenever one of its files changes, until cancelled; `files` are those of the running code."""
    while True:
        await trio.sleep(_WATCH_INTERVAL)
        if (changed := game_files(name)) != files:
            files = changed
            logger.info("files of the game have changed: it is reloaded")
            await server._try_reload()
            files = game_files(name)


def _clear_caches() -> None:
    """Let go of the classes of the old version, which `typing` keeps as arguments, such as of `Commands[Player]`."""
    for clear in getattr(typing, "_cleanups", ()):
        clear()


def _collect() -> None:
    """Collect the garbage of some old versions, before Python collects that of many in a loop pass of 70 ms and more.

    Modules are cyclic garbage. In a large game it is left to Python, because a collection looks at every object.
    """
    if len(gc.get_objects(generation=2)) <= MOST_OBJECTS:
        gc.collect()


def _reason(error: BaseException, modules: Modules) -> str:
    """Return what went wrong, with the last line of the game that was involved."""
    cause = error
    while isinstance(cause, ConfigurationError) and cause.__cause__ is not None:
        cause = cause.__cause__
    place = next(_places(cause, modules), "")
    text = str(cause)
    if not isinstance(cause, ReloadFailed | ConfigurationError):
        text = f"{type(cause).__name__}: {cause.msg if isinstance(cause, SyntaxError) else cause}"
    return f"{text}{f' at {place}' if place else ''}"


def _places(error: BaseException, modules: Modules) -> Iterator[str]:
    """Yield the lines of the game in the traceback of an error, the last one first."""
    if isinstance(error, SyntaxError) and error.filename:
        yield f"{error.filename}:{error.lineno}"
    files = {getattr(module, "__file__", None) for module in modules.values()}
    folders = tuple(f"{Path(file).parent}/" for file in files if file and Path(file).name == "__init__.py")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files or (folders and frame.filename.startswith(folders)):
            yield f"{frame.filename}:{frame.lineno}"


def _warn_of_globals(before: Modules, after: Modules) -> None:
    """Name the globals whose contents the new modules do not have."""
    lost = [
        f"{name}.{variable}"
        for name, module in before.items()
        for variable, value in vars(module).items()
        if isinstance(value, list | dict | set) and value and not variable.startswith("__") and not variable.isupper()
        if name in after and not _are_equal(value, getattr(after[name], variable, None))
    ]
    if lost:
        logger.warning(
            "the contents of %s are not carried over by a reload: keep them in records or in server.world",
            ", ".join(lost),
        )


def _are_equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - a comparison of the game's own
        return False
