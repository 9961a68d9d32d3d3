"""The sessions of a world as the cluster link holds them for the next one.

The driver knows the state of a session (`driver/sessions/restoring.py`); this module adds the connections at gateways
that it is bound to, and finds the session again when the roll brings such a connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

import msgspec

from ..driver.core.guard import describe_value
from ..driver.link.guarded import GuardedLink
from ..driver.link.tail import Tail
from ..driver.server.server import MasterServer
from ..driver.sessions.events import SessionRestored
from ..driver.sessions.restoring import Continuation, SessionState, can_restore
from ..driver.sessions.session import Session
from ..storage.journal import Held
from .remote_link import RemoteLink
from .wire import encodable

SESSION: Final = b"s"  # the first byte of the keys of sessions

# A gateway, its incarnation, and the number of a connection there, which the next incarnation gives another one.
Place = tuple[str, int, int]

logger = logging.getLogger("trio_mud")


class _HeldSession(msgspec.Struct, array_like=True, frozen=True):
    state: SessionState
    connections: tuple[tuple[str, int], ...] = ()  # by gateway and number
    incarnations: tuple[int, ...] = ()  # of their gateways; none in what an earlier version has left
    tail: int = 0  # the number of the tail of its client; 0 without one
    holder: tuple[str, int] = ("", 0)  # the gateway that has that, and its incarnation
    tail_link: int = 0  # the connection there that adds to it; 0 for a dead link

    @property
    def places(self) -> tuple[Place, ...]:
        """The places of its connections."""
        known = zip(self.connections, self.incarnations, strict=False)
        return tuple((gateway, incarnation, number) for (gateway, number), incarnation in known)

    @classmethod
    def at(cls, state: SessionState, places: Iterable[Place], tail: Tail | None, tail_link: int) -> _HeldSession:
        """Return the state of a session with these places and this tail."""
        there = tuple(places)
        connections = tuple((gateway, number) for gateway, _, number in there)
        incarnations = tuple(incarnation for _, incarnation, _ in there)
        if tail is None or tail.holder is None:
            return cls(state, connections, incarnations)
        return cls(state, connections, incarnations, tail.number, cast("tuple[str, int]", tail.holder), tail_link)


class HeldSessions:
    """The sessions of one world, and those of an earlier one that it restores."""

    def __init__(self) -> None:
        self._server: MasterServer | None = None
        self._left: dict[bytes, _HeldSession] = {}  # by an earlier world
        self._places: dict[Place, Session] = {}  # the connections that sessions wait for
        self._arriving: dict[Place, Continuation] = {}  # those that have come, and are not bound to their sessions yet
        self._waiting: dict[Session, tuple[Place, ...]] = {}  # all of them by session; some may be bound to it
        self._tail_links: dict[Place, Session] = {}  # those that keep the text of their client for its return
        self._drops: set[bytes] = set()  # what the cluster link holds of an earlier world
        # Until the server has started, all of that stays: if the start fails, the next world restores it.
        self._earlier: dict[bytes, bytes] = {}
        self._lost: dict[bytes, bytes] = {}  # the part of it that the cluster link has lost
        self._is_started = self._is_ready = False

    def attach_server(self, server: MasterServer) -> None:
        """Set the server. Called once, before any other method."""
        self._server = server

    def begin(self, held: Mapping[bytes, bytes]) -> None:
        """Take note of what is held at a claim. At a later one of the same world, all sessions are held again."""
        found = {key: value for key, value in held.items() if key.startswith(SESSION)}
        self._drops = set(found)
        if not self._is_ready:
            self._earlier |= found
            self._lost = {key: value for key, value in self._earlier.items() if key not in found}
        if self._is_started:
            restoring = self._its_server.sessions._restoring
            restoring.changed = dict.fromkeys(self._its_server.sessions)
            return
        for key, value in found.items():
            try:
                self._left[key] = msgspec.msgpack.decode(value, type=_HeldSession)
            except (msgspec.DecodeError, ValueError):
                logger.error("a session of an earlier world cannot be decoded, and its player logs in again")  # noqa: TRY400 - the text says all

    def restore(self, advanced: Callable[[], object]) -> bool:
        """Begin the sessions of the earlier world, if the game has a function for them; before its first event.

        Returns:
            True if there are any. Then `advanced` is called whenever `is_over` may have become True.
        """
        self._is_started = True
        server, left = self._its_server, self._left
        restoring = server.sessions._restoring
        restoring.changed = {}
        self._left = {}
        restoring.advanced = advanced
        if not server.hooks.functions_for(SessionRestored):
            return False
        for held in left.values():
            session = restoring.restore(held.state)
            if held.tail:
                session._tail = Tail(server.limits.max_tail, held.tail)
                session._tail.holder = held.holder
                self._tail_links[*held.holder, held.tail_link] = session
            self._places |= dict.fromkeys(held.places, session)
            self._waiting[session] = held.places
        return bool(left)

    def report(self, gateways: Iterable[str]) -> None:
        """Report the sessions that wait for no connection at these gateways, whose rolls are not over."""
        rolling, restoring = set(gateways), self._its_server.sessions._restoring
        for session in restoring.unreported():
            places = [place for place in self._waiting.get(session, ()) if self._places.get(place) is session]
            if not any(gateway in rolling for gateway, _, _ in places):
                restoring.report(session)

    def take_place(self, link: RemoteLink) -> Continuation | None:
        """Return how this connection continues a session; None for any other."""
        place = _place_of(link)
        session = self._places.pop(place, None)
        if session is None:
            return None
        if self._tail_links.get(place) is session:
            link.keep_tail()
        continuation = self._arriving[place] = self._its_server.sessions._restoring.announce(session)
        return continuation

    def close_roll(self, gateway: str, rolling: Iterable[str]) -> None:
        """Wait no longer for connections that the roll of a gateway has not named.

        Args:
            gateway: Its name.
            rolling: The gateways whose rolls are not over.
        """
        for place in [place for place in self._places if place[0] == gateway]:
            del self._places[place]
        if self._is_ready:
            self.report(rolling)
        self._its_server.sessions._restoring.advanced()

    def is_over(self, *, waits_for_rolls: bool) -> bool:
        """Return True if the sessions are restored: their functions have ended, and their connections are bound.

        Args:
            waits_for_rolls: False if only the functions count of sessions that were reported.
        """
        restoring = self._its_server.sessions._restoring
        if not waits_for_rolls:
            return restoring.is_over(reported=True)
        return restoring.is_over() and not (self._places or any(map(self._may_continue, self._arriving.values())))

    async def run(self, rolling: Iterable[str], has_news: Callable[[], object]) -> None:
        """Begin once the server has started: let the sessions wait, and report those that wait for nothing.

        Args:
            rolling: The gateways whose rolls are not over.
            has_news: Called when there may be something to commit.
        """
        await self._its_server._tree.wait_started()
        self._its_server.sessions._restoring.begin_waits()
        self._is_ready = True
        self._earlier, self._lost = {}, {}
        self.report(rolling)
        has_news()

    def take(self) -> Held:
        """Return the changes of what is held, up to this moment; before the server has started, there are none."""
        if not self._is_ready:
            lost, self._lost = self._lost, {}
            self._drops |= lost.keys()
            return {**lost}
        restoring = self._its_server.sessions._restoring
        changed, restoring.changed = restoring.changed or {}, {}
        held: Held = dict.fromkeys(self._drops)
        self._drops = set()
        for session in changed:
            if not can_restore(session.key):
                continue
            key, state = SESSION + msgspec.msgpack.encode(session.key), restoring.state_of(session)
            if state is not None:
                try:
                    held[key] = msgspec.msgpack.encode(self._held_with(session, state))
                except Exception as error:  # noqa: BLE001 - a value of the game that is not checked where it is given
                    self._report_left_out(session, error)
            elif self._its_server.sessions.get(session.key) is None:
                held[key] = None
        self._arriving = {place: one for place, one in self._arriving.items() if self._may_continue(one)}
        if not (self._places or self._arriving):
            self._waiting.clear()
            self._tail_links.clear()
        return held

    @property
    def has_news(self) -> bool:
        """True if there is something to commit."""
        if not self._is_ready:
            return bool(self._lost)
        return bool(self._drops or self._its_server.sessions._restoring.changed)

    @property
    def _its_server(self) -> MasterServer:
        assert self._server is not None, "MasterServer attaches its services"
        return self._server

    def _held_with(self, session: Session, state: SessionState) -> _HeldSession:
        """Return the state of a session with its connections, and with the tail of its client."""
        links, awaited = _links_of(session), self._awaited(session)
        with_tail = [link.number for link in links if link.has_tail]
        with_tail += [place[2] for place in awaited if self._tail_links.get(place) is session]
        places = [*map(_place_of, links), *awaited]
        state = state._replace(name=encodable(state.name))
        return _HeldSession.at(state, places, session._tail, with_tail[0] if with_tail else 0)

    def _report_left_out(self, session: Session, error: Exception) -> None:
        self._its_server.counters["messages not encoded"] += 1
        text = f"the session of {describe_value(session.key)} cannot be held for the next world"
        summary = "sessions cannot be held for the next world"
        self._its_server._context.repeats.log(logging.ERROR, text, kind="held", summary=summary, error=error)

    def _awaited(self, session: Session) -> list[Place]:
        """Return the connections of the earlier world that may still continue a session, arrived or not."""
        if not self._its_server.sessions._restoring.awaits(session):
            return []
        return [place for place in self._waiting.get(session, ()) if self._is_awaited(place, session)]

    def _is_awaited(self, place: Place, session: Session) -> bool:
        arriving = self._arriving.get(place)
        return self._places.get(place) is session or (arriving is not None and arriving.is_open)

    def _may_continue(self, one: Continuation) -> bool:
        return one.is_open and self._its_server.sessions._restoring.awaits(one.session)


def _links_of(session: Session) -> list[RemoteLink]:
    guarded = [connection._link for connection in session.connections]
    links: list[object] = [link._link for link in guarded if isinstance(link, GuardedLink)]
    return [link for link in links if isinstance(link, RemoteLink)]


def _place_of(link: RemoteLink) -> Place:
    return link.gateway, link.incarnation, link.number
