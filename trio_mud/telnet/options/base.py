"""What an option is: one telnet option's part in the engine, in a file of its own.

To add one, write a subclass in this package and name it in `options/__init__.py`; a game may also pass its own to
`TelnetEngine(options=…)`.  Bytes of the option alone belong here; when it is on or off is negotiation's.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ..engine import TelnetEngine


class Policy(Enum):
    """What we think of an option on one side."""

    REFUSE = auto()  # The peer may not ask for it; we still may, by `enable_ours` and `enable_theirs`.
    ACCEPT = auto()  # The peer may ask for it.
    OFFER = auto()  # It may, and we ask for it as the connection starts.


class Option:
    """A telnet option: what it is called, who may want it, and what it does.

    Give a subclass a `code` and override what it needs; every method here does nothing.  The object in an engine's
    list of options is a prototype shared by all connections: each engine works on a shallow copy, made at its first
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

    def on_ours(self, engine: TelnetEngine, enabled: bool) -> None:
        """Our side was agreed on, or went off by whoever's wish."""

    def on_theirs(self, engine: TelnetEngine, enabled: bool) -> None:
        """Their side was agreed on, or went off by whoever's wish."""

    def on_refused(self, engine: TelnetEngine) -> None:
        """The peer refused what we asked for, or did not answer in time; a late yes may still follow."""

    def on_subnegotiation(self, engine: TelnetEngine, payload: bytes) -> None:
        """The peer sent this payload while the option was on; IAC IAC is already one ff."""

    def on_deadline(self, engine: TelnetEngine) -> None:
        """The time has passed that `engine.set_deadline` was given."""

    def is_settled(self, engine: TelnetEngine) -> bool:
        """Whether nothing is awaited that the peer was asked as the connection began; see `Settled`."""
        return True
