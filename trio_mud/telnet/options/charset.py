"""CHARSET: agrees with the peer on the encoding of text.

Source: RFC 2066
"""

from __future__ import annotations

from typing import Final

from ..charsets import CODECS, codec_of
from ..codes import CHARSET
from ..events import CharsetAgreed, CharsetRejected
from .base import Engine, Option, Policy

REQUEST: Final = 1
ACCEPTED: Final = 2
REJECTED: Final = 3
TTABLE_IS: Final = 4
TTABLE_REJECTED: Final = 5


class Charset(Option):
    """Asks the peer for one of our charsets, and accepts the first supported one of those it asks for.

    Only the side that sent WILL and received DO may ask. We send WILL. A peer that also sends WILL may ask, but while
    our own question is open its question is rejected, as RFC 2066 requires of a server. Translation tables are
    refused. DO is not offered: TinTin++ keeps one flag for both directions and answers only one of them.

    An agreement changes the engine's charset at once, unless the user has chosen another one
    (`TelnetEngine.choose_charset`). A rejection changes nothing here: it is reported as `CharsetRejected`, and the
    caller decides, because it may know which charset the peer supports.

    Args:
        names: The charsets to ask for, the preferred one first.

    Raises:
        ValueError: A name is not a name or alias in `CODECS`, or there are none.
    """

    __slots__ = ("_is_waiting", "_names")

    code = CHARSET
    ours = Policy.OFFER
    theirs = Policy.ACCEPT

    def __init__(self, names: tuple[str, ...] = ("UTF-8",)) -> None:
        unknown = [name for name in names if codec_of(name) is None]
        if unknown or not names:
            raise ValueError(f"unknown charsets: {', '.join(unknown) or '(empty)'}; choose from {', '.join(CODECS)}")
        self._names = names
        self._is_waiting = False

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        self._is_waiting = enabled
        if enabled:
            # The first byte of the list is its separator.
            _say(engine, REQUEST, "".join(f";{name}" for name in self._names).encode())

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        kind = payload[0] if payload else None
        if kind == REQUEST:
            self._answer(engine, payload[1:])
        elif kind == TTABLE_IS:
            _say(engine, TTABLE_REJECTED)
        elif kind in (ACCEPTED, REJECTED) and self._is_waiting:
            self._is_waiting = False
            asked = [codec for name in self._names if (codec := codec_of(name))]
            codec = codec_of(payload[1:].decode("ascii", "replace"))
            if kind == REJECTED:
                engine.emit(CharsetRejected(tuple(asked)))
            elif codec in asked:
                _agree(engine, codec)

    def is_settled(self, engine: Engine) -> bool:
        return not self._is_waiting

    def _answer(self, engine: Engine, request: bytes) -> None:
        if engine.is_theirs(CHARSET) and not self._is_waiting:
            for name in parse_request(request):
                codec = codec_of(name)
                if codec is not None and engine.chosen_charset in (None, codec):
                    _say(engine, ACCEPTED, name.encode("ascii"))  # as the peer spelt it
                    _agree(engine, codec)
                    return
        _say(engine, REJECTED)


def parse_request(data: bytes) -> list[str]:
    """Parse the bytes after REQUEST: a separator and names between separators, perhaps after the offer of a table."""
    if data.startswith(b"[TTABLE"):  # "[TTABLE ]" and one version byte
        data = data[data.find(b"]") + 2 :] if b"]" in data else b""
    names = data[1:].split(data[:1]) if data else []
    return [name.decode("ascii", "replace") for name in names]


def _say(engine: Engine, kind: int, rest: bytes = b"") -> None:
    engine.send_subnegotiation(CHARSET, bytes((kind,)) + rest)


def _agree(engine: Engine, codec: str) -> None:
    engine.agree_charset(codec)
    engine.emit(CharsetAgreed(codec))
