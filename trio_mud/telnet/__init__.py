"""Telnet without I/O: the engine, its events, and what is needed to write an option.

Imports nothing but the standard library; no trio, no clock, no logging, no socket.
"""

from .engine import TelnetEngine
from .events import (
    Anomaly,
    AnomalyKind,
    Command,
    EchoRefused,
    Line,
    OptionFailed,
    Resized,
    Subnegotiation,
    TelnetEvent,
    TerminalType,
)
from .options import DEFAULT_OPTIONS, Option, Policy

__all__ = [
    "DEFAULT_OPTIONS",
    "Anomaly",
    "AnomalyKind",
    "Command",
    "EchoRefused",
    "Line",
    "Option",
    "OptionFailed",
    "Policy",
    "Resized",
    "Subnegotiation",
    "TelnetEngine",
    "TelnetEvent",
    "TerminalType",
]
