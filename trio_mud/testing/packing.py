"""The client side of compression and of charsets, for the programs of test players.

Used by the simulator's players, which pass these options to their `Terminal`. The terminal inflates received data; the
players compress their own output.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..telnet import Engine, Option, Policy
from ..telnet.charsets import CODECS
from ..telnet.codes import CHARSET, MCCP3
from ..telnet.options.charset import ACCEPTED, REJECTED, REQUEST, parse_request


class SendsMccp3(Option):
    """Starts compression as soon as the server offers to inflate; the sender must compress after these bytes."""

    code = MCCP3
    theirs = Policy.ACCEPT

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        if enabled:
            engine.send_subnegotiation(MCCP3, b"")


class TakesCharset(Option):
    """Accepts one of these charsets if the server asks for it; otherwise asks for them itself. RFC 2066."""

    code = CHARSET
    theirs = Policy.ACCEPT

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if enabled:
            wanted = "".join(f";{name}" for name in self._names)
            engine.send_subnegotiation(CHARSET, bytes((REQUEST,)) + wanted.encode("ascii"))

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        kind, rest = payload[:1], payload[1:]
        if kind == bytes((ACCEPTED,)):
            engine.charset = CODECS[rest.decode("ascii")]
        elif kind == bytes((REQUEST,)):
            for name in parse_request(rest):
                if name in self._names:
                    engine.send_subnegotiation(CHARSET, bytes((ACCEPTED,)) + name.encode("ascii"))
                    engine.charset = CODECS[name]
                    return
            engine.send_subnegotiation(CHARSET, bytes((REJECTED,)))
            engine.enable_ours(CHARSET)  # the asking side must have sent WILL
