"""The web port: players by WebSocket, in the subprotocols that MUD clients and pages use.

It joins the transport (`trio_mud.transports.websocket`) to the codecs of the subprotocols (`trio_mud.telnet`).
"""

from .ports import SUBPROTOCOLS, open_web

__all__ = ["SUBPROTOCOLS", "open_web"]
