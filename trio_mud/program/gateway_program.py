"""The program of a gateway: the ports of the server, and the cluster link to its world. It does not import the game."""

from __future__ import annotations

from collections.abc import Sequence

from ..cluster.gateway import GatewayService
from ..cluster.shares import limits_of_gateway
from ..driver.server.places import Place
from ..driver.server.running import serve_places
from ..driver.server.server import MasterServer
from . import announcements
from .effective import Effective
from .links import gateway_name, open_gateway_end
from .serving import begin_log, check_ports, make_folder, places_of
from .supervision import READY, Reporter

__all__ = ["serve_gateway"]


def serve_gateway(effective: Effective, reporter: Reporter) -> None:
    """Serve a gateway until it is stopped.

    Args:
        effective: The configuration.
        reporter: Receives the lines that say how to connect, once the ports are open; without a supervisor they are
            printed.

    Raises:
        ConfigurationError: A setting is wrong.
        CannotListen: A port cannot be bound.
        LinkUnavailable: The cluster link cannot be opened.
    """
    configuration = effective.configuration
    certificate = check_ports(effective)
    record = make_folder(effective)
    begin_log(effective)
    end, incarnation = open_gateway_end(effective)
    gateway = GatewayService(gateway_name(configuration), end, incarnation=incarnation)
    limits = limits_of_gateway(configuration.limits)
    server = MasterServer(gateway.hooks, limits=limits, texts=configuration.texts, services=[gateway])

    def announce(server: MasterServer, places: Sequence[Place]) -> None:
        text = announcements.welcome(configuration.game, places)
        if reporter.is_supervised:
            reporter.report(READY, text)
        else:
            print(text, flush=True)

    serve_places(
        server,
        places_of(effective, certificate, server),
        on_open=announce,
        record=record,
        lifespan=reporter.watched,
    )
