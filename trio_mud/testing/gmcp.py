"""The client side of GMCP for test players: announces packages, and stores received messages."""

from __future__ import annotations

from collections.abc import Sequence

from ..telnet import Engine, GmcpReceived, Json, Option, Policy
from ..telnet.codes import GMCP
from ..telnet.gmcp_messages import decode_gmcp, encode_gmcp

Message = tuple[str, Json]


class TakesGmcp(Option):
    """Sends the greeting of a client as soon as the server offers GMCP.

    Args:
        packages: The supported packages, with a version if needed, such as "Room 1".
        messages: Receives each message of the server, as package and data.
    """

    code = GMCP
    theirs = Policy.ACCEPT
    subnegotiation_limit = 1024 * 1024  # bytes; Mudlet accepts 5 MiB

    def __init__(self, packages: Sequence[str], messages: list[Message]) -> None:
        self._packages = [name if " " in name else f"{name} 1" for name in packages]
        self._messages = messages

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        if enabled:
            engine.send_encoded(encode_gmcp("Core.Hello", {"client": "trio_mud.testing", "version": "1"}))
            engine.send_encoded(encode_gmcp("Core.Supports.Set", self._packages))

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        message = decode_gmcp(payload)
        assert isinstance(message, GmcpReceived), f"the server sent broken GMCP: {payload!r}"
        self._messages.append((message.package, message.data))
