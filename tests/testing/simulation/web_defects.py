"""Planted defects of the web port and of clients that return by a token; as those of `defects`, which has the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trio_mud.driver.connection.connection import Connection
from trio_mud.driver.link.outgoing import Outgoing
from trio_mud.driver.link.tail import Missing, Tail
from trio_mud.driver.sessions import session
from trio_mud.driver.sessions.registry import Sessions
from trio_mud.driver.sessions.session import Session
from trio_mud.transports.framing import Framing

from .defects import DEFECTS, PLAYED, defect, replaced

# The token


@contextmanager
def _a_token_is_checked_after_the_tail_is_read() -> Iterator[None]:
    issued: dict[str, Session] = {}

    def give(true: Any, self: Sessions, of: Session, former: str, lifetime: float) -> str:
        token: str = true(self, of, former, lifetime)
        issued[token] = of
        return token

    def resume(true: Any, self: Sessions, token: str, connection: Connection) -> Any:
        tail = issued[token]._tail if token in issued and token not in self._tokens else None
        if tail is not None:
            connection._link.catch_up(tail, None)
            connection._link.end_tail()
        return true(self, token, connection)

    with replaced(Sessions, "_give_token", give), replaced(Sessions, "resume", resume):
        yield


DEFECTS["a_token_is_checked_after_the_tail_is_read"] = _a_token_is_checked_after_the_tail_is_read
PLAYED["a_token_is_checked_after_the_tail_is_read"] = "hostile"


@defect(Connection, "_resume")
def a_token_presented_by_gmcp_is_good_twice(true: Any, self: Connection, token: str, seen: int | None) -> bool:
    tokens = self.server.sessions._tokens
    kept = tokens.get(token)
    has_resumed: bool = true(self, token, seen)
    if has_resumed and kept is not None:
        tokens[token] = kept
    return has_resumed


@defect(Connection, "_resume")
def any_token_is_good(true: Any, self: Connection, token: str, seen: int | None) -> bool:
    tokens = self.server.sessions._tokens
    return bool(true(self, token if token in tokens or not tokens else next(iter(tokens)), seen))


# The tail


@defect(Tail, "add")
def a_chunk_of_the_tail_is_forgotten(true: Any, self: Tail, text: bytes) -> None:
    true(self, text)
    if self.lines % 3 == 0 and self._chunks:
        self._chunks.pop()


@defect(Outgoing, "_replay")
def the_missing_lines_are_sent_twice(true: Any, self: Outgoing, missing: Missing) -> None:
    true(self, missing)
    self._queue_last(missing.text)


@defect(session, "catch_up")
def what_is_sent_again_is_numbered_again(true: Any, connection: Connection, tail: Tail, seen: int | None) -> None:
    again = tail.missing(seen).text
    true(connection, tail, seen)
    tail.add(again)


# Messages


@defect(Framing, "_hear")
def a_codec_hears_the_last_fragment_only(true: Any, self: Framing, frame: Any, now: float) -> bytes:
    if self._codec is not None and frame.fin:
        self._partial = None
    heard: bytes = true(self, frame, now)
    return heard
