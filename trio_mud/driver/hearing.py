"""What the engine made of a peer's bytes, as the driver and the game hear it.

Facts about the peer's program go into `connection.client`; faults are counted; the rest becomes hook events.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .. import telnet
from .client import Size, Source
from .events import Cause, EchoRefused, GmcpMessage, HookEvent, Interrupt, MsdpMessage, Settled, WindowSize

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger("trio_mud")

# Harmless, and sent by real clients: some tell their size unasked.
_FORGIVEN = telnet.AnomalyKind.UNEXPECTED_SUBNEGOTIATION


def hear(connection: Connection, event: telnet.TelnetEvent) -> HookEvent | None:
    """Act on one engine event other than a whole line.

    Returns:
        An event of the game's, if it is to wait in turn with the lines, and count as one.
    """
    client = connection.client
    match event:
        case telnet.GmcpReceived(package, data):
            return GmcpMessage(connection, package, data)
        case telnet.MsdpReceived(variable, value):
            return MsdpMessage(connection, variable, value)
        case telnet.Interrupt(kind):
            return Interrupt(connection, kind)
        case telnet.Line():
            connection.tell(connection.server.texts.line_cut)
        case telnet.Resized(columns, rows):
            client.learn("size", Size(columns or 80, rows or 24), Source.NAWS)
            connection.signal(WindowSize(connection, *client.size))
        case telnet.TerminalType(name):
            client.learn_terminal(name)
        case telnet.ClientVariable(name, str() as told):
            client.learn_variable(name, told)
        case telnet.CharsetAgreed(name):
            client.learn("charset", name, Source.CHARSET)
        case telnet.ClientHello(program, version):
            client.learn("program", program, Source.GMCP)
            client.learn("version", version, Source.GMCP)
        case telnet.GmcpSupports(packages):
            client.packages = packages
        case telnet.Settled():
            connection.settle()
            connection.signal(Settled(connection))
        case telnet.EchoRefused():
            connection.signal(EchoRefused(connection))
        case telnet.Anomaly():
            _count(connection, event)
        case telnet.CompressionFailed(detail):
            logger.info("%s sends compressed bytes that cannot be read: %s", connection.name, detail)
            connection.server.counters["compression failed"] += 1
            connection.quit(connection.server.texts.protocol_abuse, cause=Cause.PROTOCOL)
        case telnet.OptionFailed(code, error):
            logger.error("telnet option %d failed for %s", code, connection.name, exc_info=error)
    return None


def _count(connection: Connection, anomaly: telnet.Anomaly) -> None:
    """A fault of the peer's: it costs nobody anything, but after some of them the connection ends."""
    server = connection.server
    logger.debug("%s: %s, %s", connection.name, anomaly.kind, anomaly.detail)
    server.counters[f"anomaly: {anomaly.kind}"] += 1
    if anomaly.kind is _FORGIVEN:
        return
    connection.anomalies += 1
    if server.limits.anomalies is not None and connection.anomalies >= server.limits.anomalies:
        connection.quit(server.texts.protocol_abuse, cause=Cause.PROTOCOL)
