"""The base class of telnet options, and the engine's interface to them.

To add an option, write a subclass in this package and name it in `options/__init__.py`; a game may also pass its own
to `TelnetEngine(options=…)`. An option handles its own payloads; negotiation decides when it is on. Options use the
engine through the protocol `Engine` and do not depend on its parts.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar, Protocol, TypeVar

from ..compression import InflationLimits
from ..events import TelnetEvent

AnOption = TypeVar("AnOption", bound="Option")


class Engine(Protocol):
    """The engine as seen by its options; `TelnetEngine` implements it."""

    __slots__ = ()

    @property
    def charset(self) -> str:
        """The Python codec of text in both directions; settable, see `TelnetEngine.charset`."""

    @charset.setter
    def charset(self, name: str) -> None: ...

    @property
    def chosen_charset(self) -> str | None:
        """The charset chosen by the user, which negotiation does not change; None if there is none."""

    @property
    def input_hidden(self) -> bool:
        """True if input typed now should be hidden, whether or not the peer agreed. Do not log it."""

    def option(self, kind: type[AnOption]) -> AnOption | None:
        """Return this connection's copy of an option; None if the option is not supported or has failed."""

    def emit(self, event: TelnetEvent) -> None:
        """Report an event with those of the current `receive` or `tick`, or else with the next."""

    def send_text(self, text: str) -> None:
        """Queue text. The line is not ended: include the newline."""

    def send_encoded(self, data: bytes) -> None:
        """Queue bytes returned by `TelnetEngine.encode` of this engine or of one with the same charset."""

    def send_subnegotiation(self, code: int, payload: bytes) -> None:
        """Queue a payload for the peer's side of an option, with ff doubled."""

    def agree_charset(self, name: str) -> None:
        """Use the charset agreed with the peer, unless the user has chosen one."""

    def start_compression(self) -> None:
        """Compress everything queued after this call; a marker announces it to the peer."""

    def stop_compression(self) -> None:
        """Compress everything queued so far, and nothing after it."""

    def start_inflation(self, limits: InflationLimits) -> None:
        """Inflate everything after the payload being reported; the limits of the first call stay in force."""

    def set_deadline(self, code: int, seconds: float) -> None:
        """Call the option's `on_deadline` this many seconds after the next tick; each option has one deadline.

        Raises:
            ValueError: They are less than 0.01, which would keep the server busy.
        """

    def enable_ours(self, code: int) -> None:
        """Ask to switch our side of an option on, unless it is on or was asked for."""

    def disable_ours(self, code: int) -> None:
        """Switch our side of an option off at once; the peer must accept it."""

    def enable_theirs(self, code: int) -> None:
        """Ask the peer to switch its side of an option on, unless it is on or was asked for."""

    def disable_theirs(self, code: int) -> None:
        """Ask the peer to switch its side of an option off; it counts as off at once."""

    def is_ours(self, code: int) -> bool:
        """True if our side of an option is agreed."""

    def is_theirs(self, code: int) -> bool:
        """True if the peer's side of an option is agreed."""


class Policy(Enum):
    """Our policy for one side of an option."""

    REFUSE = auto()  # refuse requests of the peer; `enable_ours` and `enable_theirs` may still ask
    ACCEPT = auto()  # accept requests of the peer
    OFFER = auto()  # accept requests, and ask as the connection starts


class Option:
    """A telnet option: its code, its policy for both sides, and its handlers.

    Give a subclass a `code` and override the methods it needs; the methods here do nothing. The object in the list of
    options is shared by all connections: each engine works on a shallow copy, made at first use. So a method may store
    state in attributes of `self` if it replaces values instead of changing shared ones. Name those attributes in
    `__slots__`, because each connection has a copy.

    If a method raises, only the option is lost, not the connection: the engine reports `OptionFailed` and switches it
    off. Only KeyboardInterrupt and SystemExit propagate. The class attributes are read once, when the server is
    created.
    """

    __slots__ = ()

    code: ClassVar[int]
    ours: ClassVar[Policy] = Policy.REFUSE  # WILL from us, DO from the peer
    theirs: ClassVar[Policy] = Policy.REFUSE  # DO from us, WILL from the peer
    subnegotiation_limit: ClassVar[int | None] = None  # bytes of payload once agreed; None: the engine's

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        """Our side was switched on or off, by either peer."""

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        """The peer's side was switched on or off, by either peer."""

    def on_refused(self, engine: Engine) -> None:
        """The peer refused our request or did not answer in time; a late agreement may still follow."""

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        """The peer sent this payload while the option was on; doubled ff are already single."""

    def on_deadline(self, engine: Engine) -> None:
        """The deadline set with `engine.set_deadline` has passed."""

    def is_settled(self, engine: Engine) -> bool:
        """True if no answer to an initial question is missing; see `NegotiationSettled`."""
        return True
