"""The client side of GMCP for test players: announces packages, and stores received messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..telnet import Engine, GmcpReceived, Json, Option, Policy
from ..telnet.codes import GMCP
from ..telnet.gmcp_messages import decode_gmcp, encode_gmcp

Message = tuple[str, Json]


class Return(NamedTuple):
    """What a client keeps for its return, from `Session.Token`, and the line ends it has received."""

    token: str
    lines: int


class TakesGmcp(Option):
    """Sends the greeting of a client as soon as the server offers GMCP.

    Args:
        packages: The supported packages, with a version if needed, such as "Room 1".
        messages: Receives each message of the server, as package and data.
        returns: What an earlier link of the client kept; it is presented behind the greeting.

    Attributes:
        returns: What this link has kept; None without a token.
    """

    code = GMCP
    theirs = Policy.ACCEPT
    subnegotiation_limit = 1024 * 1024  # bytes; Mudlet accepts 5 MiB

    def __init__(self, packages: Sequence[str], messages: list[Message], returns: Return | None = None) -> None:
        self._packages = [name if " " in name else f"{name} 1" for name in packages]
        self._messages = messages
        self._presents = returns
        self.returns: Return | None = None

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        if enabled:
            engine.send_encoded(encode_gmcp("Core.Hello", {"client": "trio_mud.testing", "version": "1"}))
            engine.send_encoded(encode_gmcp("Core.Supports.Set", self._packages))
            if self._presents is not None:
                engine.send_encoded(encode_gmcp("Session.Resume", self._presents._asdict()))

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        message = decode_gmcp(payload)
        assert isinstance(message, GmcpReceived), f"the server sent broken GMCP: {payload!r}"
        self._messages.append((message.package, message.data))
        data = message.data if isinstance(message.data, dict) else {}
        lines = data.get("lines", self.returns.lines if self.returns is not None else 0)
        assert isinstance(lines, int), f"the server sent {message.package} with lines that are no number"
        if message.package == "Session.Token":
            self.returns = Return(str(data["token"]), lines)
        elif message.package == "Session.Resumed" and self.returns is not None:
            self.returns = self.returns._replace(lines=lines)
        elif message.package == "Session.Void":
            self.returns = None

    def count(self, text: bytes) -> None:
        """Count the line ends of received text."""
        if self.returns is not None:
            self.returns = self.returns._replace(lines=self.returns.lines + text.count(b"\n"))
