"""A game whose code is reloaded while it is played, by players who ask for it; a third of the versions is broken.

Its modules are those of `mill`, in a folder of their own for each run, where an operator edits them. A reload is asked
for by a typed line. It runs within the event of that line or beside it, may be cancelled by the limits of a hook, and
two may meet. Around the functions of each version run those of the hostile game.

`games` uses it; `reload_trace` has its part of the invariants.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar, TypeVarTuple

import trio

from ...driver.connection.connection import Connection
from ...driver.connection.events import Admitted, Input
from ...driver.core.events import HookEvent
from ...driver.core.hooks import FIRST, LAST, Hooks
from ...driver.server.events import Reloaded, Started
from ...driver.sessions.events import SessionEnded, SessionStarted
from ...errors import ReloadFailed
from ...program.reload import GameReload
from ...world import Game, World
from . import inside
from .by_words import StoredRecords
from .hostile import HostileGame
from .players import SimulatedPlayer
from .reload_trace import PACKAGE, ReloadTrace
from .stay_trace import StayTrace
from .trace import Trace

SOURCE: Final = Path(__file__).with_name("mill")
NAMES: Final = ("gwen", "hugh", "ivor")
VERSIONS: Final = 40  # of one life, at most
BROKEN: Final = 1 / 3  # of all versions
_LINES: Final = (
    *("reload",) * 5,
    *("reload beside",) * 3,
    *("grind",) * 6,
    *("doze 0.1", "doze 0.8", "doze 2", "haggle", "haggle", "logout"),
)
_ALL: Final = (Admitted, Input, SessionStarted, SessionEnded, Reloaded)  # the events of the functions of a version
_ONCE: Final[dict[type[HookEvent], tuple[str, ...]]] = {SessionEnded: ("go",), Reloaded: ("note",)}

T = TypeVar("T")
Args = TypeVarTuple("Args")

# Each puts something wrong into one file.
DEFECTS: Final[dict[str, tuple[str, str, str]]] = {
    "syntax": ("game.py", "\nclass Miller", "\n)(\nclass Miller"),
    "import": ("words.py", "VERSION", "import no_such_module\nVERSION"),
    "raising": ("words.py", "VERSION", "1 / 0\nVERSION"),
    "at the end": ("game.py", "\ngame = Game(", "\n1 / 0\ngame = Game("),
    "class": ("game.py", "class Millstone(", "class Grinder("),
    "field": ("game.py", 'mark: str = ""', "mark: list[str] = []"),
    "map": ("mill.toml", 'class = "simulated_millstone"', 'class = "simulated_millwheel"'),
    "family": ("game.py", 'kind="simulated_miller"', 'kind="simulated_miller", family="miller"'),
    "name": ("game.py", "\ngame = Game(", "\nother = Game("),
    "function": ("game.py", "    return hooks\n", '    world.add(Millstone(name="more"), "more")\n    1 / 0\n'),
}


class ReloadedGame(HostileGame):
    """The game of one life."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._chance = Random(f"reload {trace.plan.seed} {trace.plan.life}")
        self._number = VERSIONS * trace.plan.life
        self._defect = ""  # of the files as they are now
        self._last = self._number + VERSIONS - 1
        self._folder = Path(tempfile.mkdtemp(prefix="trio_mud-"))
        self._files = {file.name: file.read_text(encoding="utf-8") for file in SOURCE.iterdir() if file.is_file()}
        (self._folder / PACKAGE).mkdir()
        sys.path.insert(0, str(self._folder))
        self._write(self._number)
        self.reload_trace = trace.reload = ReloadTrace(trace.server, trace.fault, self.say, trace.took, self._number)
        module: Any = importlib.import_module(f"{PACKAGE}.game")
        self._reload = GameReload(trace.server, f"{PACKAGE}.game:game", execute=self._compile, longest=0)
        inside.enable_reload(trace.server, self._reload.run)

        def build(world: World) -> Hooks:
            self.reload_trace.watch(world)
            trace.stays = StayTrace(world.store, module.Miller)
            return self._around(module.mill(world))

        game = Game(build, records=module.game.records, maps=module.game.maps)
        self.records = StoredRecords(game, options=(self.reload_trace,))

    def close(self) -> None:
        """Remove the files, the modules, and the classes."""
        sys.path.remove(str(self._folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
        inside.hide(PACKAGE)
        shutil.rmtree(self._folder, ignore_errors=True)  # a cleaner of temporary files may have been here

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a line of the mill, or one of the hostile game."""
        if chance.random() < 0.7:
            return self._numbered(player, chance.choice(_LINES))
        return super().line(player, chance)

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return a line that enters a character, or one of the hostile game."""
        return [f"play {NAMES[who % 3]}"] if chance.random() < 0.8 else super().enter(who, chance)

    # The hooks

    def _wind(self, event: Started) -> None:
        super()._wind(event)
        for _ in range(3):
            event.server.after(self._chance.uniform(0.5, 12.0), self.reload)

    def _around(self, version: Hooks) -> Hooks:
        """Return the hooks of a version among those that do not change."""
        hooks, trace = Hooks(), self.reload_trace
        for kind in _ALL:
            hooks.on(kind, order=FIRST)(trace.begins)
        hooks.include(self.hooks)
        hooks.include(version)
        for kind in _ALL:
            hooks.on(kind, order=LAST)(self._concluding(_ONCE.get(kind, ())))
        return hooks

    def _concluding(self, names: Sequence[str]) -> Callable[[HookEvent], None]:
        return lambda event: self.reload_trace.is_over(event, names)

    def _obey(self, event: Input) -> Awaitable[object] | None:
        if not event.line.startswith("reload"):
            return super()._obey(event)
        self.say(event.connection)
        if "beside" in event.line:
            with suppress(RuntimeError):  # the server is about to end
                event.connection.server.start_soon(self.reload)
            return None
        return self._reload_and_say(event.connection)

    async def _reload_and_say(self, connection: Connection) -> None:
        await self.reload()
        self.say(connection, " reloaded")

    # The versions

    async def reload(self) -> None:
        """Write another version, and reload the game."""
        server, trace = self._trace.server, self.reload_trace
        if not trace.pending and self._number < self._last:  # otherwise that one is reloaded again
            self._number += 1
            is_broken = self._chance.random() < BROKEN
            self._defect = self._chance.choice(list(DEFECTS)) if is_broken else ""
            self._write(self._number, self._defect)
        trace.request()
        try:
            await server.reload()
        except ReloadFailed as error:
            self._count(f"refused: {self._defect}")
            self._refused(f"{self._number} was refused: {error}" if not self._defect else "")
        except BaseException:  # it is cancelled, by a limit or the end of the run
            self._count("cancelled")
            self._refused()
            raise
        else:
            self._count("exchanged")
            self._exchanged(sys.modules[f"{PACKAGE}.words"].VERSION)

    def _refused(self, complaint: str = "") -> None:
        if self._is_killed:
            self.reload_trace.given_up()
            return
        self.reload_trace.refused()
        if complaint:
            self._trace.fault("I-28", f"version {complaint}")

    def _exchanged(self, version: int) -> None:
        server = self._trace.server
        if self._is_killed:  # before the last step of the reload
            self.reload_trace.given_up()
            server.hooks = self._trace.hooks_around(Hooks())
            return
        server.hooks = self._trace.hooks_around(self._around(server.hooks))
        self.reload_trace.exchanged(version)
        if self._defect or version != self._number:
            self._trace.fault("I-28", f"version {version} took over, {self._number} is there: {self._defect}")

    @property
    def _is_killed(self) -> bool:
        """True if the game was killed, so that nothing that it does counts."""
        return self._trace.storage is not None and self._trace.storage.disk.is_dead

    def _count(self, what: str) -> None:
        self._trace.fired[f"reload {what}"] += 1

    def _write(self, number: int, defect: str = "") -> None:
        """Write the files of a version."""
        changes = [
            ("words.py", "VERSION = 0", f"VERSION = {number}"),
            ("mill.toml", "Version 0", f"Version {number}"),
            ("game.py", "@every(1.1)", f"@every({1.1 + 0.2 * (number % 2):g})"),
            ("game.py", "version=1", f"version={number + 1}"),
            ("game.py", "grain_0: int = 0", f"grain_0: int = {number}"),
            ("game.py", "grain_0", f"grain_{number}"),
            *([DEFECTS[defect]] if defect else ()),
        ]
        files = dict(self._files)
        for name, old, new in changes:
            assert old in files[name], f"{old!r} is in {name}"
            files[name] = files[name].replace(old, new)
        for name, text in files.items():
            (self._folder / PACKAGE / name).write_text(text, encoding="utf-8")

    async def _compile(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Compile after a while, as in a thread."""
        await trio.sleep(self._chance.choice((0.0, 0.0, 0.1, 0.5)))
        return function(*args)
