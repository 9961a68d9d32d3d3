"""GMCP: JSON messages beside the text, for gauges, maps and sounds in the client.

Source: the Generic MUD Communication Protocol as IRE and Mudlet describe it; there is no RFC
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..codes import GMCP
from ..events import Anomaly, ClientHello, GmcpSupports, Json
from ..gmcp_messages import NO_DATA, decode_gmcp, encode_gmcp, malformed, opening
from .base import Engine, Option, Policy
from .msdp import Msdp

MAX_PACKAGES: Final = 128  # packages per client; Mudlet names ten, its scripts may add some
MAX_HELLOS: Final = 4  # per connection; a client sends one, a script perhaps another
MAX_PINGS: Final = 8  # answered pings per period; a client's gauge pings every few seconds at most
PING_PERIOD: Final = 10.0  # seconds, from the first ping of a period
MAX_PROGRAM: Final = 64  # characters of a program's name, and of its version

_NONE: Final[Mapping[str, int]] = MappingProxyType({})
_SUPPORT: Final = re.compile(r"([A-Za-z0-9_.-]{1,64})(?: +([1-9][0-9]{0,8}))?")
_PING: Final = encode_gmcp("Core.Ping")


def is_among(packages: Mapping[str, int], package: str) -> bool:
    """True if a client that named these packages supports this one: every client supports `Core`."""
    name = package.lower()
    if name == "core" or name.startswith("core."):
        return True
    while name and name not in packages:
        name = name.rpartition(".")[0]
    return bool(name)


class Gmcp(Option):
    """Reports messages from the client as `GmcpReceived`, and sends the packages that the client supports.

    The messages of the protocol itself are handled here: `Core.Hello` is reported as `ClientHello`, `Core.Supports` as
    `GmcpSupports` if it changes anything, and `Core.Ping` is answered. `Core.KeepAlive` and `Core.Goodbye` need no
    answer, and `MSDP` is passed to that option. Mudlet sends its greeting in one segment with its other answers,
    before it can have read our messages; other clients never send one.
    """

    __slots__ = ("_hellos", "_packages", "_pings")

    code = GMCP
    ours = Policy.OFFER
    subnegotiation_limit = 64 * 1024  # bytes; of client messages, only whole map files come near it

    def __init__(self) -> None:
        self._packages: Mapping[str, int] = _NONE
        self._hellos = 0
        self._pings = 0  # in this period

    # Called by the connection.

    def supports(self, package: str) -> bool:
        """True if the client supports this package, or a package above it ("Char" is above "Char.Vitals").

        Every client supports Core. Case is ignored.
        """
        return is_among(self._packages, package)

    @property
    def packages(self) -> Mapping[str, int]:
        """The packages that the client named, in lower case, and the version of each."""
        return self._packages

    def accepts(self, engine: Engine, package: str) -> bool:
        """True if a message of this package may be sent now: GMCP is agreed and the client supports the package.

        Use it for a message that is encoded once for many: `if gmcp.accepts(engine, …): engine.send_encoded(encoded)`.
        """
        return engine.is_ours(GMCP) and self.supports(package)

    def send(self, engine: Engine, package: str, data: object = NO_DATA, *, undeclared: bool = False) -> bool:
        """Queue a message if the client supports its package.

        Args:
            engine: The engine that this option belongs to.
            package: Its name, such as `Char.Vitals`.
            data: As for `encode_gmcp`; omit it to send no data.
            undeclared: Send it even if the client did not name the package: Mudlet supports `Client.GUI` and
                `Client.Map` without naming them.

        Returns:
            True if it was queued, False if GMCP is not agreed or the package is not supported.

        Raises:
            ValueError: The package name is invalid, for any client; otherwise as `encode_gmcp`.
        """
        opening(package)
        if not (self.accepts(engine, package) or (undeclared and engine.is_ours(GMCP))):
            return False
        engine.send_encoded(encode_gmcp(package, data))
        return True

    # Called by the engine.

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if not enabled:
            self._packages = _NONE

    def on_deadline(self, engine: Engine) -> None:
        self._pings = 0

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        message = decode_gmcp(payload)
        if isinstance(message, Anomaly):
            engine.emit(message)
            return
        match message.key:
            case "core.hello":
                self._hear_hello(engine, message.data)
            case "core.supports.set" | "core.supports.add" | "core.supports.remove":
                self._hear_supports(engine, message.key.rpartition(".")[2], message.data)
            case "core.ping":
                self._answer_ping(engine)
            case "core.keepalive" | "core.goodbye":
                pass
            case "msdp":
                _hear_msdp(engine, message.data)
            case _:
                engine.emit(message)

    # Internal.

    def _hear_hello(self, engine: Engine, data: Json) -> None:
        if self._hellos == MAX_HELLOS:
            return
        self._hellos += 1
        if data is None:
            data = {}
        if not isinstance(data, dict):
            engine.emit(malformed("a hello that is no object"))
            return
        parts = {key.lower(): value for key, value in data.items()}  # some clients capitalise the keys
        program, version = _label(parts.get("client", "")), _label(parts.get("version", ""))
        if program is None or version is None:
            engine.emit(malformed("a hello without a short name and version"))
        else:
            engine.emit(ClientHello(program, version))

    def _hear_supports(self, engine: Engine, verb: str, data: Json) -> None:
        """Update the table of packages; unreadable entries are skipped and reported once per message."""
        packages = {} if verb == "set" else dict(self._packages)
        entries = data if isinstance(data, list) else [data]
        fault = ""
        for entry in entries:
            found = _SUPPORT.fullmatch(entry.strip()) if isinstance(entry, str) else None
            if found is None:
                fault = "a package that cannot be read"
                continue
            name = found[1].lower()
            if verb == "remove":
                packages.pop(name, None)
            elif len(packages) < MAX_PACKAGES or name in packages:
                packages[name] = int(found[2] or 1)
            else:
                fault = f"over {MAX_PACKAGES} packages"
        if packages != self._packages:
            self._packages = MappingProxyType(packages)
            engine.emit(GmcpSupports(self._packages))
        if fault:
            engine.emit(malformed(fault))

    def _answer_ping(self, engine: Engine) -> None:
        if self._pings == MAX_PINGS:
            return
        if not self._pings:
            engine.set_deadline(GMCP, PING_PERIOD)
        self._pings += 1
        engine.send_encoded(_PING)


def _label(value: Json) -> str | None:
    """Return a program's name or version as text; None if the value is neither text nor a number."""
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) and len(value) <= MAX_PROGRAM and value.isprintable() else None


def _hear_msdp(engine: Engine, data: Json) -> None:
    msdp = engine.option(Msdp)
    if msdp is None or not msdp.has_reportable:
        return
    if isinstance(data, dict):
        msdp.hear_json(engine, data)
    else:
        engine.emit(malformed("MSDP that is no object"))
