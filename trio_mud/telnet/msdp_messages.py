r"""MSDP messages: decoding a payload into variables and values, and encoding them.

The option and the game interpret the variables. The MSDP option uses this module.

    message  = (VAR text (VAL value)+)*
    value    = text | TABLE_OPEN message TABLE_CLOSE | ARRAY_OPEN (VAL value)* ARRAY_CLOSE
    text     = bytes without 00-06 and ff, decoded as UTF-8

A variable with several values, as in REPORT, is equivalent to one with an array of them.

Source: the MSDP specification of the TinTin++ project
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from .events import Anomaly, AnomalyKind, MsdpReceived, MsdpValue

VAR: Final = 1
VAL: Final = 2
TABLE_OPEN: Final = 3
TABLE_CLOSE: Final = 4
ARRAY_OPEN: Final = 5
ARRAY_CLOSE: Final = 6

MAX_DEPTH: Final = 16  # nested tables and arrays
MAX_MARKS: Final = 4096  # bytes 01-06 in one message
MAX_VARIABLES: Final = 64  # in one message; clients send one, Mudlet two
MAX_NAME: Final = 64  # bytes of a variable's name

_PIECE: Final = re.compile(rb"([\x01-\x06])([^\x01-\x06]*)")
_NOT_TEXT: Final = b"\0\1\2\3\4\5\6\xff"
_NOT_MARKS: Final = bytes(set(range(256)) - set(range(VAR, ARRAY_CLOSE + 1)))
_CLOSING: Final = {TABLE_OPEN: TABLE_CLOSE, ARRAY_OPEN: ARRAY_CLOSE}
_END: Final = 0  # the mark after the last piece

# Values that can be sent: a boolean becomes 1 or 0, a number its digits, and None an empty text.
Sendable: TypeAlias = "str | int | float | Mapping[str, Sendable] | Sequence[Sendable] | None"


def decode_msdp(payload: bytes) -> list[MsdpReceived] | Anomaly:
    """Decode a payload. It never raises; a fault is returned as an `Anomaly` that does not quote it."""
    if 0x00 in payload or 0xFF in payload:
        return malformed("00 or ff in a text")
    if _count_marks(payload) > MAX_MARKS:
        return malformed(f"over {MAX_MARKS} marks")
    try:
        variables = _Reader(payload).read()
    except _MalformedError as fault:
        return malformed(str(fault))
    if len(variables) > MAX_VARIABLES:
        return malformed(f"over {MAX_VARIABLES} variables")
    return [MsdpReceived(name, value) for name, value in variables]


def encode_msdp(variable: str, value: Sendable) -> bytes:
    """Encode the payload that sets a variable, within the limits of `decode_msdp`.

    Bytes that MSDP does not allow are removed from values and from table keys.

    Raises:
        ValueError: The variable's name is empty, too long or contains such bytes, a table key is empty, or the value
            is too large or too deep.
        TypeError: The value has no representation in MSDP.
    """
    check_name(variable)
    pieces = [bytes((VAR,)), variable.encode(), bytes((VAL,))]
    _append(pieces, value, 0)
    payload = b"".join(pieces)
    if _count_marks(payload) > MAX_MARKS:
        raise ValueError(f"the value of {variable} is too large for MSDP: send less, or in several variables")
    return payload


def check_name(variable: str) -> str:
    """Return the name of a variable; raise ValueError if it is invalid."""
    if not is_name(variable):
        raise ValueError(f"{variable!r} cannot name an MSDP variable; use up to {MAX_NAME} bytes without 00-06")
    return variable


def is_name(variable: str) -> bool:
    """True if this name is valid for a variable."""
    cleaned = _clean(variable)
    return 0 < len(cleaned) <= MAX_NAME and cleaned.decode() == variable


def malformed(what: str) -> Anomaly:
    """Return the anomaly for a message that cannot be decoded."""
    return Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"MSDP: {what}")


def _count_marks(payload: bytes) -> int:
    return len(payload.translate(None, _NOT_MARKS))


def _append(pieces: list[bytes], value: Sendable, depth: int) -> None:
    match value:
        case str():
            pieces.append(_clean(value))
        case bool():
            pieces.append(b"1" if value else b"0")
        case int() | float():
            pieces.append(str(value).encode())
        case None:
            pass
        case Mapping():
            _check_depth(depth)
            pieces.append(bytes((TABLE_OPEN,)))
            for key, member in value.items():
                pieces += (bytes((VAR,)), _clean_key(key), bytes((VAL,)))
                _append(pieces, member, depth + 1)
            pieces.append(bytes((TABLE_CLOSE,)))
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            _check_depth(depth)
            pieces.append(bytes((ARRAY_OPEN,)))
            for member in value:
                pieces.append(bytes((VAL,)))
                _append(pieces, member, depth + 1)
            pieces.append(bytes((ARRAY_CLOSE,)))
        case _:
            raise TypeError(f"MSDP cannot encode a {type(value).__name__}: use text, a number, a list or a dict")


def _clean(text: str) -> bytes:
    return text.encode("utf-8", "replace").translate(None, _NOT_TEXT)


def _clean_key(key: str) -> bytes:
    cleaned = _clean(key)
    if not cleaned:
        raise ValueError(f"{key!r} cannot be a key of an MSDP table: use a name")
    return cleaned


def _check_depth(depth: int) -> None:
    if depth == MAX_DEPTH:
        raise ValueError(f"a value is nested over {MAX_DEPTH} deep, more than MSDP clients read: make it flatter")


def _depth_of(value: MsdpValue) -> int:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if members is None else 1 + max(map(_depth_of, members), default=0)


class _MalformedError(Exception):
    """The payload does not match the grammar; internal to this module."""


class _Reader:
    """Parses a payload by the grammar above, with one method for each rule."""

    __slots__ = ("_at", "_pieces")

    def __init__(self, payload: bytes) -> None:
        self._pieces: list[tuple[bytes, bytes]] = _PIECE.findall(payload)  # each mark with the text after it
        self._at = 0
        if payload and payload[0] != VAR:
            raise _MalformedError("does not begin with a variable")

    def read(self) -> list[tuple[str, MsdpValue]]:
        variables = self._variables(0)
        if self._mark() != _END:
            raise _MalformedError("a value without a variable, or an end without a beginning")
        return variables

    def _variables(self, depth: int) -> list[tuple[str, MsdpValue]]:
        variables: list[tuple[str, MsdpValue]] = []
        while self._mark() == VAR:
            name = self._take()
            if not name or (depth == 0 and len(name) > MAX_NAME):
                raise _MalformedError(f"a name of {len(name)} bytes")
            values = self._values(depth)
            if not values:
                raise _MalformedError("a variable without a value")
            # Several values form an array, which is known only now, so the depth of its members is measured here.
            if len(values) > 1 and depth + _depth_of(values) > MAX_DEPTH:
                raise _MalformedError(f"over {MAX_DEPTH} deep")
            variables.append((name.decode("utf-8", "replace"), values[0] if len(values) == 1 else values))
        return variables

    def _values(self, depth: int) -> list[MsdpValue]:
        values: list[MsdpValue] = []
        while self._mark() == VAL:
            text = self._take()
            if self._mark() not in _CLOSING:
                values.append(text.decode("utf-8", "replace"))
            elif text:
                raise _MalformedError("a text before a table or an array")
            else:
                values.append(self._container(depth + 1))
        return values

    def _container(self, depth: int) -> MsdpValue:
        if depth > MAX_DEPTH:
            raise _MalformedError(f"over {MAX_DEPTH} deep")
        opener = self._mark()
        self._take_bare()
        value: MsdpValue = dict(self._variables(depth)) if opener == TABLE_OPEN else self._values(depth)
        if self._mark() != _CLOSING[opener]:
            raise _MalformedError("a table or an array that does not end")
        self._take_bare()
        return value

    def _mark(self) -> int:
        """Return the mark of the current piece."""
        return self._pieces[self._at][0][0] if self._at < len(self._pieces) else _END

    def _take(self) -> bytes:
        """Return the text of the current piece and move to the next one."""
        text = self._pieces[self._at][1]
        self._at += 1
        return text

    def _take_bare(self) -> None:
        if self._take():
            raise _MalformedError("a text behind a bracket")
