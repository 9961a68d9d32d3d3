"""The program of a world: the game and its database, without ports. Its players are at a gateway."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from ..cluster.redis_link import RedisWorldEnd
from ..cluster.shares import limits_of_world
from ..cluster.world import WorldService
from ..driver.core.guard import log_error
from ..driver.core.hooks import Hooks
from ..driver.server.events import Reloaded
from ..driver.server.places import Place, Places
from ..driver.server.running import Lifespan, serve_places
from ..driver.server.server import MasterServer
from ..driver.server.watchdog import end_process
from ..world import Game
from .admin_command import console_of
from .effective import Effective
from .links import open_world_end
from .reload import enable_reload
from .renewal import renew_with_code
from .serving import CheckedProgram, begin_log, open_storage
from .supervision import READY, RELOADED, SERVING, WATCHED, Reporter
from .watching import watching, within_all

__all__ = ["EXIT_FENCED", "serve_world"]

EXIT_HANDED_OVER = 0
EXIT_NOT_STARTED = 1  # the game has failed on `Started`
EXIT_FENCED = 3  # another world has claimed, and nothing was written

logger = logging.getLogger("trio_mud")


def serve_world(
    program: CheckedProgram,
    *,
    waits: bool,
    reporter: Reporter,
    reread: Callable[[], Effective],
    goes_first: bool = False,
) -> None:
    """Serve a world until it is stopped, or hands over on SIGUSR1.

    Args:
        program: The checked program.
        waits: True to wait, with the game imported, as long as another world serves.
        reporter: Receives what this process does.
        reread: As for `serve_program`.
        goes_first: True to serve before the worlds that wait already, as the new world of a hand-over.

    Raises:
        ConfigurationError: A setting is wrong.
        LinkUnavailable: The gateway does not answer, or another world serves.
        CannotListen, CannotOpenConsole: The watch or the console cannot be opened.
    """
    configuration, game = program.effective.configuration, program.game
    is_world = trio.Event()  # from its turn on; until then it is a spare
    name = (lambda: "world" if is_world.is_set() else "spare") if reporter.is_supervised else None
    begin_log(program.effective, name)
    end = open_world_end(
        program.effective,
        waits=waits,
        is_supervised=reporter.is_supervised,
        goes_first=goes_first,
        asked=partial(reporter.report, READY),  # not before: it could be too late for its turn
    )
    world = WorldService(end, fenced=_end_fenced, given_up=partial(_end_not_started, reporter))
    hooks = game if isinstance(game, Hooks) else Hooks()
    limits = limits_of_world(configuration.limits)
    server = MasterServer(hooks, limits=limits, texts=configuration.texts, services=[world])
    enable_reload(server, program.name)
    renew_with_code(server, program.effective, reread)
    _report_reloads(server, reporter)

    @asynccontextmanager
    async def claimed(server: MasterServer) -> AsyncGenerator[None]:
        if waits:
            logger.info("the game is loaded, and waits for the world that serves")
        async with world.claimed():
            is_world.set()
            yield

    def announce(server: MasterServer, places: Sequence[Place]) -> None:
        logger.info("the world serves, with epoch %d", end.epoch)
        reporter.report(SERVING)

    lifespans: list[Lifespan] = [reporter.watched, claimed]
    show_page = partial(reporter.report, WATCHED) if reporter.is_supervised else _print_page
    lifespans.append(watching(configuration.watch, program.certificate, show_page))
    if isinstance(game, Game) and program.backend is not None:
        lifespans.append(open_storage(game, program.backend, configuration, world.journal))
    lifespans.append(_handing_over(world, reporter, end.hand_over_wanted if isinstance(end, RedisWorldEnd) else None))
    serve_places(
        server,
        Places(None, 0, None, None, (), listeners=[world.listener]),
        on_open=announce,
        lifespan=within_all(lifespans),
        console=console_of(configuration, program.backend),
        needs_console=configuration.operations.socket is not None,
    )


def _report_reloads(server: MasterServer, reporter: Reporter) -> None:
    """Report each reload of the game, so that the spare, which has imported the code before, is replaced."""
    reload_game = server._reload
    assert reload_game is not None

    async def reload() -> Reloaded:
        done = await reload_game()
        reporter.report(RELOADED)
        return done

    server._reload = reload


def _print_page(page: str) -> None:
    print(f"To watch the game: {page}", flush=True)


def _end_fenced() -> None:
    end_process(EXIT_FENCED, "another world has claimed the cluster link: this one ends without saving")


def _end_not_started(reporter: Reporter, error: BaseException) -> None:
    log_error(error, "the game has failed to start")
    reporter.fail(error)
    end_process(EXIT_NOT_STARTED, "this world ends without saving; players stay connected for the next one")


def _handing_over(world: WorldService, reporter: Reporter, wanted: trio.Event | None) -> Lifespan:
    """Return a lifespan in which SIGUSR1, or a request, lets another world continue, and ends this process."""

    @asynccontextmanager
    async def hand_over_on_signal(server: MasterServer) -> AsyncGenerator[None]:
        async def wait_for_signal() -> None:
            with trio.open_signal_receiver(signal.SIGUSR1) as signals:
                async for _ in signals:
                    await _hand_over(world, "the supervisor" if reporter.is_supervised else "SIGUSR1")

        async def wait_for(request: trio.Event) -> None:
            await request.wait()
            await _hand_over(world, "trio-mud handover")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_signal)
            if wanted is not None:
                nursery.start_soon(wait_for, wanted)
            yield
            nursery.cancel_scope.cancel(reason="the world ends")

    return hand_over_on_signal


async def _hand_over(world: WorldService, who: str) -> None:
    """Let another world continue with all players, and end this process."""
    logger.info("%s has asked this world to hand over: another one continues with all players", who)
    await world.hand_over()  # what is not in the database yet is held by the cluster link
    for handler in logging.getLogger().handlers:
        handler.flush()
    # Without an end of the server: its players would leave. So the block of `claimed` is not left, which would release.
    await world.release()  # over Redis the next world would otherwise wait for the lease
    os._exit(EXIT_HANDED_OVER)
