"""What an option is: one telnet option's part in the engine, in a file of its own.

To add one, write a subclass in this package and name it in `options/__init__.py`; a game may also pass its own to
`TelnetEngine(options=…)`.  Bytes of the option alone belong here; when it is on or off is negotiation's.  An option
sees the engine as the protocol `Engine`, and so knows nothing of its parts.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar, Protocol, TypeVar

from ..compression import InflationLimits
from ..events import TelnetEvent

AnOption = TypeVar("AnOption", bound="Option")


class Engine(Protocol):
    """The engine as its options see it; `TelnetEngine` is the one there is."""

    __slots__ = ()

    @property
    def charset(self) -> str:
        """The Python codec in which text travels both ways; it can be set, see `TelnetEngine.charset`."""

    @charset.setter
    def charset(self, name: str) -> None: ...

    @property
    def chosen_charset(self) -> str | None:
        """The charset that the user chose, which no negotiation changes; None: it is still open."""

    @property
    def input_hidden(self) -> bool:
        """Whether what is typed now is meant to be hidden, if the peer agreed or not: do not log it."""

    def option(self, kind: type[AnOption]) -> AnOption | None:
        """This connection's own copy of an option, to call its methods; None without it, or when it has failed."""

    def emit(self, event: TelnetEvent) -> None:
        """Report an event with those of the current `receive` or `tick`, or else of the next."""

    def send_text(self, text: str) -> None:
        """Queue text; it does not end the line, so write the newline yourself."""

    def send_encoded(self, data: bytes) -> None:
        """Queue bytes made by `TelnetEngine.encode`, of this engine or of one with the same charset."""

    def send_subnegotiation(self, code: int, payload: bytes) -> None:
        """Queue a payload for the peer's side of an option, ff doubled."""

    def agree_charset(self, name: str) -> None:
        """Use the charset that was agreed with the peer, unless the user has chosen one."""

    def start_compression(self) -> None:
        """Compress what is queued after this, behind a marker that tells the peer."""

    def stop_compression(self) -> None:
        """Compress what is queued already, and nothing after it."""

    def start_inflation(self, limits: InflationLimits) -> None:
        """Inflate what follows the payload that is being reported; the limits stand from the first time on."""

    def set_deadline(self, code: int, seconds: float) -> None:
        """Have the option's `on_deadline` called after so many seconds from the next tick; it has one at a time."""

    def enable_ours(self, code: int) -> None:
        """Ask to switch our side of an option on, unless it is or is being asked for."""

    def disable_ours(self, code: int) -> None:
        """Switch our side of an option off, at once; the peer has no say."""

    def enable_theirs(self, code: int) -> None:
        """Ask the peer to switch its side of an option on, unless it is or is being asked for."""

    def disable_theirs(self, code: int) -> None:
        """Tell the peer to switch its side of an option off; it counts as off at once."""

    def is_ours(self, code: int) -> bool:
        """Whether our side of an option is agreed on."""

    def is_theirs(self, code: int) -> bool:
        """Whether the peer's side of an option is agreed on."""


class Policy(Enum):
    """What we think of an option on one side."""

    REFUSE = auto()  # The peer may not ask for it; we still may, by `enable_ours` and `enable_theirs`.
    ACCEPT = auto()  # The peer may ask for it.
    OFFER = auto()  # It may, and we ask for it as the connection starts.


class Option:
    """A telnet option: what it is called, who may want it, and what it does.

    Give a subclass a `code` and override what it needs; every method here does nothing.  The object in an engine's
    list of options is shared by all connections: each engine works on a shallow copy, made at its first
    use, so a method may keep what it learns in attributes of `self`, as long as it replaces values rather than
    changing shared ones.  Name those attributes in `__slots__`, for there are many connections.

    A method that raises costs the option, not the connection: the engine reports `OptionFailed` and switches it off.
    Only KeyboardInterrupt and SystemExit go through.  The class attributes are read once, when the server is made.
    """

    __slots__ = ()

    code: ClassVar[int]
    ours: ClassVar[Policy] = Policy.REFUSE  # WILL from us, DO from the peer
    theirs: ClassVar[Policy] = Policy.REFUSE  # DO from us, WILL from the peer
    subnegotiation_limit: ClassVar[int | None] = None  # bytes of payload once agreed; None: the engine's

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        """Our side was agreed on, or went off by whoever's wish."""

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        """Their side was agreed on, or went off by whoever's wish."""

    def on_refused(self, engine: Engine) -> None:
        """The peer refused what we asked for, or did not answer in time; a late yes may still follow."""

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        """The peer sent this payload while the option was on; IAC IAC is already one ff."""

    def on_deadline(self, engine: Engine) -> None:
        """The time has passed that `engine.set_deadline` was given."""

    def is_settled(self, engine: Engine) -> bool:
        """Whether nothing is awaited that the peer was asked as the connection began; see `Settled`."""
        return True
