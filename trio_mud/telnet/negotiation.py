"""The negotiation table: the state of each option, tolerant of clients that do not follow the RFCs.

It decides what to answer and what has changed; it sends nothing and calls no option. Each engine owns one.

Theory of operation
===================

Every option has two sides: ours (we send WILL or WONT, the peer DO or DONT) and theirs (we send DO or DONT, the peer
WILL or WONT). Both follow the same table, so below a *yes* is WILL or DO, and a *no* is WONT or DONT. The states of a
side are

    OFF     the initial state
    ASKED   we have sent a yes that is not answered yet
    LATE    as ASKED, but the deadline has passed and a refusal was reported; a late yes still switches on
    ON      agreed

RFC 1143 (the Q method) has states for "our no is not acknowledged yet" and waits in them before it asks again. Real
clients make that impossible: TinTin++ 2.02 and telnetlib3 5.0 never acknowledge a no, so the second password of a
session would wait forever, and show. This table follows RFC 854 instead: the peer *must* obey a no. So a side is OFF
as soon as we have sent a no, and we can ask again at once.

Answers to withdrawn questions must therefore be recognised. The unacknowledged messages of one side form a queue in
which yes and no alternate, and the last entry is the current wish. Its length (`open`) is the only state needed.
Answers arrive in the order of the questions, and each is compared with the oldest entry:

    it matches       that entry is closed
    yes to our no    no client acknowledges a no like that: it was ignored, and this answers our next yes; close both
    no to our yes    the yes was refused, so the no that withdraws it is not acknowledged; close both

If the last entry is still open after that, the answer is dropped. All other messages, including those received while
nothing is open, go to the table. Example: a password is asked for twice within one round trip.

    sent      WILL        WONT        WILL
    received        DO (dropped)  DONT (dropped)  DO (agreed)

If an earlier no was never acknowledged and a later yes is refused, that refusal is dropped by mistake. Then the
deadline decides (two seconds, counted by `tick`). A late question that is withdrawn is removed from the queue, because
it may never be answered. If its yes comes after all, it is dropped and closes nothing (`had_late`): the peer has not
received our no yet, so it still hides what is typed.

No negotiation loops, because a yes or a no that changes nothing is not answered. The special cases are:
- a yes after we have switched a side off is treated as an acknowledgement and not answered: busybox telnet answers
  DONT NAWS with WILL NAWS;
- an unwelcome yes is refused each time, as RFC 1143 requires: Twisted's and telnetlib3's clients wait for the refusal
  and would otherwise wait forever. The refusal is a no, so a peer that follows any RFC does not answer it;
- a budget limits the answers to messages that the peer began. It stops the exchange with a peer that keeps no state
  and answers even acknowledgements, and with one that answers a refusal by asking again. A minute after half of it was
  spent it is restored in full. That does not restart the exchange, because both sides are silent then, and a
  connection that lasts for weeks never exhausts it.

PuTTY's WILL NAWS crosses our DO NAWS and is not repeated: in ASKED, a request counts as the answer.

Source: RFC 854 (negotiation), RFC 1143 (Q method); the named clients, as observed on the network
"""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple, Self

from .codes import DO, DONT, WILL, WONT
from .deadlines import BUDGET, Deadlines

ANSWER_DEADLINE: Final = 2.0  # seconds; clients answer offers within one round trip
ANSWER_BUDGET: Final = 512  # answers: every option can be refused once on both sides
BUDGET_PERIOD: Final = 60.0  # seconds until half a budget is restored in full


class State(Enum):
    """The state of one side of one option."""

    OFF = auto()
    ASKED = auto()
    LATE = auto()
    ON = auto()


class PeerMessage(IntEnum):
    """A received verb, classified by our policy."""

    WELCOME = 0  # a yes that the policy accepts
    UNWELCOME = 1  # a yes that the policy does not accept
    NO = 2


class Answer(Enum):
    """Our answer to the peer; the verb depends on the side."""

    YES = auto()
    NO = auto()


class Change(Enum):
    """A change that is reported to the option."""

    ENABLED = auto()
    DISABLED = auto()
    REFUSED = auto()


# Constants, because they are used for each message and looking up an attribute of an enum is slow.
_OFF, _ASKED, _, _ = State
_WELCOME, _UNWELCOME, _NO = PeerMessage
_NOES: Final = (WONT, DONT)

# Received verbs, after answers to withdrawn questions were removed.
_TABLE: Final[dict[tuple[State, PeerMessage], tuple[State, Answer | None, Change | None]]] = {
    (State.OFF, PeerMessage.WELCOME): (State.ON, Answer.YES, Change.ENABLED),
    (State.OFF, PeerMessage.UNWELCOME): (State.OFF, Answer.NO, None),  # see Negotiation._refuse
    (State.OFF, PeerMessage.NO): (State.OFF, None, None),
    (State.ASKED, PeerMessage.WELCOME): (State.ON, None, Change.ENABLED),
    (State.ASKED, PeerMessage.UNWELCOME): (State.ON, None, Change.ENABLED),  # we asked, so the policy does not apply
    (State.ASKED, PeerMessage.NO): (State.OFF, None, Change.REFUSED),
    (State.LATE, PeerMessage.WELCOME): (State.ON, None, Change.ENABLED),
    (State.LATE, PeerMessage.UNWELCOME): (State.ON, None, Change.ENABLED),
    (State.LATE, PeerMessage.NO): (State.OFF, None, None),
    (State.ON, PeerMessage.WELCOME): (State.ON, None, None),
    (State.ON, PeerMessage.UNWELCOME): (State.ON, None, None),
    (State.ON, PeerMessage.NO): (State.OFF, Answer.NO, Change.DISABLED),
}


class Transition(NamedTuple):
    """The effect of one received message."""

    verb: int | None = None  # to be sent with the option
    change: Change | None = None
    is_flood: bool = False  # an answer was withheld because the budget is spent


_NOTHING: Final = Transition()


class _Side:
    """The state of one side of one option: an immutable value, shared by all connections with the same state.

    Attributes:
        state: Its state.
        open: Length of the queue of unacknowledged messages: yes and no alternate, and the last one is as in `state`.
        had_late: True if the only entry is the no that has withdrawn a late question, whose yes may still come.
    """

    __slots__ = ("_moves", "had_late", "open", "state")

    def __init__(self, state: State, open_: int, had_late: bool) -> None:
        self.state = state
        self.open = open_
        self.had_late = had_late
        self._moves: list[_Move | None] = [None, None, None]  # computed at first use, by verb received

    def ask(self) -> _Side | None:
        """Return the side after a request to switch it on, or None if no yes needs to be sent."""
        if self.state is State.OFF:
            return _side(State.ASKED, self.open + 1)
        return _side(State.ASKED, self.open) if self.state is State.LATE else None

    def stop(self) -> _Side | None:
        """Return the side after a request to switch it off, or None if no no needs to be sent."""
        if self.state is State.OFF:
            return None
        return _side(State.OFF, 1, True) if self.state is State.LATE else _side(State.OFF, self.open + 1)

    def hear(self, heard: PeerMessage) -> _Move:
        """Return the move for a received verb; it is computed once and then shared by all connections."""
        move = self._moves[heard]
        if move is None:
            move = self._moves[heard] = self._held(heard) if self.open else self._moved(heard)
        return move

    def _held(self, heard: PeerMessage) -> _Move:
        if self.had_late and heard is not PeerMessage.NO:
            return _Move(_side(self.state, self.open), is_dropped=True)
        # Yes and no alternate, and the last one is the current wish, so the parity of the length gives the oldest.
        oldest_is_yes = (self.state is State.OFF) == (self.open % 2 == 0)
        fits = (heard is not PeerMessage.NO) == oldest_is_yes
        held = _side(self.state, max(0, self.open - (1 if fits else 2)))
        # Either the last question is still open, or it was a no, whose acknowledgement changes nothing.
        if held.open or held.state is State.OFF:
            return _Move(held, is_dropped=True)
        return held._moved(heard)

    def _moved(self, heard: PeerMessage) -> _Move:
        state, answer, change = _TABLE[self.state, heard]
        return _Move(_side(state, self.open), answer, Transition(None, change))

    def expire(self) -> _Side:
        """Return the side after the deadline of the last question has passed."""
        return _side(State.LATE, self.open)


class _Move(NamedTuple):
    """The effect of one received message on a side."""

    side: _Side  # the new state
    answer: Answer | None = None
    outcome: Transition = _NOTHING  # prepared for moves that need no answer
    is_dropped: bool = False  # it answered a withdrawn question


# A connection has about ten sides; separate objects would take more memory than the rest of the table.
@lru_cache(maxsize=64)
def _side(state: State, open_: int, had_late: bool = False) -> _Side:
    return _Side(state, open_, had_late)


_NEW: Final = _side(State.OFF, 0)
_state_of: Final = attrgetter("state")


class Negotiation:
    """The sides of all options of one connection, and the budget of answers.

    A side takes memory only if it was asked for or agreed, not if it was only refused. Connections with the same sides
    may share one dict of them, which is copied before it is changed.
    """

    __slots__ = ("_answers_left", "_deadlines", "_is_shared", "_sides", "changes")

    def __init__(self, deadlines: Deadlines, sides: dict[int, _Side] | None = None) -> None:
        self._deadlines = deadlines
        self._sides = {} if sides is None else sides  # by code; those of the peer by 0x100 | code
        self._is_shared = sides is not None
        self._answers_left = ANSWER_BUDGET
        self.changes = 0  # counts possible changes, so that callers can cache what they derive

    def copy(self, deadlines: Deadlines) -> Self:
        """Return a copy of the table that uses the given copy of its deadlines. This table must not change any more."""
        other = type(self)(deadlines, self._sides)
        other._answers_left = self._answers_left
        return other

    def has_sides_of(self, other: Negotiation) -> bool:
        """True if no side has changed since both tables shared their sides."""
        return self._sides is other._sides

    def adopt(self, other: Negotiation) -> None:
        """Share the sides of another table, as if the messages that led there had been received here.

        The caller stops the deadlines of the questions that they answer. The other table must not change any more.
        """
        self.changes += other.changes
        self._sides = other._sides
        self._is_shared = True

    def is_on(self, code: int, ours: bool) -> bool:
        """True if this side is agreed."""
        side = self._sides.get(code if ours else code | 0x100)
        return side is not None and side.state is State.ON

    def is_unanswered(self, code: int, ours: bool) -> bool:
        """True if we have asked for this side and got no answer, whether or not the deadline has passed."""
        side = self._sides.get(code if ours else code | 0x100)
        return side is not None and side.state in (State.ASKED, State.LATE)

    def is_unconfirmed(self, code: int, ours: bool) -> bool:
        """True if we have switched this side off and the peer has not confirmed it. Some clients never do."""
        side = self._sides.get(code if ours else code | 0x100)
        return side is not None and side.state is State.OFF and side.open > 0

    @property
    def has_answers(self) -> bool:
        """True if the peer has answered any of our questions, or asked one."""
        return not all(side.state in (State.ASKED, State.LATE) for side in self._sides.values())

    @property
    def is_asking(self) -> bool:
        """True if any of our questions is open and its deadline has not passed."""
        return _ASKED in map(_state_of, self._sides.values())  # no loop: called several times for each connection

    def want(self, code: int, ours: bool, enabled: bool) -> int | None:
        """Request a side on or off; return the verb to send, or None if none is needed."""
        key = code if ours else code | 0x100
        side = self._sides.get(key, _NEW)
        moved = side.ask() if enabled else side.stop()
        if moved is None:
            return None
        self.changes += 1
        self._put(key, moved)
        if enabled:
            self._deadlines.start(key, ANSWER_DEADLINE)
            return WILL if ours else DO
        self._deadlines.stop(key)
        return WONT if ours else DONT

    def hear(self, verb: int, code: int, is_welcome: bool) -> Transition:
        """Process a received verb. `is_welcome` is True if an unsolicited request would be accepted."""
        self.changes += 1
        ours = verb >= DO
        heard = _NO if verb in _NOES else _WELCOME if is_welcome else _UNWELCOME
        key = code if ours else code | 0x100
        side = self._sides.get(key)
        if side is None:
            if heard is _NO:
                return _NOTHING
            side = _NEW
        move = side.hear(heard)
        if move.is_dropped:
            self._put(key, move.side)
            return _NOTHING
        if side.state is _OFF:
            if heard is _UNWELCOME:
                return self._refuse(ours)
            if heard is _WELCOME and not self._answers_left:
                return Transition(is_flood=True)  # the budget allows no yes, so the side must stay off
        self._put(key, move.side)
        self._deadlines.stop(key)
        return move.outcome if move.answer is None else self._answer(move, ours)

    def _answer(self, move: _Move, ours: bool) -> Transition:
        change = move.outcome.change
        if not self.spend():
            return Transition(None, change, is_flood=True)
        if move.answer is Answer.YES:
            return Transition(WILL if ours else DO, change)
        return Transition(WONT if ours else DONT, change)

    def _refuse(self, ours: bool) -> Transition:
        """Refuse a request; the state does not change and need not be stored."""
        if not self.spend():
            return Transition(is_flood=True)
        return Transition(WONT if ours else DONT)

    def spend(self) -> bool:
        """Take one answer from the budget; return False if it is spent."""
        if not self._answers_left:
            return False
        self._answers_left -= 1
        if self._answers_left == ANSWER_BUDGET // 2:
            self._deadlines.start(BUDGET, BUDGET_PERIOD)
        return True

    def expire(self, key: int) -> int | None:
        """Handle an expired deadline; return the code of the option whose question was not answered, if any."""
        if key == BUDGET:
            self._answers_left = ANSWER_BUDGET
            return None
        self.changes += 1
        self._put(key, self._sides[key].expire())
        return key & 0xFF

    def _put(self, key: int, side: _Side) -> None:
        if self._is_shared:
            self._sides = self._sides.copy()
            self._is_shared = False
        self._sides[key] = side
