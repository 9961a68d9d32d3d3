"""The harness: plays one plan to its end on a real server, in virtual time: faults first, then quiet, then shutdown."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import ClassVar, Final

import trio
from trio.lowlevel import disable_ki_protection

from ...driver.core.guard import unwrap_single
from ...driver.core.hooks import Hooks
from ...driver.server.acceptor import AnyListener
from ...driver.server.server import MasterServer
from ...errors import NotSaved
from ...storage import Stored
from ...texts import Texts
from ...transports.site import Site
from ...web import SUBPROTOCOLS
from ...world import World
from ..gmcp import Return
from ..mud import MILLENNIUM
from ..pipe import PipeListener
from . import inside
from .actions import ACTIONS, COMINGS, Action
from .by_words import StoredRecords
from .disk import SimulatedDisk, small_slices
from .doors import DOORS, TELNET, TLS, layered
from .games import GAMES, SimulatedGame
from .hostile import OUTCOMES
from .network import Quality
from .operators import OPERATORS
from .plan import JOINERS, PlanStep, RunPlan
from .plan import quality as any_quality
from .players import SimulatedPlayer
from .scenes import return_after_restart
from .storage_trace import StorageTrace
from .trace import Trace
from .world_trace import WorldTrace, judge_places

CALM: Final = 16.0  # seconds without a new fault, in which all must settle; above any limit of a plan except the grace
REST: Final = 3.0  # seconds in which players read the rest after the end

TEXTS: Final = Texts(
    server_full="[full]",
    too_many_from_address="[too many]",
    connect_failed="[stuck]",
    connect_too_slow="[slow door]",
    refused="[refused]",
    command_failed="[failed]",
    command_too_slow="[too slow]",
    line_cut="[cut]",
    output_dropped="[dropped]",
    idle_warning="[are you there]",
    missed="[missed {count}]",
    no_input="[silent]",
    idle="[idle]",
    taken_over="[taken over]",
    protocol_abuse="[abuse]",
    shutdown="[closing]",
    world_away="[away]",
    world_restarted="[restarted]",
    world_silent="[world silent]",
    world_back="[world back]",
)


class Harness:
    """One run; of a game with records, one life of it.

    Attributes:
        trace: The record of the run.
        server: The real server.
        listener: The listener of its telnet port.
        outside: Cancelled by an operator; cancels `serve`.
        pause: Seconds to wait after the current step.
    """

    actions: ClassVar[Mapping[str, Action]] = ACTIONS

    def __init__(
        self,
        plan: RunPlan,
        game: Callable[[Trace], SimulatedGame] | None = None,
        stored: Stored | None = None,
        before: Trace | None = None,
    ) -> None:
        self.plan = plan
        self._before = None if before is None else before.world
        former = () if before is None else before.players
        self._kept_returns = [
            player.terminal.returns for player in former if player.terminal and player.terminal.returns
        ]
        self.server: MasterServer = MasterServer(Hooks(), limits=plan.limits, texts=TEXTS)
        set_up(self.server, f"{plan.life}-" if plan.life else "")
        self.trace = Trace(plan, self.server)
        self.game = (game or GAMES[plan.game])(self.trace)
        self.server.hooks = self.trace.hooks_around(self.game.hooks)
        if self.game.records is not None:
            self.trace.judge, self.trace.judge_step = self.game.records.judge, self.game.records.judge_step
            self.trace.storage = StorageTrace(SimulatedDisk(stored, Random(f"disk {plan.seed} {plan.life}")))
        self.listener = PipeListener()
        self._tls_listener, self._web_listener = PipeListener(), PipeListener()
        self.outside: trio.CancelScope = trio.CancelScope()
        self.pause = 0.0
        self._peers: trio.Nursery | None = None
        self._done = 0  # steps of the script

    async def play(self) -> None:
        """Play from the first step to the last task."""
        before = trio.lowlevel.current_statistics().tasks_living
        if OPERATORS[self.plan.operator].counts_task_steps and self.trace.steps is not None:
            self.trace.steps.cut_at = self.plan.ends_at
            self.trace.steps.cut = self._end
        async with trio.open_nursery() as peers:
            self._peers = peers
            if self.game.records is not None and self.trace.storage is not None:
                await self._serve_stored(self.game.records, self.trace.storage)
            else:
                await self._serve()
            await trio.sleep(REST)
            peers.cancel_scope.cancel()
            self._peers = None
        self.game.close()
        self.trace.tasks_left = trio.lowlevel.current_statistics().tasks_living - before

    def after_restart(self) -> RunPlan | None:
        """Return the plan of the next life of the game, after `play`; None if there is none."""
        if self.trace.storage is None:
            return None
        task_steps = 0 if self.trace.steps is None else self.trace.steps.count
        return self.plan.after_restart(self._done, len(self.players), task_steps)

    async def _serve_stored(self, records: StoredRecords, storage: StorageTrace) -> None:
        """Serve a game with records, and record what is stored."""
        disk, chance = storage.disk, Random(f"store {self.plan.seed} {self.plan.life}")
        opened = records.game.open(
            disk,
            options=records.options,
            interval=chance.choice((0.5, 1.0)),
            cleanup=self.plan.limits.cleanup_timeout,
            executor=disk.execute,
            wall_clock=self.server.wall_clock,
        )
        try:
            with small_slices(chance):
                async with opened as (hooks, world):
                    storage.watch(world.store)
                    self._watch_world(storage, world)
                    self.server.hooks, self.server.world = self.trace.hooks_around(hooks), world
                    disk.is_faulty = self.plan.faults
                    await self._serve()
        except NotSaved as error:
            storage.close(is_lossy=True)
            if self.trace.calm_at is not None and not disk.is_dead:  # no fault, and no call that hangs, was left
                self.trace.fault("I-21a", f"the disk works, and at the end {error}")
        else:
            storage.close(is_lossy=False)

    def _watch_world(self, storage: StorageTrace, world: World) -> None:
        """Record a world of things, and compare it with what was kept."""
        if inside.has_things(world):
            self.trace.world = WorldTrace(world)
            for text in self.trace.world.at_opening(storage.commits[0], storage.moments[-1], self._before):
                self.trace.fault("I-21c", text)
            judge = self.trace.judge
            self.trace.judge = lambda kept: (*judge(kept), *judge_places(kept, partial(inside.kind_of_thing, world)))

    async def _serve(self) -> None:
        if self.trace.operated_at is not None:  # it acted while the store was opened, and takes effect now
            self.trace.operate()
        try:
            with self.outside:
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.server.serve, self._listeners())
                    nursery.start_soon(self._direct)
                    await self.server.closed.wait()
                    nursery.cancel_scope.cancel()
        except BaseException as error:
            self.trace.raised = unwrap_single(error)
            if not isinstance(self.trace.raised, OPERATORS[self.plan.operator].raises):
                if isinstance(error, trio.Cancelled):
                    raise
                self.trace.fault("I-19", f"serve raised {self.trace.raised!r}")
        self.trace.closed_at = trio.current_time()

    def _listeners(self) -> list[AnyListener]:
        if not self.plan.is_mixed:
            return [self.listener]
        site = Site(SUBPROTOCOLS, limits=self.plan.limits)
        return [self.listener, *layered(self._tls_listener, self._web_listener, site, self.trace.sends_to)]

    async def _direct(self) -> None:
        """Do all steps in order, then wait for quiet."""
        await self._follow_script()
        if self.trace.storage is not None:
            self.trace.storage.disk.is_faulty = False
        await trio.sleep(CALM)
        if not self.server.is_closing:
            self.trace.keep_calm()
            self.server.shutdown()

    async def _follow_script(self) -> None:
        """Do all steps in order."""
        by_script = not OPERATORS[self.plan.operator].counts_task_steps
        if self.plan.is_mixed and self._kept_returns:
            chance = Random(f"restart {self.plan.seed} {self.plan.life}")
            self.start(partial(return_after_restart, self, self._kept_returns, chance))
        for number, step in enumerate(self.plan.steps):
            if by_script and number == self.plan.ends_at:
                self._end()
            self._done = number + 1
            self._do(step)
            pause, self.pause = self.pause, 0.0
            await trio.sleep(pause)
        if by_script and self.plan.ends_at >= len(self.plan.steps):
            self._end()
        for player in self.players:
            player.recover()

    def _end(self) -> None:
        self.trace.operate()
        OPERATORS[self.plan.operator].act(self)

    def _do(self, step: PlanStep) -> None:
        action, chance = self.actions[step.action], Random(step.chance)
        player = self.players[step.player % len(self.players)] if self.players else None
        if player is None and step.action not in COMINGS:
            return  # no action is possible before the first player has connected
        if COMINGS[step.action](self, chance) if player is None else action.act(self, player, chance):
            self.trace.fired[step.action] += 1

    # Called by actions

    @property
    def players(self) -> list[SimulatedPlayer]:
        """The players that have connected, in order."""
        return self.trace.players

    def start(self, work: Callable[[], Awaitable[object]]) -> None:
        """Start a peer's work that may wait."""
        if self._peers is not None:
            self._peers.start_soon(work)

    def join(
        self,
        chance: Random,
        *,
        address: str = "",
        outcome: str = "",
        quality: Quality | None = None,
        program: str = "",
        came_from: SimulatedPlayer | None = None,
        returns: Return | None = None,
        doors: Sequence[str] = DOORS,
    ) -> SimulatedPlayer | None:
        """Connect a player by one of these doors; return None if the listener is closed."""
        door = _peek(chance, "door").choice(doors) if self.plan.is_mixed else TELNET
        number = len(self.players) + 1
        host = address.rpartition("::")[0] or f"2001:db8:0:{chance.choice((1, 1, 2, 3))}"
        player = SimulatedPlayer(
            number,
            f"{host}::{number:x}",
            any_quality(chance) if quality is None else quality,
            program or chance.choice(JOINERS),
            Random(chance.getrandbits(32)),
            outcome or chance.choice(OUTCOMES),
            self.start,
            came_from,
            returns=returns,
            door=door,
        )
        try:
            self._connect(player)
        except ConnectionRefusedError:
            return None
        self.start(player.listen)
        return player

    def _connect(self, player: SimulatedPlayer) -> None:
        self._listener_of(player.door).connect(player.pipe)
        self.trace.meet(player)

    def _listener_of(self, door: str) -> PipeListener:
        return {TELNET: self.listener, TLS: self._tls_listener}.get(door, self._web_listener)

    def lines(self, player: SimulatedPlayer, chance: Random, count: int) -> list[str]:
        """Return lines of the game to type."""
        return [self.game.line(player, chance) for _ in range(count)]

    def types(self, player: SimulatedPlayer, lines: Sequence[str]) -> bool:
        """Make a player type."""
        return bool(lines) and self.sends(player, player.encode("".join(f"{line}\r\n" for line in lines)))

    def sends(self, player: SimulatedPlayer, data: bytes) -> bool:
        """Make a player's program send."""
        if not player.can_type:
            return False
        self.start(partial(player.type, data))
        return True

    def fails(self, error: OSError) -> bool:
        """Make the next accept fail."""
        try:
            self.listener.fail(error)
        except trio.BrokenResourceError:
            return False
        return True

    def kill(self) -> None:
        """End the server as `kill -9` ends a process: nothing more is stored, and no function of the game runs."""
        if self.trace.storage is not None:
            self.trace.storage.disk.is_dead = True
        self.server.hooks = self.trace.hooks_around(Hooks())
        self.outside.cancel()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt inside a hook."""
        self.server.after(0, _interrupted)


def set_up(server: MasterServer, life: str) -> None:
    """Set what a server takes from outside its process: the time of day, and secrets, which contain the given text."""
    server.wall_clock = lambda: MILLENNIUM + trio.current_time()
    secrets = itertools.count(1)
    server.sessions.new_secret = lambda: f"token{life}{next(secrets)}"


def _peek(chance: Random, purpose: str) -> Random:
    """Return a source of chance for a further purpose, and leave the given one as it is."""
    ahead = Random()
    ahead.setstate(chance.getstate())
    return Random(f"{purpose} {ahead.random()}")


@disable_ki_protection
def _interrupted() -> None:
    raise KeyboardInterrupt
