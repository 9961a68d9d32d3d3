"""The client side of telnet for test players: collects text for the screen, and answers the server."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from ..telnet import AnomalyKind, Engine, Option, Policy
from ..telnet.client import LetsHide, TelnetClient
from ..telnet.codes import NAWS, TTYPE
from .gmcp import Message, Return, TakesGmcp


class _TellsSize(Option):
    """Sends 2 x 2 bytes, big-endian: columns, rows. RFC 1073."""

    code = NAWS
    ours = Policy.ACCEPT

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if enabled:
            send_size(engine, self.columns, self.rows)


class _TellsTerminal(Option):
    """Sends its names one by one, then the last one again. RFC 1091."""

    code = TTYPE
    ours = Policy.ACCEPT

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._next = 0

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        if payload == b"\x01":  # SEND
            name = self._names[min(self._next, len(self._names) - 1)]
            self._next += 1
            engine.send_subnegotiation(TTYPE, b"\x00" + name.encode())


class Terminal(TelnetClient):
    """Shows the server's output as text, and answers as a client would.

    Args:
        columns: Width of its window; None: it does not send its size.
        rows: Height of its window; None as for `columns`.
        names: Its answers to TTYPE, in order; if empty, it refuses TTYPE.
        gmcp: The packages it supports; if empty, it refuses GMCP.
        returns: What an earlier link of the program kept for its return, `Terminal.returns`.
        more: Further options; seen from its side, `theirs` is the server's.

    Attributes:
        gmcp: Every GMCP message received.
    """

    def __init__(
        self,
        columns: int | None = None,
        rows: int | None = None,
        names: tuple[str, ...] = (),
        *,
        gmcp: Sequence[str] = (),
        returns: Return | None = None,
        more: Sequence[Option] = (),
    ) -> None:
        self.gmcp: list[Message] = []
        options: list[Option] = [LetsHide()]
        if columns is not None and rows is not None:
            options.append(_TellsSize(columns, rows))
        if names:
            options.append(_TellsTerminal(names))
        if gmcp:
            options.append(TakesGmcp(gmcp, self.gmcp, returns))
        super().__init__([*options, *more], self._show)
        self._charset = self.engine.charset
        self._decoder = codecs.getincrementaldecoder(self._charset)("replace")
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """All received text, without telnet commands, with newlines as line endings."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0].replace("\r\n", "\n") if self._parts else ""

    @property
    def returns(self) -> Return | None:
        """What the program keeps for its return by the package `Session`; None without a token."""
        gmcp = self.engine.option(TakesGmcp)
        return gmcp.returns if gmcp is not None else None

    def resize(self, columns: int, rows: int) -> None:
        """Send another size, if NAWS is agreed."""
        if self.engine.is_ours(NAWS):
            send_size(self.engine, columns, rows)

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        raise AssertionError(f"the server sent broken telnet: {kind}, {detail}")

    def _show(self, data: bytes) -> None:
        if self._charset != self.engine.charset:
            self._charset = self.engine.charset
            self._decoder = codecs.getincrementaldecoder(self._charset)("replace")
        self._parts.append(self._decoder.decode(data))
        gmcp = self.engine.option(TakesGmcp)
        if gmcp is not None:
            gmcp.count(data)


def send_size(engine: Engine, columns: int, rows: int) -> None:
    """Send NAWS."""
    engine.send_subnegotiation(NAWS, columns.to_bytes(2, "big") + rows.to_bytes(2, "big"))
