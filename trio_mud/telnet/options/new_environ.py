"""NEW-ENVIRON: the peer tells variables, of which we ask for a few by name.

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
# What Mudlet since 4.18 may tell besides, as USERVARs, and COLORTERM, which telnetlib3 adds to its answer.
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

MAX_REQUEST: Final = 240  # bytes; inetutils has room for 256, and the telnet of Windows crashed on a long one
MAX_VARIABLES: Final = 64  # of one message
MAX_NAME: Final = 64  # bytes
MAX_VALUE: Final = 512  # bytes

_TOKEN: Final = re.compile(rb"[\x00\x01\x03](?:[^\x00-\x03]|\x02.)*", re.DOTALL)  # a kind, and its text with ESC in it
_ESCAPED: Final = re.compile(rb"\x02(.)", re.DOTALL)


class NewEnviron(Option):
    """Asks for some variables by name and reports what comes as `ClientVariable`.

    It never asks for all there are: servers have had to do with `USER=-f root` (CVE-2026-24061), and clients with
    giving away their environment (CVE-2005-0488).  What was not asked for is ignored, but for a few harmless names
    that clients volunteer; PuTTY answers any question with USER.

    Clients of MNES answer with one message for each variable, TinTin++ for one, others with a single message; INFO
    may tell a change at any time.

    Args:
        names: What to ask for.
        volunteered: What to report as well if it comes unasked.

    Raises:
        ValueError: A name is USER, or is not one of 1 to 64 characters of printable ASCII, or they are too many.
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
                raise ValueError("the variable USER is a trap for servers that believe it; ask in a dialog")
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
        variables: dict[str, str | None] = {}  # the last of equal names counts
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
            # One variable that was asked for is an answer as in MNES: the others follow one by one.
            answered = frozenset(variables)
            is_one_by_one = len(answered) == 1 and answered <= self._names
            self._awaited = (is_one_by_one and self._awaited - answered) or _NONE  # which all share

    def is_settled(self, engine: Engine) -> bool:
        return not self._awaited


_NONE: Final[frozenset[str]] = frozenset()


def parse_variables(data: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Read what follows IS or INFO, in order: names and values, None for a name without one.

    A variable is VAR or USERVAR (00 or 03), its name, and perhaps VALUE (01) and its value; in both ESC (02) says
    that the next byte is no such code.  telnet(1) sends a name alone for a variable that it does not have.  Bytes
    where no variable begins are passed over.
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
    """Decode a value and leave out controls, which would reach a log or another's terminal."""
    return "".join(character for character in value.decode("utf-8", "replace") if character.isprintable())
