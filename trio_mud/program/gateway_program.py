"""The program of a gateway: the ports of the server, and the cluster link to its world. It does not import the game."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..cluster.gateway import GatewayService
from ..cluster.shares import limits_of_gateway, texts_of_gateway
from ..driver.server.places import Place
from ..driver.server.running import Lifespan, serve_places
from ..driver.server.server import MasterServer
from . import announcements
from .effective import DEFAULT, Effective
from .links import gateway_console, gateway_name, open_gateway_end
from .serving import begin_log, check_ports, make_folder, places_of
from .supervision import READY, WATCHED, Reporter
from .watching import watching, within_all

__all__ = ["serve_gateway"]


def serve_gateway(effective: Effective, reporter: Reporter) -> None:
    """Serve a gateway until it is stopped.

    Args:
        effective: The configuration.
        reporter: Receives the lines that say how to connect, once the ports are open; without a supervisor they are
            printed.

    Raises:
        ConfigurationError: A setting is wrong.
        CannotListen: A port, or that of the watch, cannot be bound.
        LinkUnavailable: The cluster link cannot be opened.
    """
    configuration = effective.configuration
    certificate = check_ports(effective)
    record = make_folder(effective)
    begin_log(effective, (lambda: "gateway") if reporter.is_supervised else None)
    end, incarnation = open_gateway_end(effective)
    gateway = GatewayService(gateway_name(configuration), end, incarnation=incarnation)
    limits = limits_of_gateway(configuration.limits)
    texts = texts_of_gateway(configuration.texts)
    server = MasterServer(gateway.hooks, limits=limits, texts=texts, services=[gateway])

    def announce(server: MasterServer, places: Sequence[Place]) -> None:
        # A gateway that was started by itself need not know what its world serves.
        name = f"Gateway {gateway_name(configuration)}" if effective.source("game") == DEFAULT else configuration.game
        text = announcements.welcome(name, places)
        if reporter.is_supervised:
            reporter.report(READY, text)
        else:
            print(text, flush=True)

    show_page = partial(reporter.report, WATCHED) if reporter.is_supervised else _print_page
    lifespans: list[Lifespan] = [
        reporter.watched,
        watching(configuration.watch, certificate, show_page, gateway.unready),
    ]
    serve_places(
        server,
        places_of(effective, certificate, server),
        on_open=announce,
        record=record,
        lifespan=within_all(lifespans),
        console=gateway_console(effective, is_supervised=reporter.is_supervised),
    )


def _print_page(page: str) -> None:
    print(f"To watch the gateway: {page}", flush=True)
