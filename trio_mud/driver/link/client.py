"""The known facts about the peer's program, each with its source; a preference of the user takes precedence.

Facts reported by the client are not to be trusted; only `is_secure` comes from this side of the link.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ...renamed import refuse_old_attributes
from ...telnet import TelnetEngine
from ...telnet.charsets import CODECS, codec_of
from ...text import Rendering
from ..core.checks import article, check_words
from ..core.guard import describe_value
from ..core.thread import HomeThread

TRUECOLOUR: Final = 1 << 24
_LARGEST: Final = 65535  # columns or rows, as in NAWS
_NARROWEST: Final = 20  # columns; narrower text is unreadable, even if a client reports fewer

# Bits of MTTS, the Mud Terminal Type Standard
_ANSI, _UTF_8, _COLOURS_256, _SCREEN_READER, _TRUECOLOUR = 1, 4, 8, 64, 256
_COLOURFUL: Final = ("ANSI", "XTERM", "SCREEN", "TMUX", "LINUX", "RXVT", "PUTTY", "VT2", "KONSOLE")
_COLOURLESS: Final = ("DUMB", "TTY", "TELETYPE")
_ASSUMED_COLOURS: Final = 16  # of a terminal with an unknown name, such as KildClient's


class Size(NamedTuple):
    """A window, in characters."""

    columns: int
    rows: int


class FactSource(enum.IntEnum):
    """The source of a fact; a later one in this list takes precedence."""

    DEFAULT = 0
    TTYPE = 1
    MTTS = 2
    NAWS = 3
    NEW_ENVIRON = 4
    CHARSET = 5
    GMCP = 6
    NEGOTIATION = 7
    """An option whose agreement is itself the fact, such as MXP."""
    TRANSPORT = 8
    PREFERENCE = 9
    """The user, through the game: `Client.prefer`."""


class _Fact(NamedTuple):
    value: object
    source: FactSource


Ranked = Mapping[str, tuple[Any, int]]
"""Facts by name, each with its value, as plain data, and the rank of its source."""


class ClientState(NamedTuple):
    """The known facts about a client, as plain data; see the attributes of `Client`."""

    facts: Ranked
    terminals: tuple[str, ...]
    packages: dict[str, int]
    is_ready: bool
    has_answered: bool


def _ranked(facts: Mapping[str, _Fact] | None) -> Ranked:
    return {
        name: (tuple(fact.value) if isinstance(fact.value, Size) else fact.value, int(fact.source))
        for name, fact in (facts or {}).items()
    }


def _unranked(facts: Ranked) -> dict[str, _Fact]:
    """Return the facts of another `Client`; without those of an unknown name, type or source."""
    known: dict[str, _Fact] = {}
    for name, (value, rank) in facts.items():
        if type(value) is not _KINDS.get(name) or rank not in _RANKS:
            continue
        if not isinstance(value, tuple):
            known[name] = _Fact(value, FactSource(rank))
        elif len(value) == len(Size._fields):
            known[name] = _Fact(Size(*value), FactSource(rank))
    return known


_KINDS: Final[Mapping[str, type]] = {
    "program": str,
    "version": str,
    "terminal": str,
    "charset": str,
    "size": tuple,
    "colours": int,
    "screen_reader": bool,
    "is_secure": bool,
    "links": bool,
    "mxp": bool,
    "sounds": bool,
}
_RANKS: Final = frozenset(map(int, FactSource))


@refuse_old_attributes("Client")
class Client:
    """The peer's program, as far as it has reported.

    Attributes:
        rendering: The settings for rendering texts; follows the facts.
        plain_columns: The longest printable ASCII text, in characters, that needs no rendering.
        terminals: Its answers to TTYPE, in order, in upper case.
        packages: The GMCP packages it supports, in lower case, with their versions.
        is_ready: True once it has reported its abilities, or the time for that is over.
    """

    __slots__ = (
        "_engine",
        "_facts",
        "_observer",
        "_rejected",
        "_thread",
        "_wishes",
        "is_ready",
        "packages",
        "plain_columns",
        "rendering",
        "terminals",
    )

    def __init__(self) -> None:
        self._engine: TelnetEngine | None = None
        self._thread: HomeThread | None = None
        self._facts: dict[str, _Fact] | None = None
        self._rejected: tuple[str, ...] = ()  # codecs
        self._wishes: dict[str, _Fact] | None = None  # preferences of the user, which override the facts
        self._observer: Callable[[], object] | None = None  # called after each change of a fact or a preference
        self.rendering = _PLAIN
        self.plain_columns = sys.maxsize
        self.terminals: tuple[str, ...] = ()
        self.packages: Mapping[str, int] = _NONE
        self.is_ready = False

    def _attach(self, engine: TelnetEngine, thread: HomeThread) -> None:
        """Set the engine that receives the charset, and the only thread that may call setters."""
        self._engine = engine
        self._thread = thread

    def _has_answered(self) -> bool:
        """Return True if the program has answered any telnet request."""
        return self._engine is not None and self._engine.has_answers

    @property
    def program(self) -> str:
        """Its name, such as "Mudlet"; "" if not reported."""
        return str(self._fact("program", ""))

    @property
    def version(self) -> str:
        """Its version; "" if not reported."""
        return str(self._fact("version", ""))

    @property
    def terminal(self) -> str:
        """The terminal it is or emulates, in upper case; "" if not reported."""
        return str(self._fact("terminal", ""))

    @property
    def charset(self) -> str:
        """The Python name of the encoding both sides use."""
        return str(self._fact("charset", "utf-8"))

    @property
    def size(self) -> Size:
        """The current size of its window; 80 by 24 if not reported."""
        size = self._fact("size", _USUAL_SIZE)
        assert isinstance(size, Size)
        return size

    @property
    def colours(self) -> int:
        """The number of colours it shows: 0, 16, 256 or 16,777,216."""
        colours = self._fact("colours", 0)
        assert isinstance(colours, int)
        return colours

    @property
    def screen_reader(self) -> bool:
        """True if the user has a screen reader, so text is spoken."""
        return bool(self._fact("screen_reader", False))

    @property
    def is_secure(self) -> bool:
        """True if the link is encrypted."""
        return bool(self._fact("is_secure", False))

    def source_of(self, fact: str) -> FactSource:
        """Return the source of one of the properties above, by its name."""
        known = self._known(fact)
        return FactSource.DEFAULT if known is None else known.source

    def prefer(
        self,
        *,
        colours: int | None = None,
        screen_reader: bool | None = None,
        size: Size | None = None,
        charset: str | None = None,
    ) -> None:
        """Set preferences of the user, which take precedence over the facts that the program reports.

        Args:
            colours: The number of colours to use; 0 for none, and 16,777,216 at most.
            screen_reader: True if the user has a screen reader.
            size: The size of the window; of 1 to 65,535 columns and rows.
            charset: A charset by its IANA or Python name, in any usual spelling, so that a player's word can be passed
                unchanged.

        Raises:
            ValueError: The charset is unknown, or a number is too small or too large.
            TypeError: A value has the wrong type.
            LocalProtocolError: It was called in another thread than the server's.
        """
        if self._thread is not None:
            self._thread.check()
        # Before anything is stored: a wrong value would fail again at the next fact that the client reports.
        _check_preferences(colours, screen_reader, size)
        codec = None if charset is None else codec_of(check_words(charset, "Client.prefer(charset=)"))
        if charset is not None and codec is None:
            raise ValueError(f"unknown charset {charset!r}: choose one of {', '.join(CODECS)}")
        wishes = {"colours": colours, "screen_reader": screen_reader, "size": size, "charset": codec}
        for fact, value in wishes.items():
            if value is not None:
                self._wishes = {**(self._wishes or {}), fact: _Fact(value, FactSource.PREFERENCE)}
        self._update_rendering()
        if codec is not None and self._engine is not None:
            self._engine.choose_charset(codec)

    def clear_preference(self, *facts: str) -> None:
        """Clear preferences, by the names of the arguments of `prefer`; the program's facts apply again."""
        if self._thread is not None:
            self._thread.check()
        self._wishes = {fact: wish for fact, wish in (self._wishes or {}).items() if fact not in facts} or None
        self._update_rendering()
        if "charset" in facts and self._engine is not None:
            self._engine.choose_charset(None)
            self._engine.charset = self.charset

    def _learn(self, fact: str, value: object, source: FactSource) -> None:
        """Store a fact, unless a better source has reported it already."""
        if self._facts is None:
            self._facts = {}
        known = self._facts.get(fact)
        if known is None or source >= known.source:
            self._facts[fact] = _Fact(value, source)
            self._update_rendering()
            if fact == "charset" and self._engine is not None:
                self._engine.agree_charset(str(value))

    def _learn_charset(self, codec: str, source: FactSource) -> None:
        """Store its charset, reported by CHARSET or another option."""
        if source is FactSource.CHARSET:
            self._rejected = ()
        elif codec in self._rejected:
            return
        elif self._rejected and self._facts and self._facts["charset"].source is FactSource.CHARSET:
            del self._facts["charset"]  # the assumption made by `learn_rejected`
        self._learn("charset", codec, source)

    def _learn_rejected(self, codecs: tuple[str, ...]) -> None:
        """Take note that it rejects these charsets: one that it has reported itself stays, or else ASCII is assumed."""
        self._rejected = codecs
        known = (self._facts or {}).get("charset")
        if known is None or known.value in codecs:
            self._learn("charset", "ascii", FactSource.CHARSET)

    def _learn_terminal_name(self, name: str) -> None:
        """Store an answer to TTYPE. MUD clients send the program's name, then the terminal's, then `MTTS n`."""
        name = name.upper()
        self.terminals = (*self.terminals, name)
        if name.startswith("MTTS "):
            self._learn_abilities(name.removeprefix("MTTS "))
            return
        if len(self.terminals) > 1:
            self._learn("program", self.terminals[0], FactSource.TTYPE)
        self._learn_terminal(name, FactSource.TTYPE)

    def _learn_abilities(self, bits: str) -> None:
        """Store its abilities, reported as the number of MTTS."""
        if not (bits.isdecimal() and len(bits) < 10):
            return
        number = int(bits)
        self._learn_colours(
            TRUECOLOUR if number & _TRUECOLOUR else 256 if number & _COLOURS_256 else 16 if number & _ANSI else 0,
            FactSource.MTTS,
        )
        self._learn_charset("utf-8" if number & _UTF_8 else "ascii", FactSource.MTTS)
        if number & _SCREEN_READER:
            self._learn("screen_reader", True, FactSource.MTTS)

    def _learn_variable(self, name: str, value: str) -> None:
        """Store a variable of NEW-ENVIRON; an empty value, as telnetlib3 sends, is ignored."""
        value = value.strip()
        if not value:
            return
        match name:
            case "CLIENT_NAME":
                self._learn("program", value, FactSource.NEW_ENVIRON)
            case "CLIENT_VERSION":
                self._learn("version", value, FactSource.NEW_ENVIRON)
            case "TERMINAL_TYPE":
                self._learn_terminal(value.upper(), FactSource.NEW_ENVIRON)
            case "MTTS":
                self._learn_abilities(value)
            case "COLORTERM" if value in ("truecolor", "24bit"):
                self._learn_colours(TRUECOLOUR, FactSource.NEW_ENVIRON)
            case "TRUECOLOR" if value == "1":
                self._learn_colours(TRUECOLOUR, FactSource.NEW_ENVIRON)
            case "256_COLORS" if value == "1":
                self._learn_colours(256, FactSource.NEW_ENVIRON)
            case "ANSI" if value == "1":
                self._learn_colours(16, FactSource.NEW_ENVIRON)
            case "SCREEN_READER":
                self._learn("screen_reader", value == "1", FactSource.NEW_ENVIRON)
            case "CHARSET" if (codec := codec_of(value)) is not None:
                self._learn_charset(codec, FactSource.NEW_ENVIRON)
            case "OSC_HYPERLINKS" if value == "1":
                self._learn("links", True, FactSource.NEW_ENVIRON)

    def _learn_terminal(self, name: str, source: FactSource) -> None:
        """Store the name of its terminal, in upper case, and the number of colours that the name implies.

        A terminal with an unknown name is assumed to show 16 colours until another source reports the number.
        """
        self._learn("terminal", name, source)
        colours = _colours_of_terminal(name)
        if colours is not None:
            self._learn_colours(colours, source)
        elif "colours" not in (self._facts or {}):
            self._learn("colours", _ASSUMED_COLOURS, FactSource.DEFAULT)

    def _learn_colours(self, colours: int, source: FactSource) -> None:
        """Store a number of colours. The largest counts: a program may name a simple terminal and report more by MTTS.

        An assumed number is always replaced.
        """
        known = (self._facts or {}).get("colours")
        if (
            known is None
            or known.source is FactSource.DEFAULT
            or not isinstance(known.value, int)
            or colours > known.value
        ):
            self._learn("colours", colours, source)

    @property
    def _state(self) -> ClientState:
        """The known facts, to be set at another `Client`."""
        return ClientState(
            _ranked(self._facts), self.terminals, dict(self.packages), self.is_ready, self._has_answered()
        )

    def _set_state(self, state: ClientState) -> None:
        """Set the known facts to those of another `Client`."""
        self._facts = _unranked(state.facts)
        self.terminals = state.terminals
        self.packages = MappingProxyType(state.packages)
        self.is_ready = state.is_ready
        self._update_rendering()

    @property
    def _preferences(self) -> Ranked:
        """The preferences of the user, to be set at another `Client`."""
        return _ranked(self._wishes)

    def _set_preferences(self, wishes: Ranked) -> None:
        """Set the preferences to those of another `Client`."""
        had_charset = "charset" in (self._wishes or ())
        self._wishes = _unranked(wishes) or None
        self._update_rendering()
        if self._engine is not None and (had_charset or "charset" in wishes):
            self._engine.choose_charset(str(wishes["charset"][0]) if "charset" in wishes else None)
            self._engine.charset = self.charset

    def _known(self, name: str) -> _Fact | None:
        return (self._wishes or {}).get(name) or (self._facts or {}).get(name)

    def _fact(self, name: str, default: object) -> object:
        known = self._known(name)
        return default if known is None else known.value

    def _update_rendering(self) -> None:
        listens = self.screen_reader
        asked_for = self.source_of("colours") is FactSource.PREFERENCE
        told_its_size = self.source_of("size") is not FactSource.DEFAULT
        self.rendering = Rendering(
            colours=self.colours if asked_for or not listens else 0,
            width=max(_NARROWEST, self.size.columns) - 1 if told_its_size and not listens else None,
            links=bool(self._fact("links", False)) and not listens,
            mxp=bool(self._fact("mxp", False)),
            sounds=bool(self._fact("sounds", False)),
            charset=self.charset,
        )
        is_marked = self.rendering.mxp or self.rendering.sounds
        self.plain_columns = 0 if is_marked else self.rendering.width or sys.maxsize
        if self._observer is not None:
            self._observer()


_NONE: Final[Mapping[str, int]] = MappingProxyType({})
_USUAL_SIZE: Final = Size(80, 24)
_PLAIN: Final = Rendering()


def _check_preferences(colours: object, screen_reader: object, size: object) -> None:
    if colours is not None and type(colours) is not int:
        raise TypeError(f"Client.prefer(colours=) takes a number of colours, such as 16, not {article(colours)}")
    if colours is not None and not 0 <= colours <= TRUECOLOUR:
        raise ValueError(
            f"Client.prefer(colours=) takes 0 or more colours, and {TRUECOLOUR} at most, not {describe_value(colours)}"
        )
    if screen_reader is not None and type(screen_reader) is not bool:
        raise TypeError(f"Client.prefer(screen_reader=) takes True or False, not {article(screen_reader)}")
    if size is None:
        return
    if type(size) is not Size or not all(type(number) is int for number in size):
        raise TypeError(f"Client.prefer(size=) takes a Size, such as Size(80, 24), not {article(size)}")
    if not (min(size) >= 1 and max(size) <= _LARGEST):
        raise ValueError(
            f"Client.prefer(size=) takes a Size of at least one column and one row, and {_LARGEST} at most of each, "
            f"not {describe_value(size)}"
        )


def _colours_of_terminal(name: str) -> int | None:
    """Return how many colours a terminal of this name, in upper case, shows; None if the name is unknown."""
    if name.endswith("-TRUECOLOR") or "KITTY" in name or "DIRECT" in name:
        return TRUECOLOUR
    if "256COLOR" in name:
        return 256
    if name.startswith(_COLOURLESS):
        return 0
    return 16 if name.startswith(_COLOURFUL) else None
