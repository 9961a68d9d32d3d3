"""The web port and the watch: players by WebSocket, and a page by which operators watch a running game.

The web port joins the transport (`trio_mud.transports.websocket`) to the codecs of the subprotocols that MUD clients
and pages use (`trio_mud.telnet`). The watch is a port of its own beside the server.
"""

from .ports import SUBPROTOCOLS, open_web
from .watch import ServerWatch, open_watch

__all__ = ["SUBPROTOCOLS", "ServerWatch", "open_watch", "open_web"]
