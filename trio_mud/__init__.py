"""trio_mud: the driver of a MUD. It accepts players, turns what they type into events, and runs your hooks on them.

This is the front door: every public name of the driver. Beside it stand
`trio_mud.telnet` (the protocol without I/O), `trio_mud.commands` (the table of what players can type),
`trio_mud.storage`, `trio_mud.world` and `trio_mud.accounts` (a game that is stored, and its logins),
`trio_mud.operations` (the people who run it), `trio_mud.web` (players by WebSocket),
`trio_mud.testing` (players for your tests) and `trio_mud.mudlib` (a small world).
"""

from typing import TYPE_CHECKING, NoReturn

from .driver.connection.connection import Connection, broadcast
from .driver.connection.dialog import Dialog
from .driver.connection.events import (
    Admitted,
    ClientReady,
    Connect,
    Disconnect,
    EchoRefused,
    GmcpMessage,
    Input,
    Interrupt,
    MsdpMessage,
    ResumeRequested,
    WindowSize,
)
from .driver.connection.secret import Secret
from .driver.connection.tap import Sent, Tap, Typed
from .driver.core.events import Cause, HookEvent, Reason
from .driver.core.hooks import FIRST, LAST, Hooks
from .driver.core.timers import Timer
from .driver.link.client import Client, Size
from .driver.server.events import Reloaded, Started
from .driver.server.operator import ConsoleOperator
from .driver.server.running import run, serve
from .driver.server.server import MasterServer
from .driver.sessions.events import LinkLost, SessionEnded, SessionRestored, SessionResumed, SessionStarted
from .driver.sessions.registry import Duplicate, Sessions
from .driver.sessions.session import Session
from .errors import (
    ConnectionEnded,
    InvalidToken,
    LocalProtocolError,
    NoAnswer,
    Overloaded,
    SessionInUse,
    TrioMudError,
    WouldDeadlock,
)
from .limits import Limits, Rate
from .renamed import new_name_of
from .text import Markup, Rendering, Text, join, link, markup, music, pages, sound, wrap
from .texts import Texts
from .transports.tcp import open_tcp_listeners
from .transports.tls import Certificate, open_tls_listeners
from .transports.unix import open_unix_listener

__version__ = "0.2.0"


if not TYPE_CHECKING:

    def __getattr__(name: str) -> NoReturn:
        if sentence := new_name_of(f"trio_mud.{name}"):
            raise ImportError(sentence)  # `from trio_mud import …` would replace the text of an AttributeError
        raise AttributeError(f"module 'trio_mud' has no attribute {name!r}")


__all__ = [
    "FIRST",
    "LAST",
    "Admitted",
    "Cause",
    "Certificate",
    "Client",
    "ClientReady",
    "Connect",
    "Connection",
    "ConnectionEnded",
    "ConsoleOperator",
    "Dialog",
    "Disconnect",
    "Duplicate",
    "EchoRefused",
    "GmcpMessage",
    "HookEvent",
    "Hooks",
    "Input",
    "Interrupt",
    "InvalidToken",
    "Limits",
    "LinkLost",
    "LocalProtocolError",
    "Markup",
    "MasterServer",
    "MsdpMessage",
    "NoAnswer",
    "Overloaded",
    "Rate",
    "Reason",
    "Reloaded",
    "Rendering",
    "ResumeRequested",
    "Secret",
    "Sent",
    "Session",
    "SessionEnded",
    "SessionInUse",
    "SessionRestored",
    "SessionResumed",
    "SessionStarted",
    "Sessions",
    "Size",
    "Started",
    "Tap",
    "Text",
    "Texts",
    "Timer",
    "TrioMudError",
    "Typed",
    "WindowSize",
    "WouldDeadlock",
    "broadcast",
    "join",
    "link",
    "markup",
    "music",
    "open_tcp_listeners",
    "open_tls_listeners",
    "open_unix_listener",
    "pages",
    "run",
    "serve",
    "sound",
    "wrap",
]
