"""What waits in an inbox, and what it weighs: typed lines, and messages that wait in turn with them.

Their number is bounded by `limits.typeahead`. Those that are large are bounded in bytes, too, by
`limits.max_typeahead_bytes`: 64 lines of 4 KiB are no burden, 64 messages of 64 KiB each are.
A message waits as the JSON it means, for the objects it decodes to may take twenty times the memory.
"""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING, Final

from ...telnet.gmcp_messages import from_json, to_json
from ..core.events import HookEvent
from .events import GmcpMessage, MsdpMessage

if TYPE_CHECKING:
    from .events import Subject

SHORT: Final = 29  # characters; a line of so few is light, whatever they are
LIGHT: Final = 192  # bytes of a line or payload; the number of lighter ones is bound enough


class HiddenLine(str):
    """A line typed while a dialog hid it: an answer to hidden questions and to nothing else. Its repr hides it too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden line>"


class Payload:
    """A GMCP or MSDP message that waits for its turn, as JSON: its size is known, and is that of what came."""

    __slots__ = ("_body", "_kind", "_name", "_subject")

    def __init__(self, kind: type[GmcpMessage | MsdpMessage], subject: Subject, name: str, data: object) -> None:
        self._kind = kind
        self._subject = subject
        self._name = name
        self._body = to_json(data)

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + getsizeof(self._body)

    def event(self) -> HookEvent:
        """The event that its turn makes of it."""
        return self._kind(self._subject, self._name, from_json(self._body))


Waiting = str | HookEvent | Payload


def weight_of(item: Waiting) -> int:
    """Bytes of memory that a line or message counts for; 0 for a light one."""
    size = getsizeof(item)
    return size if size > LIGHT else 0
