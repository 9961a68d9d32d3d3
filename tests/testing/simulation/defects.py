"""Planted defects: each is a patch of the driver that breaks one promise, and the simulator has to find it.

Each replaces something that must exist, so that a change of the driver cannot make a defect ineffective. `test_proof`
finds every one of them, and the ordinary tests two or three.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any, Final

import trio
import trio.lowlevel

from tests.replacing import skip_if_compiled
from trio_mud.accounts import Passwords, accounts, tokens
from trio_mud.accounts.stays import Stays
from trio_mud.driver.connection import connection
from trio_mud.driver.connection.connection import Connection, Connections
from trio_mud.driver.connection.events import Disconnect, Input
from trio_mud.driver.connection.inbox import Inbox, _Stage
from trio_mud.driver.connection.lifecycle import Lifecycle
from trio_mud.driver.connection.question_taker import QuestionTaker
from trio_mud.driver.core import dispatcher, guard
from trio_mud.driver.core.dispatcher import Dispatcher
from trio_mud.driver.core.events import Cause, Reason
from trio_mud.driver.core.thread import HomeThread
from trio_mud.driver.core.timers import Timers
from trio_mud.driver.core.turns import Source, Turns
from trio_mud.driver.link import incoming
from trio_mud.driver.link.client import Client
from trio_mud.driver.link.incoming import Incoming
from trio_mud.driver.link.outgoing import Outgoing
from trio_mud.driver.link.tail import Missing, Tail
from trio_mud.driver.server.acceptor import Acceptor
from trio_mud.driver.server.admission import Admission
from trio_mud.driver.server.hook_host import HookHost
from trio_mud.driver.server.task_tree import TaskTree
from trio_mud.driver.sessions.registry import Sessions
from trio_mud.driver.sessions.session import Session
from trio_mud.limits import Limits
from trio_mud.mudlib.board import Board
from trio_mud.mudlib.verbs import posting
from trio_mud.mudlib.villager import Villager
from trio_mud.origins import AcceptBuckets
from trio_mud.storage import Changes, Record, Store, Transaction
from trio_mud.storage.contents import Contents
from trio_mud.telnet import AnomalyKind, TelnetEngine
from trio_mud.telnet.compression import Deflater, Inflater
from trio_mud.telnet.encoding import encode
from trio_mud.telnet.scanner import in_text
from trio_mud.testing.simulation.threads import Threads
from trio_mud.world import Clock, Room, Thing, Traveller, World
from trio_mud.world.timed import Timed
from trio_mud.world.world import RESETS

Patch = Callable[[], AbstractContextManager[object]]

DEFECTS: Final[dict[str, Patch]] = {}
PLAYED: Final[dict[str, str]] = {}  # the game that finds a defect


@contextmanager
def replaced(target: type | ModuleType, name: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """Replace a method, a property or a function by this one, which is called with the original first."""
    skip_if_compiled(target)
    there = target.__dict__[name]  # a KeyError means that the driver has changed: plant it elsewhere
    true = there.fget if isinstance(there, property) else there
    assert callable(true)

    def planted(*args: Any, **kwargs: Any) -> Any:
        return replacement(true, *args, **kwargs)

    setattr(target, name, property(planted) if isinstance(there, property) else planted)
    try:
        yield
    finally:
        setattr(target, name, there)


def defect(
    target: type | ModuleType, name: str, *, game: str = "hostile"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Plant the decorated function in the place of this one; the defect has its name."""

    def plant(replacement: Callable[..., Any]) -> Callable[..., Any]:
        DEFECTS[replacement.__name__] = lambda: replaced(target, name, replacement)
        PLAYED[replacement.__name__] = game
        return replacement

    return plant


def tried(patch: Patch) -> Patch:
    """Return the defect, planted once before: the test is skipped here, not in a process that plays seeds.

    The compiled build has no place for some defects: see `skip_if_compiled`.
    """
    with patch():
        pass
    return patch


# Being stuck


@defect(TaskTree, "_drain")
async def the_final_drain_never_ends(true: Any, self: TaskTree) -> None:
    self._context.timers.stop()
    await trio.sleep_forever()


@defect(Acceptor, "close")
def the_acceptor_does_not_close(true: Any, self: Acceptor) -> None:
    """Nothing."""


@defect(Lifecycle, "_close")
async def two_tasks_keep_each_other_busy(true: Any, self: Lifecycle, *, gently: bool) -> None:
    while self.cause is Cause.RESET:
        await trio.lowlevel.checkpoint()
    await true(self, gently=gently)


@defect(Dispatcher, "cut")
def nothing_is_cut_at_the_end(true: Any, self: Dispatcher) -> None:
    """Nothing."""


@defect(Dispatcher, "__init__")
def hooks_may_wait_for_ever(true: Any, self: Dispatcher, host: Any, limits: Limits) -> None:
    true(self, host, replace(limits, hook_timeout=None))


@defect(TaskTree, "_run")
async def the_tree_is_not_shielded(true: Any, self: TaskTree, listeners: Any, started: Any) -> None:
    async with trio.open_nursery() as nursery:
        self._nursery = nursery
        try:
            await self._serve_connections(nursery, listeners, started)
        finally:
            self._nursery = None
        nursery.cancel_scope.cancel()
    self._host.connections._clear()
    self.closed.set()


@defect(Acceptor, "_bear")
async def a_full_table_ends_the_server(true: Any, self: Acceptor, error: OSError) -> None:
    raise error


# The boundary around a game's code


@defect(guard, "own_cancellation", game="careless")
def a_foreign_cancellation_is_passed_on(true: Any, error: BaseException) -> BaseException | None:
    if isinstance(error, trio.Cancelled):
        return error
    found: BaseException | None = true(error)
    return found


@defect(dispatcher, "run_guarded", game="careless")
async def a_scope_left_open_by_a_hook_ends_the_dispatcher(true: Any, function: Any, failed: Any, *args: Any) -> None:
    try:
        await function(*args)
    except Exception as error:  # noqa: BLE001 - as the true one
        failed(error)


@defect(Inbox, "failed", game="careless")
def an_event_that_cannot_be_taken_ends_the_dispatcher(true: Any, self: Inbox, error: BaseException) -> None:
    raise error


@defect(guard, "_part", game="careless")
def a_group_is_split_by_its_own_method(true: Any, error: BaseException, kinds: Any, *, wanted: bool) -> Any:
    if isinstance(error, BaseExceptionGroup):
        matching, rest = error.split(kinds)
        return matching if wanted else rest
    return true(error, kinds, wanted=wanted)


@defect(connection, "exact", game="careless")
def a_name_keeps_the_methods_of_its_class(true: Any, text: str) -> str:
    return text


@defect(guard, "is_a", game="careless")
def an_exception_is_asked_for_its_class(true: Any, error: BaseException, kinds: Any) -> bool:
    return isinstance(error, kinds)


@defect(HomeThread, "check", game="careless")
def a_thread_may_call(true: Any, self: HomeThread) -> None:
    """Nothing."""


@defect(Timers, "_pass_some", game="careless")
def deadlines_pass_without_end(true: Any, self: Timers) -> None:
    while self._heap and self._heap[0][0] <= trio.current_time():
        true(self)


@defect(Inbox, "take_event", game="careless")
def ticks_come_before_every_line(true: Any, self: Inbox) -> Any:
    self._owes_line = False
    return true(self)


# Events


@contextmanager
def _reset_meets_quit() -> Iterator[None]:
    raced: set[Connection] = set()

    def ended(true: Any, self: Inbox, cause: Cause, text: str = "") -> None:
        true(self, cause, text)
        ending = self._ending.cause
        if cause.reason is Reason.LINKDEATH and ending is not None and ending.reason is Reason.QUIT:
            raced.add(self._subject)

    def event_over(true: Any, self: Inbox, event: Any) -> None:
        true(self, event)
        if isinstance(event, Disconnect) and event.connection in raced:
            raced.discard(event.connection)
            self._stage = _Stage.OPEN

    with replaced(Inbox, "ended", ended), replaced(Inbox, "event_over", event_over):
        yield


DEFECTS["a_second_disconnect_when_reset_meets_quit"] = _reset_meets_quit


@defect(Inbox, "arrive")
def a_connect_is_lost(true: Any, self: Inbox) -> None:
    if self._ending.cause is None:
        true(self)
    else:
        self._stage = _Stage.GONE


@defect(Lifecycle, "end")
def the_second_ending_wins(true: Any, self: Lifecycle, cause: Cause, text: str = "") -> None:
    self.cause = None
    true(self, cause, text)


@defect(Inbox, "end")
def a_signal_comes_after_the_end(true: Any, self: Inbox, *, drop_lines: bool) -> None:
    signals = self._signals
    true(self, drop_lines=drop_lines)
    self._signals = signals


@defect(Inbox, "end")
def lines_are_handled_after_a_quit(true: Any, self: Inbox, *, drop_lines: bool) -> None:
    true(self, drop_lines=False)


@defect(Inbox, "end")
def an_end_of_file_drops_lines(true: Any, self: Inbox, *, drop_lines: bool) -> None:
    true(self, drop_lines=True)


@defect(Source, "wake")
def a_busy_source_gets_a_turn(true: Any, self: Source) -> None:
    if not self.is_queued and self.has_event():
        self._dispatcher.put(self)


@defect(Turns, "_turn")
def one_source_gets_three_turns(true: Any, self: Turns, source: Source) -> None:
    true(self, source)
    for _ in range(2):
        if source.is_queued:
            self._load += 1
            self._in_channel += 1
            true(self, source)


@defect(Connections, "_discard")
def a_registry_entry_leaks(true: Any, self: Connections, connection: Connection) -> None:
    if connection.ending is not Cause.RESET:
        true(self, connection)


@defect(HookHost, "_forget")
def the_list_is_left_after_the_hook(true: Any, self: HookHost, event: Any) -> None:
    if event.reason is Reason.LINKDEATH:
        self._context.timers.at(trio.current_time(), partial(true, self, event))
    else:
        true(self, event)


@defect(Connection, "_conclude_connect")
def a_refused_one_is_listed(true: Any, self: Connection) -> None:
    if self.is_refused:
        self.server._host.connections._add(self)
    true(self)


@defect(HookHost, "admit")
def an_admission_is_not_counted(true: Any, self: HookHost, connection: Connection) -> None:
    self.connections._add(connection)


@defect(AcceptBuckets, "spend")
def an_origin_has_no_rate(true: Any, self: AcceptBuckets, origin: str, now: float) -> bool:
    return True


@defect(Admission, "leave")
def places_are_never_free_again(true: Any, self: Admission, connection: Connection) -> None:
    self._discount(connection)


# Lines


@defect(Inbox, "received_line")
def a_typed_line_is_dropped(true: Any, self: Inbox, line: str, hidden: bool) -> bool:
    has_room: bool = true(self, line, hidden)
    del self.lines[self._room + 1 :]
    return has_room


@defect(Incoming, "feed")
def the_inbox_has_no_bound(true: Any, self: Incoming, data: bytes) -> bool:
    true(self, data)
    return True


@defect(Incoming, "_resume")
def a_peer_that_was_paused_is_never_read_again(true: Any, self: Incoming) -> None:
    """Nothing."""


@defect(Inbox, "_take_line")
def an_answer_is_also_a_command(true: Any, self: Inbox) -> Any:
    taker = self.taker
    event = true(self)
    if event is None and isinstance(taker, QuestionTaker) and taker._answer is not None:
        return Input(self._subject, taker._answer)
    return event


@defect(QuestionTaker, "answer")
def a_password_is_logged(true: Any, self: QuestionTaker, line: str) -> None:
    logging.getLogger("trio_mud").debug("the answer is %s", line)
    true(self, line)


@defect(incoming, "clean_line")
def an_escape_gets_through(true: Any, text: str) -> str:
    return text


@defect(AnomalyKind, "is_harmless")
def an_odd_program_is_thrown_out(true: Any, self: AnomalyKind) -> bool:
    return self is AnomalyKind.UNEXPECTED_SUBNEGOTIATION


@defect(TelnetEngine, "receive")
def a_command_in_two_pieces_is_forgotten(true: Any, self: TelnetEngine, data: bytes) -> Any:
    self.scanner.state = in_text
    return true(self, data)


# Output


@defect(Outgoing, "flush")
def output_is_reordered(true: Any, self: Outgoing) -> None:
    waiting = self._unsent
    true(self)
    if waiting and self._unsent.startswith(waiting):
        self._unsent = self._unsent[len(waiting) :] + waiting


@defect(Outgoing, "is_drained")
def a_quit_does_not_flush(true: Any, self: Outgoing) -> bool:
    return self._writer is None


@defect(Outgoing, "_queue")
def a_write_is_taken_after_the_end(true: Any, self: Outgoing, data: bytes) -> bool:
    self.engine.send_encoded(data)
    self._note_queued(len(data))
    return True


@defect(Outgoing, "_has_room_for")
def the_outbox_has_no_bound(true: Any, self: Outgoing, size: int) -> bool:
    return True


@defect(Outgoing, "discard")
def the_writer_does_not_see_the_death(true: Any, self: Outgoing) -> None:
    writer, self._writer = self._writer, None
    true(self)
    self._writer = writer


@defect(Outgoing, "discard", game="reloaded")
def a_lost_link_takes_answers(true: Any, self: Outgoing) -> None:
    true(self)
    self._is_lost = False


@defect(Connection, "start_soon")
def work_outlives_its_connection(true: Any, self: Connection, work: Any) -> None:
    self.server.start_soon(work)


# Compression and charsets


@defect(Deflater, "_settle")
def half_a_compressed_flush_is_lost(true: Any, self: Deflater, queue: list[bytes]) -> None:
    before = len(self._chunks)
    true(self, queue)
    if self._is_on and len(self._chunks) > before:
        self._chunks[-1] = self._chunks[-1][: len(self._chunks[-1]) // 2]


@defect(Deflater, "stop")
def a_stream_is_left_open_behind_its_end(true: Any, self: Deflater, queue: list[bytes]) -> None:
    self._settle(queue)
    self._is_on = False


@defect(Inflater, "put_back")
def what_came_with_the_beginning_of_a_stream_is_lost(true: Any, self: Inflater, rest: bytes) -> None:
    """Nothing."""


@defect(TelnetEngine, "encode")
def a_charset_is_agreed_and_not_used(true: Any, self: TelnetEngine, text: str) -> bytes:
    return encode(text, "utf-8")


@defect(Client, "_learn_rejected")
def a_rejected_charset_is_used_all_the_same(true: Any, self: Client, codecs: Any) -> None:
    """Nothing."""


# Sessions


@defect(Session, "_link")
def a_grace_is_not_cancelled(true: Any, self: Session, connection: Connection) -> None:
    self._expiry = None
    true(self, connection)


@defect(Sessions, "_take_from_all")
def a_takeover_leaves_two_owners(true: Any, self: Sessions, session: Session, last_words: str) -> None:
    """The old connection gets no event."""


@defect(Sessions, "_check")
def an_ended_connection_enters(true: Any, self: Sessions, connection: Connection, grace: Any) -> None:
    if connection._inbox.is_gone or connection.ending is None:
        true(self, connection, grace)


@defect(Sessions, "_event_over")
def a_successor_waits_for_ever(true: Any, self: Sessions, connection: Connection, session: Session) -> None:
    """Nothing."""


@defect(Sessions, "_may_wait")
def any_number_of_sessions_wait(true: Any, self: Sessions, origin: str) -> bool:
    return True


@defect(Sessions, "_close")
def a_shutdown_forgets_the_stays(true: Any, self: Sessions) -> None:
    """Nothing."""


@defect(Session, "_is_unsettled")
def input_overtakes_the_stay(true: Any, self: Session) -> bool:
    return False


@defect(Sessions, "resume")
def a_token_is_good_twice(true: Any, self: Sessions, token: str, connection: Connection) -> Session:
    kept = self._tokens.get(token)
    session: Session = true(self, token, connection)
    if kept is not None:
        self._tokens[token] = kept
    return session


@defect(Tail, "missing")
def a_line_of_the_tail_is_sent_twice(true: Any, self: Tail, seen: int | None) -> Missing:
    missing: Missing = true(self, max(0, seen - 1) if seen else seen)
    return missing


@defect(Tail, "missing")
def a_line_of_the_tail_is_lost(true: Any, self: Tail, seen: int | None) -> Missing:
    missing: Missing = true(self, seen)
    return missing._replace(text=missing.text.partition(b"\n")[2])


# What the kit must know of a game


@defect(Sessions, "_take_from_all")
def who_shares_is_not_taken_over(true: Any, self: Sessions, session: Session, last_words: str) -> None:
    if len(session.connections) < 2:
        true(self, session, last_words)


@defect(Inbox, "flush")
def hidden_input_is_shown_and_hidden_at_every_flush(true: Any, self: Inbox) -> None:
    if self.taker is not None and self.taker.asks_hidden:
        self._link.hide_input(False, ends_line=False)
        self._link.hide_input(True)
    true(self)


@defect(Threads, "_let_speak")
def time_passes_while_threads_work(true: Any, self: Threads) -> None:
    """Nothing."""


# Too rare for a thousand seeds: bugs that the driver once had. Each has a seed that finds it.

RARE: Final[dict[int, Patch]] = {}


@contextmanager
def _a_loss_behind_the_ending_is_not_noticed() -> Iterator[None]:
    def lose_link(true: Any, self: Lifecycle, cause: Cause) -> None:
        if self.cause is None or self.cause.reason is not Reason.QUIT:
            true(self, cause)
        else:
            self._link.discard()
            assert isinstance(self._link, Outgoing)
            self._link._is_lost = False  # at that time it took answers after its loss

    with replaced(Lifecycle, "lose_link", lose_link):
        yield


@contextmanager
def _the_beginning_of_a_forgotten_line_stays() -> Iterator[None]:
    def discard(true: Any, self: Incoming) -> bool:
        loses_bytes: bool = true(self)
        self._skips_line = False
        return loses_bytes

    with replaced(Incoming, "discard", discard):
        yield


RARE[2001725] = _a_loss_behind_the_ending_is_not_noticed


# Storage


@defect(Transaction, "encode_before_change", game="stored")
def a_change_reaches_the_transaction_before_it(true: Any, self: Transaction, record: Record) -> None:
    """A record that changes between two slices is encoded as it is afterwards."""


@defect(Transaction, "key_added", game="stored")
def a_key_that_is_used_again_is_deleted_by_the_repetition(true: Any, self: Transaction, family: str, key: str) -> None:
    """The next transaction after a failure deletes the row of a new record."""


@defect(Transaction, "changes", game="stored")
def a_removed_record_is_kept(true: Any, self: Transaction) -> Changes:
    changes: Changes = true(self)
    return changes._replace(removed=())


@defect(Transaction, "changes", game="stored")
def values_are_of_a_later_moment_than_records(true: Any, self: Transaction) -> Changes:
    changes: Changes = true(self)
    store = self._settle.__self__  # type: ignore[attr-defined]
    return changes._replace(values=list(store._values.items()))


@defect(Contents, "mark_dirty", game="stored")
def a_change_while_a_transaction_is_open_is_not_noted(true: Any, self: Contents, record: Record) -> None:
    if self.transaction is None:
        true(self, record)


@defect(Store, "take_changes", game="stored")
def a_save_is_acknowledged_when_it_is_taken(true: Any, self: Store) -> Transaction | None:
    taken: Transaction | None = true(self)
    self._committed = self._taken
    settled, self._settled = self._settled, trio.Event()
    settled.set()
    return taken


@defect(Store, "saved", game="stored")
async def saved_returns_before_the_commit(true: Any, self: Store, within: float = 5.0) -> None:
    await trio.lowlevel.checkpoint()


@defect(Transaction, "failed", game="stored")
def removals_of_a_failed_write_are_forgotten(true: Any, self: Transaction, error: BaseException) -> None:
    self.removed.clear()
    true(self, error)


@defect(Transaction, "failed", game="stored")
def changes_of_a_failed_write_are_forgotten(true: Any, self: Transaction, error: BaseException) -> None:
    self.records.clear()
    true(self, error)


# Accounts


@defect(Stays, "_bind", game="stored")
def a_takeover_keeps_the_hold_of_its_login(true: Any, self: Stays, connection: Any, account: Any, held: Any) -> Session:
    session: Session = true(self, connection, account, held)
    held.clear()
    return session


@defect(Stays, "end", game="stored")
def the_end_of_a_stay_releases_nothing(true: Any, self: Stays, session: Session) -> None:
    self._by_session.pop(session, None)


@defect(Stays, "_bind", game="stored")
def a_takeover_releases_the_hold_of_the_stay(
    true: Any, self: Stays, connection: Any, account: Any, held: Any
) -> Session:
    known = connection.server.sessions.get(held[-1].key)
    session: Session = true(self, connection, account, held)
    if session is known:
        self._store.release(held[-1])
    return session


@defect(Stays, "enter_as_guest", game="stored")
def a_guest_is_stored(true: Any, self: Stays, connection: Any, key: str, body: Any, look: str) -> Session:
    session: Session = true(self, connection, key, body, look)
    self._store.add(body, f"guest {connection.number}")
    return session


@defect(Traveller, "on_release", game="stored")
def a_body_stays_in_the_room(true: Any, self: Traveller) -> None:
    self._is_held = False


@defect(Contents, "unpin_group", game="stored")
def a_released_body_is_not_forgotten(true: Any, self: Contents, record: Record) -> None:
    """Nothing."""


@defect(tokens, "digest", game="stored")
def tokens_and_codes_are_stored_as_they_are(true: Any, secret: str) -> str:
    return str(secret)


@defect(accounts, "issue_code", game="stored")
def a_recovery_code_is_logged(true: Any, account: Any, now: float) -> Any:
    code = true(account, now)
    logging.getLogger("trio_mud").info("recovery code %s", code)
    return code


@defect(Passwords, "is_outdated", game="stored")
def a_hash_is_logged(true: Any, self: Passwords, stored: str) -> bool:
    logging.getLogger("trio_mud").info("checked %s", stored)
    is_outdated: bool = true(self, stored)
    return is_outdated


# The world


@defect(Thing, "_move", game="world")
def a_moved_thing_stays_in_the_old_contents(true: Any, self: Thing, place: Any) -> None:
    old = self.__dict__.get("place")
    true(self, place)
    if old is not None and old is not place:
        old._inside[self] = None


@defect(Thing, "_move", game="world")
def what_is_inside_a_moved_thing_is_not_marked(true: Any, self: Thing, place: Any) -> None:
    before = set(self._tracker.dirty) if self._tracker is not None else set()
    true(self, place)
    if self._tracker is not None:
        for thing in self.all_inside:
            if thing not in before:
                self._tracker.dirty.pop(thing, None)


@defect(Contents, "mark_dirty", game="world")
def a_second_move_within_a_transaction_is_not_marked(true: Any, self: Contents, record: Record) -> None:
    if not (isinstance(record, Thing) and self.transaction is not None and record in self.transaction.records):
        true(self, record)


@defect(Thing, "_fall", game="world")
def the_contents_of_the_destroyed_do_not_fall(true: Any, self: Thing) -> None:
    """Nothing."""


@defect(Thing, "stored_with", game="world")
def belongings_are_not_stored_with_their_owner(true: Any, self: Thing) -> str:
    return ""


@defect(World, "_reset", game="world")
def a_reset_is_not_remembered(true: Any, self: World, reset: Any) -> None:
    before = self.store.value(RESETS, {})
    true(self, reset)
    self.store.set_value(RESETS, before)


@defect(World, "_reset", game="world")
def a_reset_makes_all_each_time(true: Any, self: World, reset: Any) -> None:
    place = self.get(Room, reset.into)
    for thing in place.contents:
        if thing.template == reset.make:
            self.make(reset.make, place)
    true(self, reset)


@defect(Clock, "schedule", game="world")
def a_due_call_is_lost_by_a_restart(true: Any, self: Clock, target: Any, name: str, at: float, wake: int = 0) -> None:
    if wake or self._server is not None:
        true(self, target, name, at, wake)


@defect(Timed, "_take_call", game="world")
def a_due_call_is_made_again_after_a_restart(true: Any, self: Timed, name: str, at: float, wake: int) -> Any:
    due = self.due
    method = true(self, name, at, wake)
    if not wake and method is not None:
        self.due = due
    return method


@defect(Timed, "cancel", game="world")
def a_cancelled_call_is_made(true: Any, self: Timed, method: Any) -> None:
    """Nothing."""


@defect(Clock, "store_time", game="world")
def the_time_is_stored_once_a_minute_only(true: Any, self: Clock) -> None:
    """Nothing; as if it came by its own timer only, which no run reaches."""


@defect(Timed, "_shift", game="world")
def the_time_of_belongings_goes_on_while_they_are_away(true: Any, self: Timed, seconds: float) -> None:
    """Nothing."""


@defect(Traveller, "_gone_since", game="world")
def only_the_last_crash_counts(true: Any, self: Traveller, world: World) -> float:
    """The time of one who has been away since an earlier crash is taken to have run until the last end."""
    return world.began if self.left_at is None else self.left_at


@defect(Traveller, "on_release", game="world")
def belongings_stay_in_the_world(true: Any, self: Traveller) -> None:
    world = self._world
    true(self)
    for thing in self.all_inside:
        thing._world = world


@defect(posting, "deliver", game="mudlib")
def a_letter_is_delivered_twice(true: Any, store: Store, mailbox: Any, letter: Any) -> None:
    true(store, mailbox, letter)
    true(store, mailbox, letter)


@defect(posting, "send", game="mudlib")
async def a_letter_is_no_draft_while_its_reader_is_looked_up(true: Any, who: Any, *args: Any) -> None:
    who.letter_draft = ""
    await true(who, *args)


@defect(Board, "pin", game="mudlib")
def a_note_that_is_pinned_stays_a_draft(true: Any, self: Board, note: Any) -> None:
    true(self, note)
    author = self.world.store.get(Villager, note.author.casefold())
    if author is not None:
        author.draft = note.text


@defect(Contents, "unpin_group", game="world")
def belongings_stay_in_memory(true: Any, self: Contents, record: Record) -> None:
    group = record.__dict__.get("_group") or {}
    true(self, record)
    for member in group:
        if member is not record:
            self.pinned["thing"][member.key] = member


@defect(Traveller, "on_hold", game="world")
def a_body_is_in_no_room(true: Any, self: Traveller) -> None:
    true(self)
    if self.place is not None:
        self.place._inside.pop(self, None)
