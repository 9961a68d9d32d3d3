"""The invariants: one function each, which reads a finished `Trace` and yields violations.

Some violations are visible only when they happen; the trace has recorded those already, under the same numbers.

Used by `simulator`. A new invariant is a function decorated with `@invariant`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from ...driver.connection.connection import Connection
from ...driver.core.events import Cause, Reason
from ...origins import origin_of
from ...telnet import Line, TelnetEngine
from ...telnet.charsets import CODECS
from ...telnet.codes import CHARSET, DO, ECHO
from ...telnet.events import AnomalyKind, TelnetEvent
from ...telnet.options.charset import ACCEPTED
from ...telnet.options.mssp import PLAIN_REQUEST
from ...telnet.scanner import Scanner
from ...text.cleaning import clean_line
from ...text.transliteration import transliterate
from ..pipe import CAPACITY
from ..web_wire import WebWire
from .operators import OPERATORS
from .players import CANARY, REJECTS_UTF_8, SimulatedPlayer
from .storage_trace import StorageTrace
from .trace import NEVER_THERE, Happening, Trace, Watched

SLACK: Final = 2.0  # seconds above a deadline, taken by stubborn hooks of the hostile game after cancellation

Check = Callable[[Trace], Iterator[str]]

INVARIANTS: Final[dict[str, Check]] = {}


def invariant(number: str) -> Callable[[Check], Check]:
    """Register this function as an invariant with this number."""

    def register(check: Check) -> Check:
        INVARIANTS[number] = check
        return check

    return register


def check(trace: Trace) -> Iterator[tuple[str, str]]:
    """Yield every violation: the number of the invariant, and a description."""
    yield from trace.faults
    if trace.stuck is not None:  # unfinished work is no further violation
        yield "I-19", f"{type(trace.stuck).__name__}: {trace.stuck}"
        return
    for number, function in INVARIANTS.items():
        for text in function(trace):
            yield number, text
    if trace.after_restart is not None:
        for number, text in check(trace.after_restart):
            yield number, f"after the restart: {text}"


class DecodedOutput:
    """The parsed bytes received by a player.

    Attributes:
        text: Decoded with the charset in force at the time.
        charset: The last one that the sending side agreed to. A server that lets its client ask for one has had its
            own rejected, and writes ASCII until it has answered.
    """

    def __init__(self, data: bytes) -> None:
        self.charset = "utf-8"
        self._text: list[str] = []
        self._raw = bytearray()
        self.negotiations: list[tuple[int, int]] = []
        self.anomalies: list[str] = []
        Scanner().receive(data, self)
        self._decode()
        self.text = "".join(self._text)

    def _decode(self) -> None:
        self._text.append(self._raw.decode(self.charset, errors="surrogateescape"))
        self._raw.clear()

    def can_tell(self, lines: list[str], player: SimulatedPlayer) -> list[str]:
        """Return the lines transliterated to the characters that are certain for the player.

        A player that rejects UTF-8 is sent ASCII from its answer on, and the bytes received do not show when that was.
        If junk of it has spoilt that answer, it is sent UTF-8 to the end; then only the numbers are certain.
        """
        if "garbled" in player.faults and player.program in REJECTS_UTF_8:
            return [line.rstrip(">").partition(" ")[0] for line in lines]
        is_certain = self.charset == "utf-8" and player.program not in REJECTS_UTF_8
        return [transliterate(line, "utf-8" if is_certain else "ascii") for line in lines]

    def heard_text(self, data: bytes) -> None:
        """Process text."""
        self._raw += data

    def heard_command(self, code: int) -> None:
        """Ignore a command, such as a prompt mark."""

    def heard_negotiation(self, verb: int, code: int) -> None:
        """Record a verb and an option."""
        self.negotiations.append((verb, code))
        if (verb, code) == (DO, CHARSET):
            self._decode()
            self.charset = "ascii"

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        """Process a payload, which may change the charset."""
        if code == CHARSET and payload[:1] == bytes((ACCEPTED,)):
            self._decode()
            self.charset = CODECS.get(payload[1:].decode("ascii", "replace"), self.charset)

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        """Record a violation of the protocol."""
        self.anomalies.append(f"{kind}: {detail}")

    def payload_limit(self, code: int) -> int:
        """Return a limit beyond any payload in use."""
        return 1 << 20


def _events_of(trace: Trace, connection: Connection) -> list[Happening]:
    return [happening for happening in trace.happenings if happening.connection is connection]


def _ended_whole(trace: Trace) -> bool:
    """True if the dispatcher ran to the end."""
    return trace.closed_at is not None


@invariant("I-1")
def one_connect_for_each(trace: Trace) -> Iterator[str]:
    """Every accepted connection has exactly one connect event, or none if it continues a restored session."""
    connects = Counter(h.connection for h in trace.happenings if h.kind == "Connect")
    for watched in trace.watched.values():
        if connects[watched.connection] != (watched.connection.number not in trace.continuing):
            yield f"{watched.connection.name} had {connects[watched.connection]} connect events"
    counters = trace.server.counters
    accepted = counters["accepted"] - sum(counters[word] for word in NEVER_THERE)
    if sum(connects.values()) + len(trace.continuing) != accepted:
        yield f"{accepted} were accepted, and there were {sum(connects.values())} connect events"


@invariant("I-2")
def one_disconnect_for_each(trace: Trace) -> Iterator[str]:
    """There are as many disconnect events as connect events, with the reason REFUSED exactly if never admitted."""
    for watched in trace.watched.values():
        events = _events_of(trace, watched.connection)
        endings = [h for h in events if h.kind == "Disconnect"]
        if len(endings) != 1:
            yield f"{watched.connection.name} had {len(endings)} disconnect events"
            continue
        admitted = watched.connection.number in trace.continuing or any(h.kind == "Admitted" for h in events)
        if (endings[0].event.reason is Reason.REFUSED) == admitted:
            yield f"{watched.connection.name}: admitted {admitted}, ended {endings[0].event.reason}"


@invariant("I-3")
def one_ending_decided_once(trace: Trace) -> Iterator[str]:
    """The disconnect event has the first decided ending; only a refusal in the connect hook overrides it."""
    for happening in trace.happenings:
        if happening.kind != "Disconnect" or happening.connection is None:
            continue
        event = happening.event
        decisions = trace.watch(happening.connection).decisions
        if event.cause.reason is not event.reason:
            yield f"{happening.as_text()} has the reason {event.reason}"
        if not decisions:
            yield f"{happening.as_text()} without any decision"
        elif decisions[-1][1] is not event.cause:
            yield f"{happening.as_text()}, but what was decided is {decisions[-1][1]}"


@invariant("I-4")
def connect_comes_first_and_disconnect_last(trace: Trace) -> Iterator[str]:
    """The order is Connect, Admitted, everything else, Disconnect, nothing."""
    for watched in trace.watched.values():
        kinds = [h.kind for h in _events_of(trace, watched.connection)]
        if not kinds:
            continue
        begins = () if watched.connection.number in trace.continuing else ("Connect", "Admitted")
        if begins and kinds[0] != "Connect":
            yield f"{watched.connection.name} began with {kinds[0]}"
        if not begins and {"Connect", "Admitted"} & {*kinds}:
            yield f"{watched.connection.name} continues its session, and had {kinds}"
        if "Disconnect" in kinds and kinds[-1] != "Disconnect":
            yield f"{watched.connection.name} had {kinds[-1]} after its disconnect event"
        rest = [kind for kind in kinds if kind not in ("Connect", "Disconnect")]
        for happening in _events_of(trace, watched.connection):
            if happening.ending is not None and happening.kind not in ("Connect", "Admitted", "Input", "Disconnect"):
                yield f"{happening.as_text()} came after the ending was decided: {happening.ending}"
        if begins and rest and (rest[0] != "Admitted" or rest.count("Admitted") != 1):
            yield f"{watched.connection.name} was not admitted first, and once: {kinds}"


@invariant("I-5")
def the_network_is_over_before_the_hook(trace: Trace) -> Iterator[str]:
    """In the disconnect hook, the connection is not on the list."""
    for happening in trace.happenings:
        if happening.kind == "Disconnect" and happening.listed:
            yield f"{happening.as_text()}: it is still on the list"


@invariant("I-6")
def the_refused_read_their_refusal(trace: Trace) -> Iterator[str]:
    """A refused connection is never listed, receives its refusal and nothing else, and is soon closed."""
    texts = trace.server.texts
    refusals = [
        f"{text}\r\n"
        for text in (
            "[no]",
            "[banned]",
            texts.refused,
            texts.connect_failed,
            texts.connect_too_slow,
            texts.server_full,
            texts.too_many_from_address,
            texts.world_away,
        )
    ]
    for happening in trace.happenings:
        connection = happening.connection
        if happening.kind != "Disconnect" or connection is None or happening.event.reason is not Reason.REFUSED:
            continue
        if trace.watch(connection).was_listed:
            yield f"{connection.name} was refused, and had been on the list"
        player = trace.player_of(connection)
        if player is None:
            continue
        read = player.read.decode(errors="replace")
        if trace.game_is_known and not any(refusal.startswith(read) for refusal in refusals):
            yield f"{connection.name} was refused and read {read!r}"
        closed = player.pipe.server.closed_at
        if (
            closed is None
            or closed > happening.at + trace.plan.limits.quit_timeout + trace.plan.limits.linger_timeout + SLACK
        ):
            yield f"{connection.name} was refused at {happening.at:g} s and closed at {closed}"
        is_cut = trace.server._aborting.is_set() or connection.number in trace.cut_refusals
        if trace.game_is_known and player.reads_all and not is_cut and not read:
            yield f"{connection.name} was refused without a word, though its link is good"


@invariant("I-7")
def lines_come_in_order_without_gap(trace: Trace) -> Iterator[str]:
    """The handled lines are a prefix of the sent ones: all after an end of file, those before it after a quit."""
    for happening in trace.happenings:
        if happening.kind == "Input" and happening.ending is not None and happening.ending.reason is Reason.QUIT:
            yield f"{happening.as_text()} was handled after the quit ({happening.ending})"
    for watched in trace.watched.values():
        player = trace.player_of(watched.connection)
        if player is None or not watched.taken:
            continue
        sent = _lines_in(trace, player.sent)
        if trace.game_is_known and not watched.may_skip:
            if watched.taken != sent[: len(watched.taken)]:
                yield f"{player}: sent {sent}, handled {watched.taken}"
        elif not _is_in_order(watched.taken, sent):
            yield f"{player}: sent {sent}, handled {watched.taken}"
    if trace.game_is_known:
        yield from _cut_short(trace)


def _cut_short(trace: Trace) -> Iterator[str]:
    for happening in trace.happenings:
        connection = happening.connection
        if happening.kind != "Disconnect" or connection is None:
            continue
        watched, player = trace.watch(connection), trace.player_of(connection)
        if player is None or watched.may_skip or trace.was_cut or player.faults & {"stranger"}:
            continue
        if _may_have_closed(player):  # before its last lines
            continue
        if happening.event.cause is Cause.EOF and not watched.ended_in_dialog and not watched.robbed:
            sent = _lines_in(trace, player.sent)
            if watched.taken != sent:
                yield f"{player} ended its input: sent {sent}, handled {watched.taken}"
        if (
            happening.event.cause is Cause.ASKED
            and happening.event.text == "[bye]"
            and player.outcome not in ("quit", "quit and refuse")
            and (not watched.taken or watched.taken[-1].split()[:1] not in (["quit"], ["twice"], ["leave"]))
            and not trace.sharing
        ):
            yield f"{player} quit, and then had {watched.taken[-1:]} handled"


def _may_have_closed(player: SimulatedPlayer) -> bool:
    """Return True if a player may have sent a close frame among its junk, after which it is sent nothing."""
    return isinstance(player.wire, WebWire) and "garbled" in player.faults


def _lines_in(trace: Trace, data: bytes) -> list[str]:
    """Return the lines that an equal engine makes of all bytes at once."""
    lines = [clean_line(event.text) for event in _hear(trace.server._make_engine(), data) if isinstance(event, Line)]
    return [line for line in lines if line.upper() != PLAIN_REQUEST]  # answered by the driver itself


def _hear(engine: TelnetEngine, data: bytes) -> list[TelnetEvent]:
    """Return all events of an engine for these bytes; compressed ones take several calls."""
    events = engine.receive(data)
    while engine.pending:
        events += engine.receive(b"")
    return events


def _answers(engine: TelnetEngine) -> bytes:
    return b"".join(iter(engine.data_to_send, b""))


def _is_in_order(some: list[str], everything: list[str]) -> bool:
    rest = iter(everything)
    return all(line in rest for line in some)


# A line of the hostile game: unanswered prompts, then at most one text. An operator sees a copy of those of others.
_KNOWN: Final = re.compile(
    r"(?:ask> |hide [^<>]*> |name> |turn> |undo> |[a-z]+ #\d+\.\d+> )*"
    r"(?:(<\d+:\d+[^\x00-\x1f]*>)|\[[a-z ]+[#\d.]*\]|[^|<>]+\| [^\x00-\x1f]*|\(of the stay\)|\(to all\)|)"
)


def numbered(text: str) -> list[str]:
    """Return the numbered lines in received text; the last one only if it is complete."""
    found = [_KNOWN.fullmatch(line) for line in text.split("\r\n")]
    return [match[1] for match in found if match is not None and match[1] is not None]


def own_lines(watched: Watched, player: SimulatedPlayer, lines: list[str]) -> list[str]:
    """Return the lines written to this connection; a player that has returned shows those of earlier ones, too."""
    has_resumed = player.terminal is not None and any(name == "Session.Resumed" for name, _ in player.terminal.gmcp)
    if player.came_from is None and not has_resumed:
        return lines
    marks = tuple(f"<{number}:" for number in watched.shows or {watched.connection.number})
    return [line for line in lines if line.startswith(marks)]


@invariant("I-8")
def output_comes_whole_and_in_order(trace: Trace) -> Iterator[str]:
    """Numbered lines arrive in the order written, and no line, command or character is split by another."""
    for watched in trace.watched.values():
        player = trace.player_of(watched.connection)
        if player is None or not trace.game_is_known or "stranger" in player.faults:
            continue
        heard = DecodedOutput(bytes(player.read))
        if player.unreadable:
            yield f"{player} was sent what cannot be inflated: {player.unreadable}"
        if heard.anomalies:
            yield f"{player} read broken telnet: {heard.anomalies}"
        *whole, _ = heard.text.split("\r\n")
        for line in whole:
            if not _KNOWN.fullmatch(line):
                yield f"{player} read {line!r}, which the game did not write"
        shown = own_lines(watched, player, numbered("\r\n".join(whole)))
        read, said = heard.can_tell(shown, player), heard.can_tell(watched.said, player)
        if read != [line for line in said if line in set(read)]:
            yield f"{player}: written {watched.said}, read {read}"
        if read != said[: len(read)] and not trace.server.counters["messages dropped"]:
            yield f"{player}: something is missing between: written {watched.said}, read {read}"


@invariant("I-9")
def parsing_does_not_depend_on_the_cut(trace: Trace) -> Iterator[str]:
    """The bytes of each player have the same meaning in one piece and in many."""
    random = Random(trace.plan.seed)
    for player in trace.players:
        data = player.sent[:4000]
        if not data:
            continue
        whole, cut = trace.server._make_engine(), trace.server._make_engine()
        at_once, bit_by_bit = _hear(whole, data), []
        start = 0
        while start < len(data):
            end = start + random.randint(1, 9)
            bit_by_bit += _hear(cut, data[start:end])
            start = end
        if at_once != bit_by_bit:
            yield f"{player} sent {data!r}: {at_once} at once, {bit_by_bit} in pieces"
        if _answers(whole) != _answers(cut):
            yield f"{player} sent {data!r}: the answers differ"


@invariant("I-10")
def what_is_encoded_can_be_decoded(trace: Trace) -> Iterator[str]:
    """Typed text, encoded by an engine, is decoded to the same by another."""
    engine = TelnetEngine(())
    for watched in trace.watched.values():
        for line in [line for line in watched.taken if len(line) < 1000][:5]:
            events = TelnetEngine(()).receive(engine.encode(f"{line}\n"))
            if [event.text for event in events if isinstance(event, Line)] != [line]:
                yield f"{line!r} came back as {events}"


@invariant("I-11")
def memory_is_bounded(trace: Trace) -> Iterator[str]:
    """The waiting lines, bytes and posts are within the limits."""
    limits = trace.plan.limits
    for watched in trace.watched.values():
        if watched.most_lines > limits.max_typeahead + 512:
            yield f"{watched.connection.name} had {watched.most_lines} lines waiting"
        player = trace.player_of(watched.connection)
        is_direct = player is not None and player.wire is None  # a layer collects a message or a record
        if watched.most_unread > (player.quality.capacity if player and is_direct else CAPACITY):  # of one read
            yield f"{watched.connection.name} had {watched.most_unread} bytes unread"
        if watched.most_bytes > limits.max_typeahead_bytes:
            yield f"{watched.connection.name} had {watched.most_bytes} bytes of long lines waiting"
        missing = limits.max_tail if watched.had_tail else 0  # is sent again past the limit
        if watched.most_unsent > limits.max_output + missing + 400:
            yield f"{watched.connection.name} had {watched.most_unsent} bytes unsent"
    if trace.most_posts > limits.max_posts + 1:
        yield f"{trace.most_posts} posted events waited"


@invariant("accepting")
def an_origin_connects_at_its_rate(trace: Trace) -> Iterator[str]:
    """An origin makes at most as many connections as its bucket allows."""
    rate = trace.plan.limits.accept_rate_per_address
    if rate is None:
        return
    times: dict[str, list[float]] = {}
    for happening in trace.happenings:
        if happening.kind == "Connect" and happening.connection is not None:
            at = trace.accepted_at.get(happening.connection.number, happening.at)  # a handshake takes a while
            times.setdefault(origin_of(happening.connection.address), []).append(at)
    for origin, came in times.items():
        came.sort()
        for number, at in enumerate(came):
            most = rate.burst + rate.per_second * (at - came[0])
            if number + 1 > most + 0.001:
                yield f"{number + 1} connections from {origin} within {at - came[0]:g} s"


_SLICE: Final = 256  # tokens that one parsed slice may cost: 512 bytes, two per command


@invariant("metering")
def nobody_is_parsed_past_the_budget(trace: Trace) -> Iterator[str]:
    """No line is handled before the budget allows all input before it, except for one slice."""
    rate = trace.plan.limits.protocol_rate
    for watched in trace.watched.values():
        player = trace.player_of(watched.connection)
        # A failed dialog has all received input parsed at once.
        if rate is None or player is None or watched.may_skip:
            continue
        costs = iter(_lines_and_costs(trace, player.meant))
        for happening in _events_of(trace, watched.connection):
            if happening.kind != "Input" or happening.ending is not None:
                continue
            cost = next((cost for line, cost in costs if line == happening.event.line), 0.0)
            due = player.came_at + (cost - rate.burst - _SLICE) / rate.per_second
            if happening.at < due:
                yield f"{happening.as_text()} came at {happening.at:g} s, and the budget allowed it at {due:g} s"


def _lines_and_costs(trace: Trace, data: bytes) -> Iterator[tuple[str, float]]:
    """Yield the lines in these bytes, and the minimum tokens that the input before each costs."""
    engine, cost = trace.server._make_engine(), 0.0
    for at in range(0, len(data), 64):
        for event in _hear(engine, data[at : at + 64]):
            if isinstance(event, Line):
                yield clean_line(event.text), cost
        cost += engine.take_cost() / 256


@invariant("I-12")
def a_quit_flushes(trace: Trace) -> Iterator[str]:
    """A player that reads over a working network receives everything written before the quit, and the farewell."""
    if not trace.game_is_known or trace.aborting_at is not None:
        return
    for happening in trace.happenings:
        connection = happening.connection
        if happening.kind != "Disconnect" or connection is None or happening.event.reason is not Reason.QUIT:
            continue
        watched, player = trace.watch(connection), trace.player_of(connection)
        if player is None or not player.reads_all or "stranger" in player.faults or _may_have_closed(player):
            continue
        if happening.event.cause is Cause.ERROR and not happening.event.text:
            continue  # cut short, as after a failure inside the driver
        heard = DecodedOutput(bytes(player.read))
        text, read = heard.text, own_lines(watched, player, numbered(heard.text))
        if heard.can_tell(read, player) != heard.can_tell(watched.said, player):
            yield f"{player} quit: written {watched.said}, read {read}"
        farewell = happening.event.text.replace("\n", "\r\n")
        if farewell and not text.endswith(f"{farewell}\r\n"):
            yield f"{player} did not read its farewell {farewell!r} at the end of {text[-80:]!r}"


@invariant("I-14")
def no_task_is_left(trace: Trace) -> Iterator[str]:
    """At the end there are as many tasks as before, and every transport is closed."""
    if trace.tasks_left:
        yield f"{trace.tasks_left} tasks were left"
    for watched in trace.watched.values():
        player = trace.player_of(watched.connection)
        if player is not None and player.pipe.server.closed_at is None:
            yield f"the transport of {player} was never closed"


@invariant("I-15")
def the_list_is_empty_at_the_end(trace: Trace) -> Iterator[str]:
    """All lists of a server that has ended are empty."""
    server = trace.server
    if len(server.connections):
        yield f"{len(server.connections)} connections are listed"
    if left := [guest.name for guest in _guests(trace)]:
        yield f"{left} connections are still counted"
    if len(server.sessions):
        yield f"{len(server.sessions)} sessions are left"


def _guests(trace: Trace) -> list[Connection]:
    from .inside import guests

    return list(guests(trace.server))


@invariant("I-18")
def the_end_comes_in_time(trace: Trace) -> Iterator[str]:
    """A shutdown ends within its drain and cleanup times, the hard path within the cleanup time.

    After the last event, each service has the cleanup time once more.
    """
    limits = trace.plan.limits
    if trace.closing_at is None or trace.closed_at is None:
        yield "the server has not ended"
        return
    cleanup = limits.cleanup_timeout * (1 + trace.services)
    if trace.aborting_at is not None and trace.closed_at > trace.aborting_at + cleanup + SLACK:
        yield f"the hard path began at {trace.aborting_at:g} s and ended at {trace.closed_at:g} s"
    if trace.closed_at > trace.closing_at + limits.shutdown_timeout + cleanup + SLACK:
        yield f"the shutdown began at {trace.closing_at:g} s and ended at {trace.closed_at:g} s"
    is_at_once = OPERATORS[trace.plan.operator].is_hard and not OPERATORS[trace.plan.operator].raises
    if is_at_once and trace.operated_at is not None and trace.operated_at < trace.closing_at - 0.2:
        yield f"the operator ended it at {trace.operated_at:g} s, and the end began at {trace.closing_at:g} s"


@invariant("I-21")
def one_stay_follows_the_other(trace: Trace) -> Iterator[str]:
    """The order for each key is started, then lost and resumed, then ended once; it expires only while link-dead."""
    stays: dict[object, list[Happening]] = {}
    for happening in trace.happenings:
        if (session := getattr(happening.event, "session", None)) is not None:
            stays.setdefault(session.key, []).append(happening)
    for key, events in stays.items():
        yield from _check_stays(trace, key, events)


def _check_stays(trace: Trace, key: object, events: list[Happening]) -> Iterator[str]:
    kinds = [h.kind for h in events]
    current, lost_at = None, None
    for happening in events:
        session = happening.event.session
        if happening.kind in ("SessionStarted", "SessionRestored"):
            if current is not None:
                yield f"{key!r} entered twice: {kinds}"
            current, lost_at = session, happening.at if happening.kind == "SessionRestored" else None
            continue
        if session is not current:
            yield f"{happening.kind} of another session of {key!r}: {kinds}"
        if happening.kind == "LinkLost":
            lost_at = happening.at
        elif happening.kind == "SessionResumed":
            lost_at = None
        else:
            if happening.event.cause is Cause.EXPIRED and lost_at is None:
                yield f"the grace of {key!r} was over although its link lived: {kinds}"
            current = None
    if current is not None:
        yield f"the session of {key!r} never ended: {kinds}"


@invariant("sessions")
def entering_precedes_input(trace: Trace) -> Iterator[str]:
    """Events of a session are complete before the next input of its connection."""
    last_event: dict[int, Happening] = {}
    for happening in trace.happenings:
        if (session := getattr(happening.event, "session", None)) is not None:
            last_event[id(session)] = happening
        elif happening.kind == "Input" and happening.session is not None:
            last = last_event.get(id(happening.session))
            if last is None:
                yield f"{happening.as_text()} came before its stay had begun"
            elif last.over_at is None or last.over_at > happening.at:
                yield f"{happening.as_text()} came before {last.as_text()} was over"


_TOKEN: Final = re.compile(rb"\xff\xfa\xc9Session\.Token [^\xff]*")  # is meant for the program of the player


@invariant("I-22")
def passwords_are_seen_by_nobody(trace: Trace) -> Iterator[str]:
    """Passwords, tokens and codes appear in no log, event, traceback or row, and on no screen; nor do their hashes."""
    for record in trace.log:
        if CANARY in record:
            yield f"logged: {record}"
    for happening in trace.happenings:
        if CANARY in repr(happening.event):
            yield f"contained in {happening.kind}"
    for player in trace.players:
        if CANARY.encode() in _TOKEN.sub(b"", player.read):
            yield f"read by {player}"
    if trace.storage is not None:
        yield from _stored_secrets(trace, trace.storage)


def _stored_secrets(trace: Trace, storage: StorageTrace) -> Iterator[str]:
    rows = {data for commit in storage.commits for _, data, _ in commit.rows.values()}
    values = {data for commit in storage.commits for data in commit.values.values()}
    for data in sorted({*rows, *values, *(entry.data for entry in storage.disk.stored.entries.values())}):
        if CANARY.encode() in data:
            yield f"stored: {data!r}"
    for hashed in sorted({*storage.hashes, *_hashes_of_accounts(storage)}):
        if any(hashed in record for record in trace.log):
            yield f"the hash {hashed} is logged"
        if any(hashed.encode() in player.read for player in trace.players):
            yield f"the hash {hashed} is read by a player"


def _hashes_of_accounts(storage: StorageTrace) -> Iterator[str]:
    """Yield every stored hash of a password, a resume token or a recovery code."""
    for data in {
        data for commit in storage.commits for (family, _), (_, data, _) in commit.rows.items() if family == "account"
    }:
        fields = json.loads(data)
        yield from filter(None, (fields.get("password"), fields.get("recovery")))
        yield from (token["digest"] for token in fields.get("tokens", ()))


_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f\x80-\x9f]")


@invariant("I-23")
def text_commands_no_terminal(trace: Trace) -> Iterator[str]:
    """Received text and logs contain no control characters except line endings."""
    for player in trace.players:
        if trace.game_is_known and "stranger" not in player.faults:
            text = DecodedOutput(bytes(player.read)).text.replace("\r\n", "").removesuffix("\r")
            if found := _CONTROL.search(text):
                yield f"{player} read {text[max(0, found.start() - 20) : found.end() + 20]!r}"
    for record in trace.log:
        if found := _CONTROL.search(record.partition("\n")[0]):
            yield f"logged: {record!r}"


@invariant("I-24")
def negotiation_comes_to_rest(trace: Trace) -> Iterator[str]:
    """A conforming client gets at most four messages per option, any other at most as many as it sent."""
    for watched in trace.watched.values():
        player = trace.player_of(watched.connection)
        if player is None:
            continue
        ours = Counter(code for _, code in DecodedOutput(bytes(player.read)).negotiations)
        theirs = Counter(code for _, code in DecodedOutput(player.meant).negotiations)
        for code, count in ours.items():
            if count > theirs[code] + 4 + (watched.hidings if code == ECHO else 0):
                yield f"{player}: {count} messages for option {code}, and it had sent {theirs[code]}"


@invariant("abuse")
def the_honest_are_not_accused(trace: Trace) -> Iterator[str]:
    """Only a peer that sent input no client sends is ended for protocol abuse."""
    for watched in trace.watched.values():
        player = trace.player_of(watched.connection)
        if player is None or player.faults & {"garbled", "stranger"}:
            continue
        if watched.connection.ending is Cause.PROTOCOL:
            yield f"{player} was accused of abuse of the protocol"


@invariant("I-26")
def counters_add_up(trace: Trace) -> Iterator[str]:
    """Accepted = refused + admitted, and admitted = ended."""
    counters = trace.server.counters
    refused = sum(count for word, count in counters.items() if word.startswith("refused: "))
    ended = sum(count for word, count in counters.items() if word.startswith(("quit: ", "linkdeath: ")))
    gone = sum(counters[word] for word in NEVER_THERE)
    if counters["accepted"] != refused + counters["admitted"] + gone:
        yield f"accepted {counters['accepted']}, refused {refused}, admitted {counters['admitted']}, gone before {gone}"
    if counters["admitted"] != ended:
        yield f"admitted {counters['admitted']}, ended {ended}"
    limit = trace.plan.limits.max_connections
    for watched in trace.watched.values():
        if limit is not None and watched.connection.ending is Cause.FULL and watched.guests <= limit:
            yield f"{watched.connection.name} was refused as one too many when there were {watched.guests}"
    if counters["accepted"] > len(trace.players):
        yield f"{counters['accepted']} accepted of {len(trace.players)} players"


@invariant("I-30")
def operations_are_whole(trace: Trace) -> Iterator[str]:
    """Operations fail by nothing but the disk, and their reports are bounded; the trace has checked each act."""
    if trace.staff is not None:
        yield from trace.staff.at_end(trace.log)


# Logged as errors and caused by the simulator itself.
_MEANT: Final = re.compile(
    r"cannot accept connections|the server's time was over|failed with TooSlowError: repeated|was interrupted: "
)
# Of a game with records: its disk fails and hangs, so its hooks may fail and wait too long.
_MEANT_OF_A_DISK: Final = re.compile(r"simulated disk|storage is slow|waited longer than|(OS|Storage)Error: repeated")


@invariant("hooks")
def no_hook_fails(trace: Trace) -> Iterator[str]:
    """A game without planted failures does not fail, whatever its players do."""
    if not trace.game_is_known:
        for record in trace.log:
            is_meant = _MEANT.search(record) or (trace.storage is not None and _MEANT_OF_A_DISK.search(record))
            if record.startswith(("ERROR", "CRITICAL")) and not is_meant:
                yield record
