"""The harness of a split server: gateways, and one world after the other, on a cluster link in memory.

It plays a plan as `harness` does. Players connect to the gateways, and the game is in the worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import ClassVar, Final

import trio

from ...cluster.ends import Fenced
from ...cluster.gateway import GatewayService
from ...cluster.shares import limits_of_gateway, limits_of_world
from ...cluster.world import WorldService
from ...driver.connection.connection import Connection
from ...driver.core.guard import unwrap_single
from ...driver.core.hooks import Hooks
from ...driver.core.service import Service
from ...driver.server.acceptor import AnyListener
from ...driver.server.server import MasterServer
from ...errors import NotSaved, Superseded
from ...limits import Limits
from ...storage import Memory, Stored, inline
from ...storage.journal import ChangeJournal
from ...transports.site import Site
from ...web import SUBPROTOCOLS
from ..pipe import PipeListener
from . import inside
from .actions import ACTIONS, Action
from .determinism import Steps
from .disk import SimulatedDisk, small_slices
from .doors import TELNET, TLS, layered
from .games import GAMES, SimulatedGame
from .harness import CALM, REST, TEXTS, Harness, set_up
from .operators import OPERATORS
from .plan import RunPlan
from .players import SimulatedPlayer
from .split_actions import SPLIT_ACTIONS
from .split_trace import GatewayTrace, RecordedCluster, SplitTrace, WorldSideTrace
from .storage_trace import StorageTrace, state_of
from .trace import PATIENCE, Trace

HEALING: Final = 8.0  # seconds until every fault of the cluster link is over
HEARTBEAT: Final = 0.4  # seconds, as that of a cluster link whose claim expires
APART: Final = 3.0  # seconds between two comparisons of the two sides


class _Process:
    """One process of a split server, and its end."""

    def __init__(self, server: MasterServer, trace: GatewayTrace | WorldSideTrace) -> None:
        self.server = server
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.has_begun = False
        self._trace: GatewayTrace | WorldSideTrace = trace

    async def serve(self, listeners: Sequence[AnyListener]) -> None:
        """Serve until the end of this process."""
        trace = self._trace
        try:
            with self.scope:
                await self._serve(listeners)
        except BaseException as error:
            trace.raised = unwrap_single(error)
            if isinstance(error, trio.Cancelled):
                raise
            if not isinstance(trace.raised, Fenced | Superseded):
                trace.fault("I-19", f"serve raised {trace.raised!r}")
        finally:
            self.ended.set()

    async def _serve(self, listeners: Sequence[AnyListener]) -> None:
        self.has_begun = True
        try:
            await self.server.serve(listeners)
        finally:
            self._trace.closed_at = trio.current_time()

    def kill(self) -> None:
        """End it as `kill -9` does: no function of the game runs, and nothing is observed or stored."""
        self._trace.is_dead = True
        if self._trace.storage is not None:
            self._trace.storage.disk.is_dead = True
        self.server.hooks = Hooks()
        self.scope.cancel()


class _Gateway(_Process):
    """One gateway."""

    trace: GatewayTrace

    def __init__(self, harness: SplitHarness, name: str, incarnation: int) -> None:
        end = harness.cluster.gateway_end(name)
        service = GatewayService(name, end, incarnation=incarnation)
        server = _server(service.hooks, limits_of_gateway(harness.plan.limits), service)
        if harness.plan.game == "careless":  # as in that game, whose listing fails at each request
            server.mssp.data["LUCK"] = None  # type: ignore[assignment]
        self.trace = GatewayTrace(harness.plan, server, service, end, incarnation)
        server.hooks = self.trace.hooks_around(service.hooks)
        super().__init__(server, self.trace)
        self.listener = PipeListener()
        self._tls, self._web = PipeListener(), PipeListener()

    def listeners(self, harness: SplitHarness) -> list[AnyListener]:
        """Return the listeners of all its doors."""
        if not harness.plan.is_mixed:
            return [self.listener]
        site = Site(SUBPROTOCOLS, limits=self.server.limits)
        return [self.listener, *layered(self._tls, self._web, site, self.trace.sends_to)]

    def listener_of(self, door: str) -> PipeListener:
        """Return the listener of a door."""
        return {TELNET: self.listener, TLS: self._tls}.get(door, self._web)


class _World(_Process):
    """One world."""

    trace: WorldSideTrace

    def __init__(self, harness: SplitHarness, make_game: Callable[[Trace], SimulatedGame], number: int) -> None:
        end = harness.cluster.world_end()
        service = self.service = WorldService(end)
        end.heartbeat = HEARTBEAT
        self.listener = service.listener
        server = _server(Hooks(), limits_of_world(harness.plan.limits), service, f"-{number}-")
        self.trace = WorldSideTrace(harness.plan, server, service, end, number, harness.split)
        super().__init__(server, self.trace)
        self.game = make_game(self.trace)
        server.hooks = self.trace.hooks_around(self.game.hooks)
        if self.game.records is not None:
            self.trace.judge, self.trace.judge_step = self.game.records.judge, self.game.records.judge_step
            disk = SimulatedDisk(harness.stored, Random(f"disk {harness.plan.seed} {number}"))
            self.trace.storage = StorageTrace(disk)
        self._harness = harness

    async def _serve(self, listeners: Sequence[AnyListener]) -> None:
        """Serve, with the database of the earlier worlds if the game has records."""
        records, storage, trace = self.game.records, self.trace.storage, self.trace
        if records is None or storage is None:
            await super()._serve(listeners)
            return
        limits, chance = self._harness.plan.limits, Random(f"store {trace.plan.seed} {trace.number}")
        try:
            async with (
                self.service.claimed() as journal,
                records.game.open(
                    storage.disk,
                    options=records.options,
                    interval=chance.choice((0.5, 1.0)),
                    cleanup=limits.cleanup_timeout,
                    executor=storage.disk.execute,
                    wall_clock=self.server.wall_clock,
                    journal=journal,
                ) as (hooks, world),
            ):
                storage.watch(world.store)
                trace.opened()
                storage.disk.written = partial(self._has_written, storage, storage.disk.written)
                self.server.hooks, self.server.world = trace.hooks_around(hooks), world
                storage.disk.is_faulty = not self._harness.is_healing
                await super()._serve(listeners)
        except NotSaved as error:
            storage.close(is_lossy=True)
            if trace.calm_at is not None and not storage.disk.is_dead:
                trace.fault("I-21a", f"the disk works, and at the end {error}")
        else:
            # Without a last commit it has ended as by a death: what was not committed is not acknowledged either.
            has_last_word = not self.service.journal.is_bound and self._harness.cluster.epoch == trace.end.epoch
            if has_last_word:
                storage.commits.append(state_of(await self._harness.stored_for_next()))
            storage.close(is_lossy=not has_last_word)

    def _has_written(self, storage: StorageTrace, report: Callable[[], object]) -> None:
        report()
        if not self.service.journal.is_bound:
            self._harness.split.records.wrote_alone(storage)

    @property
    def is_serving(self) -> bool:
        """True if it has claimed the cluster link, and has not ended."""
        has_claimed = self.has_begun and self.trace.end.epoch > 0
        return has_claimed and not self.ended.is_set() and not self.trace.is_dead


class SplitHarness(Harness):
    """One run of a split server.

    Attributes:
        split: The record of the run.
        cluster: The cluster link.
        stored: The database of all its worlds.
        is_healing: True once no new fault occurs.
    """

    actions: ClassVar[Mapping[str, Action]] = {**ACTIONS, **SPLIT_ACTIONS}

    def __init__(self, plan: RunPlan, game: Callable[[Trace], SimulatedGame] | None, steps: Steps) -> None:
        super().__init__(plan, game)
        self.split = SplitTrace(plan)
        self.cluster = RecordedCluster(self.split)
        self.stored = Stored()
        self.is_healing = False
        self._make_game = game or GAMES[plan.game]
        self._steps = steps
        self._chance = Random(f"split processes {plan.seed}")
        self._gateways: list[_Gateway] = []
        self._worlds: list[_World] = []
        self._processes: trio.Nursery | None = None
        self._players: list[SimulatedPlayer] = []
        self._by_address: dict[str, SimulatedPlayer] = {}
        self._gateway_of: dict[SimulatedPlayer, _Gateway] = {}
        self._owners: dict[trio.lowlevel.Task, _Process | None] = {}

    async def stored_for_next(self) -> Stored:
        """Return the records with which a world would begin now: the database, with what the cluster link holds."""
        there, journal = self.stored, ChangeJournal()
        found = Stored(there.rows.copy(), there.entries.copy(), there.values.copy())
        journal.begin(self.cluster.epoch + 1, self.cluster.held.all())
        await journal.recover(Memory(found), inline)
        return found

    async def play(self) -> None:
        """Play from the first step to the last task."""
        before = trio.lowlevel.current_statistics().tasks_living
        with small_slices(Random(f"store {self.plan.seed}")):
            await self._play()
        for world in self._worlds:
            world.game.close()
        self.split.gateways[0].tasks_left = trio.lowlevel.current_statistics().tasks_living - before

    async def _play(self) -> None:
        async with trio.open_nursery() as peers:
            self._peers = peers
            async with trio.open_nursery() as processes:
                self._processes = processes
                for number in range(self._chance.choice((1, 1, 2))):
                    self._start_gateway(f"g{number + 1}", 1)
                self.start_world(self._chance.choice((0.0, 0.0, 0.2)))
                await self._follow_script()
                await self._settle()
            self._processes = None
            await trio.sleep(REST)
            peers.cancel_scope.cancel()
            self._peers = None

    def after_step(self) -> None:
        """Check the process of the task that has just run: no other can have changed."""
        process = self._owner(trio.lowlevel.current_task())
        if isinstance(process, _World | _Gateway):
            process.trace.after_step()

    async def _settle(self) -> None:
        """Wait until all faults are over and everything must have settled, compare the two sides, and end."""
        self.is_healing = True
        for world in self._worlds:
            if world.trace.storage is not None:
                world.trace.storage.disk.is_faulty = False
        await trio.sleep(HEALING)
        self.cluster.latency = 0.0
        self._steps.cut_at = self.split.at_quit = None
        if self._world.ended.is_set() or self._world.trace.is_dead:
            self.start_world(0.0)
        world = self._world
        await trio.sleep(CALM)
        if not world.server.is_closing:
            for trace in (*(gateway.trace for gateway in self._living), world.trace):
                trace.keep_calm()
            self.split.compare(world.trace)
            await trio.sleep(APART)
            self.split.compare(world.trace)
            for earlier in self._worlds[:-1]:
                if not earlier.ended.is_set():
                    self.split.fault(f"{earlier.trace} was replaced, and goes on")
                    earlier.scope.cancel()
            world.server.shutdown()
        await world.ended.wait()
        await trio.sleep(1)
        for gateway in self._living:
            gateway.server.shutdown()

    # Processes

    def start_world(self, delay: float) -> bool:
        """Start a world after a delay; it replaces the one that serves."""
        if self._processes is None:
            return False
        number = len(self._worlds) + 1
        world = _World(self, self._make_game, number)
        inside.number_from(world.server, number * 1000)
        world.trace.numbers = range(number * 1000, number * 1000 + 1000)
        world.trace.by_address, world.trace.log, world.trace.steps = self._by_address, self.split.log, self._steps
        self._worlds.append(world)
        self.split.worlds.append(world.trace)
        self.split.world_starts()
        self.server, self.trace, self.game, self.outside = world.server, world.trace, world.game, world.scope

        async def serve() -> None:
            await trio.sleep(delay)
            self._owners[trio.lowlevel.current_task()] = world
            await world.serve([world.listener])

        self._processes.start_soon(serve)
        return True

    def kill_world(self, chance: Random) -> bool:
        """Kill the world, and start the next one."""
        world = self._world
        if world.ended.is_set() or world.trace.is_dead:
            return False
        world.trace.end.kill(is_sent=chance.random() < 0.5)
        world.kill()
        return self.start_world(chance.choice((0.0, 0.1, 0.5, 2.0)))

    def hand_over(self) -> bool:
        """Let the world commit what it has, and end without closing a connection; then start the next one."""
        world = self._world
        if self._processes is None or not world.is_serving or world.server.is_closing:
            return False

        async def hand_over() -> None:
            with trio.move_on_after(PATIENCE):
                await world.service.hand_over()
            if not world.trace.is_dead:
                world.kill()
            if self._world is world:
                self.start_world(0.0)

        self._processes.start_soon(hand_over)
        return True

    def kill_gateway(self, chance: Random) -> bool:
        """Kill a gateway with all its connections, and start it again."""
        gateway = self.any_gateway(chance)
        if gateway is None or self._processes is None:
            return False
        gateway.trace.end.kill()
        gateway.kill()
        for player in self._players:
            if self._gateway_of[player] is gateway and player.can_type:
                player.vanish()
        self._start_gateway(gateway.trace.name, gateway.trace.incarnation + 1, chance.choice((0.0, 0.5, 5.0)))
        return True

    def any_gateway(self, chance: Random) -> _Gateway | None:
        """Return one of the gateways that live; None if there is none."""
        return chance.choice(self._living) if self._living else None

    def at_step(self, steps: int, act: Callable[[], object]) -> bool:
        """Act before a later step of any task; return False if another act waits for its step."""
        if self._steps.cut_at is not None and self._steps.cut_at > self._steps.count:
            return False
        self._steps.cut_at, self._steps.cut = self._steps.count + steps, act
        return True

    def at_quit(self, steps: int, act: Callable[[], object]) -> bool:
        """Act so many steps after a world has next decided to end a connection; return False if another act waits."""
        if self.split.at_quit is not None:
            return False
        self.split.at_quit = lambda: self.at_step(steps, act)
        return True

    @property
    def _world(self) -> _World:
        return self._worlds[-1]

    @property
    def _living(self) -> list[_Gateway]:
        return [gateway for gateway in self._gateways if not gateway.trace.is_dead and not gateway.ended.is_set()]

    def _start_gateway(self, name: str, incarnation: int, delay: float = 0.0) -> None:
        assert self._processes is not None, "called while it plays"

        async def serve() -> None:
            await trio.sleep(delay)
            gateway = _Gateway(self, name, incarnation)
            base = int(name[1:]) * 100_000  # the same after each start, as in a real process
            inside.number_from(gateway.server, base)
            gateway.trace.numbers = range(base, base + 100_000)
            gateway.trace.log, gateway.trace.steps = self.split.log, self._steps
            self._gateways.append(gateway)
            self.split.gateways.append(gateway.trace)
            self._owners[trio.lowlevel.current_task()] = gateway
            await gateway.serve(gateway.listeners(self))

        self._processes.start_soon(serve)

    def _owner(self, task: trio.lowlevel.Task | None) -> _Process | None:
        if task is None:
            return None
        if task not in self._owners:
            nursery = task.parent_nursery
            self._owners[task] = None if nursery is None else self._owner(nursery.parent_task)
        return self._owners[task]

    # Players

    @property
    def players(self) -> list[SimulatedPlayer]:
        """The players that have connected, in order."""
        return self._players

    def _connect(self, player: SimulatedPlayer) -> None:
        living = self._living
        if not living:
            raise ConnectionRefusedError("no gateway is there")
        gateway = living[player.number % len(living)]
        gateway.listener_of(player.door).connect(player.pipe)
        self._players.append(player)
        self._gateway_of[player] = gateway
        self._by_address[player.address] = player
        gateway.trace.meet(player)

    def forwards(self, connection: Connection, line: str) -> None:
        """Record a line that a gateway takes for the world."""
        gateway = self.split.gateway_of(connection)
        if gateway is not None:
            gateway.took(connection, line)

    def discards(self, connection: Connection) -> None:
        """Record that a gateway drops the lines that wait."""
        gateway = self.split.gateway_of(connection)
        if gateway is not None:
            gateway.watch(connection).may_skip = True

    def fails(self, error: OSError) -> bool:
        """Make the next accept of a gateway fail."""
        if not self._living:
            return False
        self.listener = self._living[0].listener
        return super().fails(error)

    def _end(self) -> None:
        if self._world.has_begun and not self._world.ended.is_set() and not self._world.trace.is_dead:
            self._world.trace.operate()
            OPERATORS[self.plan.operator].act(self)


def _server(hooks: Hooks, limits: Limits, service: Service, life: str = "") -> MasterServer:
    server = MasterServer(hooks, limits=limits, texts=TEXTS, services=[service])
    set_up(server, life)
    return server
