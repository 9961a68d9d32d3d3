"""The simulator's access to the driver beyond its public names; update it with changes of the driver."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count
from sys import getsizeof
from types import SimpleNamespace
from typing import Any, NamedTuple

from ...accounts import tokens
from ...cluster.forwarder import Forwarder
from ...cluster.gateway import GatewayService
from ...cluster.remote_link import RemoteLink
from ...cluster.states import AtGateway
from ...cluster.world import WorldService
from ...driver.connection.connection import Connection
from ...driver.connection.dialog import Dialog
from ...driver.connection.inbox import _Stage
from ...driver.connection.secret import Secret
from ...driver.connection.waiting import LIGHT
from ...driver.core.hooks import Hooks
from ...driver.core.timers import Deadline, DeadlineOwner
from ...driver.core.turns import Source, SourceChannel
from ...driver.link.guarded import GuardedLink
from ...driver.link.outgoing import Outgoing
from ...driver.link.tail import OVERHEAD, Tail
from ...driver.link.telnet import TelnetLink
from ...driver.server.events import Reloaded
from ...driver.server.server import MasterServer
from ...driver.sessions import session
from ...driver.sessions.registry import Duplicate
from ...driver.sessions.session import Session
from ...storage import Record, Store
from ...storage.schema import family_of, schema_of
from ...world import Thing, World
from ..memory_cluster import MemoryCluster, MemoryWorldEnd


class Returned(NamedTuple):
    """The return of a client by a token.

    Attributes:
        seen: The number of line ends that it says it has received.
        text: All numbered text of the session's links so far.
        size: The bytes that it would take to keep all of it.
    """

    seen: int | None
    text: bytes
    size: int


def guests(server: MasterServer) -> Collection[Connection]:
    """Return every connection from accept until its transport is closed."""
    return server._tree.accepted.values()


def is_undecided(connection: Connection) -> bool:
    """Return True until the connect hook's verdict."""
    return connection._inbox.is_undecided


def undecided(server: MasterServer) -> int:
    """Return the number of accepted connections without a verdict."""
    return len(server._host.undecided)


def is_without_outcome(connection: Connection) -> bool:
    """Return True until a connection is admitted or refused, or its handshake has failed and is counted as that."""
    return connection.number in connection.server._host.undecided


def is_in_handshake(connection: Connection) -> bool:
    """Return True as long as the handshake of a connection's transport is not over; True for ever if it failed."""
    return connection._inbox._stage is _Stage.HANDSHAKE


def waiting(connection: Connection) -> tuple[int, int, int, int]:
    """Return lines in the inbox, bytes of long lines, unparsed bytes, and bytes in the outbox.

    The newest three long lines are not counted, because one slice may contain them, nor is a first line that was given
    back.
    """
    lines, link = connection._inbox.lines, connection._link
    if isinstance(link, GuardedLink):
        remote = remote_link(connection)
        return len(lines) + len(remote.input._backlog), 0, 0, remote._size
    assert isinstance(link, TelnetLink)
    sizes = [getsizeof(line) for line in lines if isinstance(line, str) and len(line) > LIGHT]
    return len(lines), sum(sizes[1:-3]), len(link._incoming._raw or b""), link.waiting


def has_tail(connection: Connection) -> bool:
    """Return True if the link keeps its last text, for a client that may return by a token."""
    link = connection._link
    return isinstance(link, TelnetLink) and link._tail is not None


def name_of(gateway: GatewayService) -> str:
    """Return the name of a gateway."""
    return gateway._name


def incarnation(world: WorldService, gateway: str) -> int:
    """Return the incarnation of a gateway that a world has heard of; 0 if of none."""
    return world._gateways.incarnation_of(gateway)


def peers(gateway: GatewayService) -> Iterator[tuple[AtGateway, Connection, int, int, bool]]:
    """Yield each connection of a gateway with its state.

    That is the greatest number of its input, the greatest acknowledged one, and whether it is in a dialog.
    """
    for peer in gateway._peers.values():
        unacknowledged = peer.forwarder.unacknowledged
        yield (
            *(peer._machine.state, peer.connection),
            *(unacknowledged.number, unacknowledged.acknowledged, peer.in_dialog),
        )


def frames_for_gateways(cluster: MemoryCluster) -> dict[str, list[bytes]]:
    """Return the frames on their way to each gateway."""
    return {gateway: [frame for _, frame in stream._frames] for gateway, stream in cluster._down.items()}


def frames_for_world(end: MemoryWorldEnd) -> object:
    """Return the frames on their way to a world; the same object from its first claim on."""
    return end._frames


def has_ended(server: MasterServer) -> bool:
    """Return True if a server has closed everything."""
    return server.closed.is_set()


def remote_link(connection: Connection) -> RemoteLink:
    """Return the link of a connection in a world."""
    guarded: Any = connection._link
    link = guarded._link
    assert isinstance(link, RemoteLink), "it is a connection of a world"
    return link


def has_private_lines(connection: Connection) -> bool:
    """Return True if the lines of a connection in a world belong to a dialog, or to hidden input."""
    return connection._inbox.taker is not None or connection._link.hides_input


def number_from(server: MasterServer, first: int) -> None:
    """Number the connections of a server from a number."""
    server._numbers = count(first)


@contextmanager
def written_text(callback: Callable[[Connection, str], object]) -> Iterator[None]:
    """Call `callback`, in this block, with each plain text that a telnet link accepts."""
    write = Outgoing.write

    def write_and_report(self: Any, text: Any, *, is_last: bool = False) -> bool:
        is_accepted = write(self, text, is_last=is_last)
        if is_accepted and isinstance(text, str):
            callback(self._receiver._subject, text)
        return is_accepted

    Outgoing.write = write_and_report  # type: ignore[method-assign]
    try:
        yield
    finally:
        Outgoing.write = write  # type: ignore[method-assign]


@contextmanager
def forwarded_input(line: Callable[[Connection, str], object], drops: Callable[[Connection], object]) -> Iterator[None]:
    """Call `line`, in this block, with each line that a gateway takes, and `drops` when it drops waiting ones."""
    forwarder: Any = Forwarder
    answer, discard = forwarder.answer, forwarder.discard

    def answer_and_report(self: Forwarder, text: str) -> None:
        line(self._connection, text)
        answer(self, text)

    def discard_and_report(self: Forwarder) -> None:
        drops(self._connection)
        discard(self)

    forwarder.answer, forwarder.discard = answer_and_report, discard_and_report
    try:
        yield
    finally:
        forwarder.answer, forwarder.discard = answer, discard


def on_put(server: MasterServer, callback: Callable[[Source], object]) -> None:
    """Call `callback` for each source that is queued for a turn."""
    # In the compiled build, `Turns.put` itself cannot be replaced.
    server._context.dispatcher._to_ready = _ReportingChannel(server._context.dispatcher._to_ready, callback)


class _ReportingChannel:
    """The channel of sources that have events, with a callback for each."""

    def __init__(self, channel: SourceChannel, callback: Callable[[Source], object]) -> None:
        self._channel = channel
        self._callback = callback

    def send_nowait(self, source: Source) -> None:
        self._callback(source)
        self._channel.send_nowait(source)

    def close(self) -> None:
        self._channel.close()


def on_deadline(server: MasterServer, callback: Callable[[], object]) -> None:
    """Call `callback` for each deadline that expires."""
    at = server._context.timers.at

    def at_and_report(when: float, function: Callable[[], None], owner: DeadlineOwner | None = None) -> Deadline:
        def pass_and_report() -> None:
            callback()
            function()

        return at(when, pass_and_report, owner)

    server._context.timers.at = at_and_report  # type: ignore[method-assign]


def on_enter(
    server: MasterServer, shares: Callable[[Connection], object], entered: Callable[[Session], object]
) -> None:
    """Call `shares` before a connection enters a session that it may share, and `entered` after each entry."""
    enter = server.sessions.enter

    def report_and_enter(
        key: Hashable, connection: Connection, *, on_duplicate: Duplicate = Duplicate.TAKE_OVER, **others: Any
    ) -> Session:
        if on_duplicate is Duplicate.SHARE:
            shares(connection)
        session = enter(key, connection, on_duplicate=on_duplicate, **others)
        entered(session)
        return session

    server.sessions.enter = report_and_enter  # type: ignore[method-assign]


def on_continue(server: MasterServer, continues: Callable[[Connection, Session], object]) -> None:
    """Call `continues` with each connection that continues a session of an earlier server, before it is bound to it."""
    restoring = server.sessions._restoring
    conclude = restoring.conclude

    def report_and_conclude(connection: Connection) -> None:
        continues(connection, restoring._expected[connection].session)
        conclude(connection)

    restoring.conclude = report_and_conclude  # type: ignore[method-assign]


def place_of(connection: Connection) -> tuple[str, int, int]:
    """Return the gateway of a connection in a world, the incarnation of that, and the number there."""
    link = remote_link(connection)
    return link.gateway, link.incarnation, link.number


def name_of_session(session: Session) -> str:
    """Return the name of the last connection of a session."""
    return session._name if session.connection is None else session.connection.name


def tokens_of(session: Session) -> frozenset[str]:
    """Return the tokens that resume a session."""
    return frozenset(token for token, (owner, _) in session.server.sessions._tokens.items() if owner is session)


def expiry_of(session: Session) -> float:
    """Return when the grace of a session is over; infinite while its link lives."""
    return math.inf if session._expiry is None else session._expiry.when


@contextmanager
def commits_of_worlds(callback: Callable[[WorldService], object]) -> Iterator[None]:
    """Call `callback`, in this block, with each world that is about to take what it commits."""
    commit = WorldService._commit

    async def report_and_commit(self: WorldService, *, may_be_empty: bool) -> None:
        callback(self)
        await commit(self, may_be_empty=may_be_empty)

    WorldService._commit = report_and_commit  # type: ignore[method-assign]
    try:
        yield
    finally:
        WorldService._commit = commit  # type: ignore[method-assign]


@contextmanager
def returns_by_token(callback: Callable[[Connection, Returned], object]) -> Iterator[None]:
    """Call `callback`, in this block, with each connection whose client returns by a token, before it is answered."""
    sent: dict[Tail, tuple[bytes, int]] = {}  # all text of each tail, and the bytes that it takes to keep it
    sessions: Any = session
    add, catch_up = Tail.add, sessions.catch_up

    def add_and_keep(self: Tail, text: bytes) -> None:
        add(self, text)
        if b"\n" in text:
            before, size = sent.get(self, (b"", 0))
            sent[self] = before + text, size + len(text) + OVERHEAD

    def report_and_catch_up(connection: Connection, tail: Tail, seen: int | None) -> None:
        callback(connection, Returned(seen, *sent.get(tail, (b"", 0))))
        catch_up(connection, tail, seen)

    Tail.add, sessions.catch_up = add_and_keep, report_and_catch_up  # type: ignore[method-assign]
    try:
        yield
    finally:
        Tail.add, sessions.catch_up = add, catch_up  # type: ignore[method-assign]


@contextmanager
def hidden_input(callback: Callable[[Connection], object]) -> Iterator[None]:
    """Call `callback`, in this block, each time that a game hides input or shows it again.

    A hidden question hides it once, if it is not hidden yet, and shows it again at its end.
    """
    hide_input, ask_hidden = Connection.hide_input, Dialog.ask_hidden

    def report_and_hide(self: Connection, hidden: bool) -> None:
        callback(self)
        hide_input(self, hidden)

    async def report_and_ask(self: Dialog, *question: Any, **how: Any) -> Secret:
        for _ in ("hidden", "shown"):
            callback(self.connection)
        return await ask_hidden(self, *question, **how)

    Connection.hide_input, Dialog.ask_hidden = report_and_hide, report_and_ask  # type: ignore[method-assign]
    try:
        yield
    finally:
        Connection.hide_input, Dialog.ask_hidden = hide_input, ask_hidden  # type: ignore[method-assign]


def last_words(connection: Connection) -> str:
    """Return the text of a connection's ending."""
    return connection._lifecycle.last_words


def posts(server: MasterServer) -> int:
    """Return the number of posted events not yet handled."""
    return len(server._posts.waiting)


def records_in_memory(store: Store) -> dict[tuple[str, str], Record]:
    """Return every record in memory, by family and key."""
    contents = store._contents
    found: dict[tuple[str, str], Record] = {}
    for family, records in contents.pinned.items():
        for key, record in records.items():
            found[family, key] = record
        for key, record in list(contents._loose[family].items()) if contents._loose[family] else ():
            found[family, key] = record
    return found


def row(store: Store, record: Record) -> tuple[str, bytes, str]:
    """Return the kind of a record in memory, its fields as they are stored, and its owner."""
    schema = schema_of(type(record))
    overlay = None if store._overlay is None else store._overlay(type(record), record.__dict__)
    return schema.kind, schema.encode(record, overlay), record.stored_with()


def things(world: World) -> list[Thing]:
    """Return every thing in memory, also those that are kept there by other objects only."""
    contents = world.store._contents
    return [thing for thing in contents.in_memory("thing") if isinstance(thing, Thing)] if has_things(world) else []


def kind_of_thing(world: World, kind: str) -> type[Thing]:
    """Return the class whose things are stored with this kind."""
    cls = world.store._contents.catalog.find("thing", kind)
    return cls if cls is not None and issubclass(cls, Thing) else Thing


def has_things(world: World) -> bool:
    """Return True if the game has things, and not only other records."""
    return "thing" in world.store._contents.keys


def catalog_of(store: Store) -> object:
    """Return the catalog of the record classes that a store has."""
    return store._contents.catalog


def templates_of(world: World) -> dict[str, object]:
    """Return the templates of a world, by key."""
    return dict(world._atlas.templates)


def functions_of(hooks: Hooks) -> tuple[object, ...]:
    """Return all functions of the hooks, with the events or schedules they are for."""
    return (*((kind, tuple(found)) for kind, found in hooks._registered.items()), *hooks._scheduled)


def enable_reload(server: MasterServer, reload: Callable[[], Awaitable[Reloaded]]) -> None:
    """Let `server.reload()` call this function."""
    server._reload = reload


def hide(package: str) -> None:
    """Hide the record classes of a package, so that they can be declared again."""
    for cls in _below(Record):
        if cls.__module__.partition(".")[0] == package:
            cls._successor = None


def _below(cls: type[Record]) -> Iterator[type[Record]]:
    for below in type.__subclasses__(cls):
        yield below
        yield from _below(below)


def is_in_world(thing: Thing) -> bool:
    """Return True if the calls of a thing are made."""
    return thing._world is not None


def is_there(thing: Thing) -> bool:
    """Return True if a thing has to be among the contents of its place: a traveller only while it is held."""
    return thing._is_present()


def is_added(thing: Thing) -> bool:
    """Return True if a thing is stored, or is the body of a guest that is in the game."""
    return thing._tracker is not None or thing._world is not None


def is_dirty(store: Store, record: Record) -> bool:
    """Return True if the store has noted a change of this record."""
    return record in store._contents.dirty


def is_on_disk(store: Store, place: tuple[str, str]) -> bool:
    """Return True if there is a record of this family and key, in memory or not."""
    return place[1] in store._contents.keys[place[0]]


def stored_values(store: Store) -> dict[str, bytes]:
    """Return all values, as JSON."""
    return store._values


def last_entry(store: Store) -> int:
    """Return the number of the newest log entry."""
    return store._last_entry


def holds(store: Store) -> Mapping[Record, int]:
    """Return how often each record is held."""
    return store._contents.holds


def is_stored(store: Store, record: Record) -> bool:
    """Return True if this object is what the store has in memory under its key."""
    return store._contents.get(family_of(type(record)), record.key) is record


def is_pinned(store: Store, record: Record) -> bool:
    """Return True if the store keeps this record in memory by itself: as held, resident, or not saved yet."""
    contents = store._contents
    return record.key in contents.pinned[family_of(type(record))] or record in contents.dirty


@contextmanager
def numbered_codes(prefix: str) -> Iterator[None]:
    """Make recovery codes in this block that begin with a prefix, and are the same in every run."""
    width = tokens.CODE_LENGTH - len(prefix)
    letters = chain.from_iterable(f"{prefix}{number:0{width}}" for number in count(1))
    there: Any = tokens.secrets  # type: ignore[attr-defined]
    tokens.secrets = SimpleNamespace(choice=lambda _: next(letters))  # type: ignore[attr-defined, assignment]
    try:
        yield
    finally:
        tokens.secrets = there  # type: ignore[attr-defined]
