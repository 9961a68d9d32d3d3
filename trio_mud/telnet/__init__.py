"""Telnet without I/O: the engine, its events, and what is needed to write an option.

Imports nothing but the standard library and msgspec; no trio, no clock, no logging, no socket.
"""

from .engine import TelnetEngine
from .events import (
    Anomaly,
    AnomalyKind,
    CharsetAgreed,
    CharsetRejected,
    ClientHello,
    ClientVariable,
    Command,
    CompressionFailed,
    EchoRefused,
    FeatureAgreed,
    GmcpReceived,
    GmcpSupports,
    Interrupt,
    InterruptKind,
    Json,
    Line,
    MsdpReceived,
    MsdpValue,
    OptionFailed,
    Resized,
    Settled,
    Subnegotiation,
    TelnetEvent,
    TerminalType,
)
from .options import DEFAULT_OPTIONS, Option, Policy

__all__ = [
    "DEFAULT_OPTIONS",
    "Anomaly",
    "AnomalyKind",
    "CharsetAgreed",
    "CharsetRejected",
    "ClientHello",
    "ClientVariable",
    "Command",
    "CompressionFailed",
    "EchoRefused",
    "FeatureAgreed",
    "GmcpReceived",
    "GmcpSupports",
    "Interrupt",
    "InterruptKind",
    "Json",
    "Line",
    "MsdpReceived",
    "MsdpValue",
    "Option",
    "OptionFailed",
    "Policy",
    "Resized",
    "Settled",
    "Subnegotiation",
    "TelnetEngine",
    "TelnetEvent",
    "TerminalType",
]
