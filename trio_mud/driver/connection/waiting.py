"""The items that wait in an inbox, and their size: typed lines, and messages that wait in turn with them.

Their number is bounded by `limits.max_typeahead`. Large ones are also bounded in bytes, by
`limits.max_typeahead_bytes`: a few dozen large messages would otherwise hold megabytes.
A message waits as JSON, since the objects that it decodes to can take twenty times the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final

from ...telnet.gmcp_messages import from_json, to_json
from ..core.events import HookEvent
from .events import MsdpMessage

if TYPE_CHECKING:
    from .events import Subject

SHORT: Final = 29  # characters; a line up to this length is light even at 4 bytes a character
LIGHT: Final = 192  # bytes of a line or payload; lighter ones are bounded by their number alone


class HiddenLine(str):
    """A line typed while input was hidden. It answers hidden questions only, and its repr does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden line>"


class Payload:
    """A GMCP or MSDP message that waits for its turn, as JSON, so that its size is known and close to that received.

    Attributes:
        name: The package or the variable.
        body: The data as JSON.
    """

    __slots__ = ("_kind", "_subject", "body", "name")

    def __init__(
        self, kind: Callable[[Subject, str, Any], HookEvent], subject: Subject, name: str, data: object
    ) -> None:
        self._kind = kind
        self._subject = subject
        self.name = name
        self.body = to_json(data)

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + getsizeof(self.body)

    def event(self) -> HookEvent:
        """Return the event of this message."""
        return self._kind(self._subject, self.name, from_json(self.body))

    @property
    def is_msdp(self) -> bool:
        """True for an MSDP variable, False for a GMCP package."""
        return self._kind is MsdpMessage


Waiting = str | HookEvent | Payload


def weight_of(item: Waiting) -> int:
    """Return the bytes that a line or message counts for; 0 for a light one."""
    size = getsizeof(item)
    return size if size > LIGHT else 0
