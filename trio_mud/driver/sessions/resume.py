"""The return of a client by GMCP: the package `Session`.

A link can be dead long before either side notices, and text sent meanwhile is in no buffer of the server. Therefore a
session gives each client that names the package a token, and its link numbers the text (`link.tail`):

- `Session.Token {"token", "grace", "lines"}` to the client, when it enters a session or names the package later:
  a secret for one return, the seconds that the session waits, and the number of line ends sent so far; if a
  `Session.Resumed` follows, the number of them that the client has received.
- `Session.Resume {"token", "lines"}` from the client: the number of line ends received.
- a new `Session.Token`, and `Session.Resumed {"lines", "missed", "lost"}` to the client: the number of line ends before
  the text that follows, how many follow, and how many more are lost. Then the missing text, then what the session kept.
- or `Session.Void`: the token is good no longer; log in.

The client sets its count to `lines` at both messages. The token comes first, so a link that dies behind it, or within
the missing text, costs nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..connection.connection import Connection
from ..link.tail import Tail


class PresentedToken(NamedTuple):
    """The proof of a client that returns: its token, and the line ends it has received, None if it shows nothing."""

    token: str
    seen: int | None


def can_return(connection: Connection) -> bool:
    """Return True if the client named the package."""
    return "session" in connection.client.packages


def offer_return(connection: Connection, tail: Tail, token: str, grace: float, *, seen: int | None) -> None:
    """Send the client a token, and number its text from here on; `seen` if `catch_up` follows."""
    connection._link.offer_return(tail, token, grace if grace < math.inf else None, seen=seen)


def catch_up(connection: Connection, tail: Tail, seen: int | None) -> None:
    """Send a client that has returned the text that it is missing."""
    connection._link.catch_up(tail, seen)
    connection.server.counters["sessions resumed by token"] += 1
