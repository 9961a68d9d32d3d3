"""`trio-mud gateway`, `world`, `serve` and `handover`: a server in two processes and more.

`serve` runs the other two, with a spare world, under a supervisor.
"""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cyclopts
import trio
from cyclopts import Parameter

from ..cluster.ends import LinkUnavailable
from ..cluster.redis_handover import HandOverRefused, hand_over_by_redis
from ..driver.core.guard import unwrap_single
from ..errors import ConfigurationError
from ..transports.inherited import VARIABLES, take_inherited
from .admin_command import Reply, ask
from .effective import Effective, find_configuration
from .gateway_program import serve_gateway
from .links import default_link, port_of_gateway_watch, redis_of
from .options import NO_OPTIONS, OF_NO_GATEWAY, OF_NO_WORLD, GatewayOptions, RunOptions, WorldOptions
from .serving import begin_log, check_ports, prepare
from .sources import OptionText
from .supervision import Reporter
from .supervisor import HAND_OVER, HAND_OVER_TIMEOUT, LOADING_TIMEOUT, ClusterSupervisor, control_path
from .world_program import serve_world

__all__ = ["add_cluster_commands"]

CLEAN = 0
FAILED = 1
HAND_OVER_PATIENCE = 2 * (LOADING_TIMEOUT + 2 * HAND_OVER_TIMEOUT)  # seconds; another hand-over may come before it
_FLAG = Parameter(negative="", show_default=False)
_HIDDEN = Parameter(show=False)
# In place of the program's last paragraphs, whose exit statuses are those of a server.
_OF_HANDOVER = (
    "Exit status: 0 the new code has taken over, 1 it has not, and the previous code keeps running, "
    "2 usage or configuration, 75 no server answers."
)
_Game = Annotated[str | None, Parameter(show_default=False)]


def add_cluster_commands(app: cyclopts.App) -> None:
    """Add the commands to the command line."""
    app.command(_gateway, name="gateway")
    app.command(_world, name="world")
    app.command(_serve, name="serve")
    app.command(_hand_over, name="handover", help_epilogue=_OF_HANDOVER)


def _gateway(
    game: Annotated[str | None, _HIDDEN] = None,
    /,
    *,
    options: GatewayOptions = OF_NO_GATEWAY,
    supervisor: Annotated[int | None, _HIDDEN] = None,
) -> int:
    """Hold the connections of players whose game runs in another process, the world, until it is stopped.

    The two reach each other by the cluster link, which `--link` names. The gateway has the ports, TLS, telnet and
    WebSocket, and runs no code of the game. SIGHUP reloads the certificate. To have both on one machine, use
    trio-mud serve.
    """
    if game is not None:
        raise ConfigurationError(f"a gateway runs no game: leave out {game}, and give it to trio-mud world")
    reporter = Reporter(supervisor)
    with reporter.failing():
        serve_gateway(find_configuration(options.config, options.texts(None), os.environ), reporter)
    return CLEAN


def _world(
    game: _Game = None,
    /,
    *,
    options: WorldOptions = OF_NO_WORLD,
    standby: Annotated[bool, _FLAG] = False,
    first: Annotated[bool, _HIDDEN] = False,
    supervisor: Annotated[int | None, _HIDDEN] = None,
) -> int:
    """Run a game whose players are connected to gateways, until it is stopped.

    It reaches the gateways by the cluster link, which `--link` names. SIGUSR1 hands over to a world that waits. Once
    another world has taken over, this one writes nothing more.

    Args:
        game: As for run.
        standby: Import the game, and wait as long as another world serves; then continue with its players.
    """
    environment, reporter = dict(os.environ), Reporter(supervisor)

    def read() -> Effective:
        return find_configuration(options.config, options.texts(game), environment)

    with reporter.failing():
        serve_world(prepare(read()), waits=standby, reporter=reporter, reread=read, goes_first=first)
    return CLEAN


def _serve(game: _Game = None, /, *, options: RunOptions = NO_OPTIONS) -> int:
    """Serve a game so that players stay connected when it fails, or when new code takes over.

    Three processes do that: a gateway holds the connections, a world runs the game, and a spare world waits to take
    over. Each is started again when it ends. New code takes over by `trio-mud handover`, or by SIGHUP, which reloads
    the certificate as well. `--watch-port` is the port of the world's page, and the next one that of the gateway's.

    Args:
        game: As for run.
    """
    effective = find_configuration(options.config, options.texts(game), os.environ)
    check_ports(effective)
    link = default_link(effective)
    begin_log(effective, lambda: "serve")
    names = os.environ.get(VARIABLES[2])
    inherited = take_inherited(os.environ, os.getpid())
    sockets = names.split(":") if names is not None and inherited else ["unknown"] * len(inherited)
    ours = replace(options, link=str(link)).arguments()
    watch = effective.configuration.watch
    page_of_gateway = [] if watch.port is None else ["--watch-port", str(port_of_gateway_watch(effective))]
    program = [sys.executable, "-m", "trio_mud"]
    own_game = [] if game is None else [game]
    at_gateway = [*replace(options, link=str(link), watch_port=None).arguments(), *page_of_gateway]
    if game is not None:
        at_gateway += ["--set", f"game={game}"]
    supervisor = ClusterSupervisor(
        [*program, "gateway", *at_gateway],
        [*program, "world", *own_game, *ours],
        control_path(link),
        sockets,
        token=secrets.token_urlsafe(16) if watch.port is not None and watch.token is None else "",
    )
    try:
        return trio.run(supervisor.run)
    except BaseExceptionGroup as group:
        raise unwrap_single(group) from None
    except OSError as error:
        raise LinkUnavailable(
            f"cannot bind {control_path(link)}: {error.strerror or error}; name another link with --link"
        ) from error


def _hand_over(
    game: _Game = None,
    /,
    *,
    link: Annotated[str | None, Parameter(metavar="SOCKET", show_default=False)] = None,
    config: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
) -> int:
    """Let new code of a game take over while all players stay connected.

    Under `trio-mud serve` a new process imports the code as it is now, and then takes over. If it cannot, the error is
    printed, and the previous code keeps running. With a link to Redis, the world that serves hands over to a standby,
    which has imported the code when it was started.

    Args:
        game: The game, as it was given to serve.
        link: The cluster link, as it was given to serve or to the worlds.
        config: The TOML file of serve or of a world.
    """
    texts = [OptionText("game", "GAME", game)] if game is not None else []
    texts += [OptionText("cluster.link", "--link", link)] if link is not None else []
    effective = find_configuration(config, texts, os.environ)
    if (access := redis_of(effective)) is not None:
        try:
            seconds = trio.run(hand_over_by_redis, access, effective.configuration.cluster.world)
        except HandOverRefused as refused:
            print(refused)
            return FAILED
        print(f"another world has taken over in {seconds * 1000:.0f} ms")
        return CLEAN
    path = control_path(default_link(effective))
    reply: Reply = ask(
        path,
        HAND_OVER,
        remedy="give the GAME, --config or --link that trio-mud serve was given",
        patience=HAND_OVER_PATIENCE,
        if_silent="see its log: it may still hand over",
        connected=_say_that_it_loads,
    )
    print(reply.text)
    return FAILED if reply.has_failed else CLEAN


def _say_that_it_loads() -> None:
    if sys.stderr is not None:  # standard output has the result only
        print("a new process loads the code; players play on meanwhile", file=sys.stderr, flush=True)
