"""The client's side of GMCP, for players of the kit: it says which packages it takes, and keeps what it is sent."""

from __future__ import annotations

from collections.abc import Sequence

from ..telnet import Engine, GmcpReceived, Json, Option, Policy
from ..telnet.codes import GMCP
from ..telnet.gmcp_messages import decode_gmcp, encode_gmcp

Message = tuple[str, Json]


class TakesGmcp(Option):
    """Greets as clients do, as soon as the server offers GMCP.

    Args:
        packages: Those it takes, with a version if it matters, such as "Room 1".
        messages: Where each message of the server's is put, as package and data.
    """

    code = GMCP
    theirs = Policy.ACCEPT
    subnegotiation_limit = 1024 * 1024  # bytes; Mudlet takes 5 MiB

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
