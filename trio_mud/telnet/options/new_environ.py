"""NEW-ENVIRON: the peer sends variables of its program that are asked for by name.

Source: RFC 1572; MNES (Mud New-Environ Standard) for the names
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..codes import NEW_ENVIRON
from ..events import Anomaly, AnomalyKind, ClientVariable
from .base import Engine, Option, Policy

IS: Final = 0
SEND: Final = 1
INFO: Final = 2

VAR: Final = 0
VALUE: Final = 1
ESC: Final = 2
USERVAR: Final = 3

MNES_NAMES: Final = ("CLIENT_NAME", "CLIENT_VERSION", "MTTS", "CHARSET", "TERMINAL_TYPE")
# Variables that Mudlet since 4.18 may send unasked as USERVARs, and COLORTERM, which telnetlib3 adds to its answer.
VOLUNTEERED_NAMES: Final = (
    "256_COLORS",
    "ANSI",
    "BOLD_IS_BRIGHT",
    "COLORTERM",
    "LANGUAGE",
    "MNES",
    "MOUSE_TRACKING",
    "MSLP",
    "OSC_COLOR_PALETTE",
    "OSC_HYPERLINKS",
    "OSC_HYPERLINKS_MENU",
    "OSC_HYPERLINKS_PROMPT",
    "OSC_HYPERLINKS_SEND",
    "OSC_HYPERLINKS_STYLE_BASIC",
    "OSC_HYPERLINKS_STYLE_STATES",
    "OSC_HYPERLINKS_TOOLTIP",
    "PROXY",
    "SCREEN_READER",
    "TLS",
    "TRUECOLOR",
    "UTF-8",
    "VT100",
    "WORD_WRAP",
)

MAX_REQUEST: Final = 240  # bytes; inetutils has room for 256, and the telnet of Windows crashed on a long request
MAX_VARIABLES: Final = 64  # in one message
MAX_NAME: Final = 64  # bytes
MAX_VALUE: Final = 512  # bytes

_TOKEN: Final = re.compile(rb"[\x00\x01\x03](?:[^\x00-\x03]|\x02.)*", re.DOTALL)  # a type byte and its escaped text
_ESCAPED: Final = re.compile(rb"\x02(.)", re.DOTALL)


class NewEnviron(Option):
    """Asks for some variables by name and reports the answers as `ClientVariable`.

    It never asks for all variables: that was exploited with `USER=-f root` against servers (CVE-2026-24061), and to
    read the environment of clients (CVE-2005-0488). Variables that were not asked for are ignored, except for a few
    harmless names that clients volunteer; PuTTY answers any question with USER.

    MNES clients answer with one message for each variable, TinTin++ with one message for one variable, others with a
    single message. INFO may report a change at any time.

    Args:
        names: The variables to ask for.
        volunteered: Further variables that are reported if they come unasked.

    Raises:
        ValueError: A name is USER, or is not 1 to 64 characters of printable ASCII, or there are too many names.
    """

    __slots__ = ("_awaited", "_names", "_request", "_welcome")

    code = NEW_ENVIRON
    theirs = Policy.OFFER

    def __init__(
        self, names: tuple[str, ...] = MNES_NAMES, *, volunteered: tuple[str, ...] = VOLUNTEERED_NAMES
    ) -> None:
        self._names = frozenset(names)
        self._welcome = frozenset((*names, *volunteered))
        for name in self._welcome:
            if not (name.isascii() and name.isprintable() and 0 < len(name) <= MAX_NAME):
                raise ValueError(f"variable {name!r} must have 1 to {MAX_NAME} characters of printable ASCII")
            if name.upper() == "USER":
                raise ValueError("the variable USER must not be trusted: ask for the name in a dialog")
        self._request = bytes((SEND,)) + b"".join(bytes((VAR,)) + name.encode() for name in names)
        if not names or len(self._request) >= MAX_REQUEST:
            raise ValueError(f"ask for at least one variable, and in less than {MAX_REQUEST} bytes")
        self._awaited: frozenset[str] = frozenset()

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        self._awaited = self._names if enabled else frozenset()
        if enabled:
            engine.send_subnegotiation(NEW_ENVIRON, self._request)

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        if payload[:1] not in (bytes((IS,)), bytes((INFO,))):
            return
        variables: dict[str, str | None] = {}  # of duplicate names the last counts
        faults = 0
        for at, (name, value) in enumerate(parse_variables(payload[1:])):
            if at == MAX_VARIABLES:
                faults += 1
                break
            if len(name) > MAX_NAME or (value is not None and len(value) > MAX_VALUE):
                faults += 1
            elif (known := name.decode("ascii", "replace")) in self._welcome:
                variables.pop(known, None)
                variables[known] = None if value is None else _printable(value)
        if faults:
            engine.emit(Anomaly(AnomalyKind.MALFORMED_PAYLOAD, "NEW-ENVIRON beyond its limits"))
        for known, text in variables.items():
            engine.emit(ClientVariable(known, text))
        if payload[0] == IS:
            # A single variable that was asked for is an answer as in MNES: the others follow one by one.
            answered = frozenset(variables)
            is_one_by_one = len(answered) == 1 and answered <= self._names
            self._awaited = (is_one_by_one and self._awaited - answered) or _NONE  # one shared empty set

    def is_settled(self, engine: Engine) -> bool:
        return not self._awaited


_NONE: Final[frozenset[str]] = frozenset()


def parse_variables(data: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Parse the bytes after IS or INFO; yield names and values in order, None for a name without a value.

    A variable is VAR or USERVAR (00 or 03) and its name, optionally followed by VALUE (01) and its value. In both, ESC
    (02) makes the next byte a literal. telnet(1) sends a name alone for a variable that it does not have. Bytes
    outside a variable are skipped.
    """
    name: bytes | None = None
    for token in _TOKEN.finditer(data):
        kind, text = token[0][0], _ESCAPED.sub(rb"\1", token[0][1:])
        if kind != VALUE:
            if name is not None:
                yield name, None
            name = text
        elif name is not None:
            yield name, text
            name = None
    if name is not None:
        yield name, None


def _printable(value: bytes) -> str:
    """Decode a value without control characters, which would reach a log or another terminal."""
    return "".join(character for character in value.decode("utf-8", "replace") if character.isprintable())
