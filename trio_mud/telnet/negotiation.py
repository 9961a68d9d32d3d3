"""Which options are on: the tolerant negotiation table.

It decides what to answer and what has changed; it sends nothing and calls no option.  The engine owns one.

Theory of operation
===================

Every option has two sides, ours (we say WILL or WONT, the peer DO or DONT) and theirs (we say DO or DONT, the peer
WILL or WONT).  Both obey the same table, so below a *yes* is WILL or DO and a *no* is WONT or DONT.  A side is

    OFF     where everything starts
    ASKED   we have sent a yes that is not answered yet
    LATE    as ASKED, but the deadline has passed: the game was told no; a late yes still switches on
    ON      agreed

RFC 1143 (the Q method) has states for "our no is not acknowledged yet" and waits in them before it asks anew.  Real
clients make that impossible: TinTin++ 2.02 and telnetlib3 5.0 never acknowledge a no, so the second password of a
session would wait for ever, and show.  We take RFC 854 by its word instead: the peer *must* obey a no, so the side
is OFF as soon as we have sent it, and if we want it on again we ask at once.

What remains is to recognise answers to questions that we have taken back since.  What we have sent about a side and
not heard about is a queue in which yes and no alternate, and whose last entry is what we want now; so its length
(`open`) says all about it.  Answers come in the order of the questions, and each one heard is held against the oldest:

    it fits          that question is closed
    yes to our no    nobody acknowledges like that: the no was ignored, this answers our next yes; both are closed
    no to our yes    the yes was refused, so taking it back will not be acknowledged; both are closed

If what is wanted now has not been answered by that, the answer is dropped.  Only the others, and whatever comes when
nothing is open, go to the table.  Example, a password asked for twice within one round trip:

    sent      WILL        WONT        WILL
    received        DO (dropped)  DONT (dropped)  DO (agreed)

If an earlier no was never acknowledged and a later yes is refused, that refusal is dropped by mistake: the deadline
(two seconds, counted by `tick`) then decides instead.  A late question that is taken back is forgotten, for it may
never be answered.

Why nothing loops: a no that changes nothing is never answered, nor a yes that changes nothing, and
- a yes after we have switched a side off is the acknowledgement of a peer that answers contrarily (busybox telnet
  answers DONT NAWS with WILL NAWS), and gets silence;
- an unwelcome yes is refused each time it comes, as RFC 1143 wants.  Twisted's and telnetlib3's clients wait for that
  answer and would wait for ever.  Our refusal is a no, so a peer that follows any RFC does not answer it;
- a budget bounds all answers to what the peer began.  It ends the exchange with a peer that has no state at all and
  answers even our acknowledgements, and with one that answers a refusal by asking again.  A minute after half of it
  was spent it is whole again.  The exchange does not start again by that, because neither side is speaking then, and
  a connection that lasts for weeks never runs dry.

PuTTY's WILL NAWS crosses our DO NAWS and is not repeated: in ASKED a request counts as the answer.

Source: RFC 854 (negotiation), RFC 1143 (Q method); the clients as named, observed on the wire
"""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from functools import lru_cache
from typing import Final, NamedTuple, Self

from .codes import DO, DONT, WILL, WONT
from .deadlines import BUDGET, Deadlines

ANSWER_DEADLINE: Final = 2.0  # seconds; clients answer offers within one round trip
ANSWER_BUDGET: Final = 512  # answers: every option can be refused once on both sides
BUDGET_PERIOD: Final = 60.0  # seconds from half a budget to a whole one


class State(Enum):
    """Where one side of one option stands."""

    OFF = auto()
    ASKED = auto()
    LATE = auto()
    ON = auto()


class Heard(IntEnum):
    """What the peer said, and how we feel about it."""

    WELCOME = 0  # a yes that our policy accepts
    UNWELCOME = 1  # a yes that it does not
    NO = 2


class Answer(Enum):
    """What we say to a peer, or ask of it; the verb depends on the side."""

    YES = auto()
    NO = auto()


class Change(Enum):
    """What the option has to be told."""

    ENABLED = auto()
    DISABLED = auto()
    REFUSED = auto()


# Asked for at each message, and an attribute of an enum is slow to find.
_OFF, _ASKED, _, _ = State
_WELCOME, _UNWELCOME, _NO = Heard
_NOES: Final = (WONT, DONT)

# What the peer says, once answers to questions taken back are out of the way.
_TABLE: Final[dict[tuple[State, Heard], tuple[State, Answer | None, Change | None]]] = {
    (State.OFF, Heard.WELCOME): (State.ON, Answer.YES, Change.ENABLED),
    (State.OFF, Heard.UNWELCOME): (State.OFF, Answer.NO, None),  # see Negotiation._refuse
    (State.OFF, Heard.NO): (State.OFF, None, None),
    (State.ASKED, Heard.WELCOME): (State.ON, None, Change.ENABLED),
    (State.ASKED, Heard.UNWELCOME): (State.ON, None, Change.ENABLED),  # We asked: what we refuse is being asked.
    (State.ASKED, Heard.NO): (State.OFF, None, Change.REFUSED),
    (State.LATE, Heard.WELCOME): (State.ON, None, Change.ENABLED),
    (State.LATE, Heard.UNWELCOME): (State.ON, None, Change.ENABLED),
    (State.LATE, Heard.NO): (State.OFF, None, None),
    (State.ON, Heard.WELCOME): (State.ON, None, None),
    (State.ON, Heard.UNWELCOME): (State.ON, None, None),
    (State.ON, Heard.NO): (State.OFF, Answer.NO, Change.DISABLED),
}


class Outcome(NamedTuple):
    """What one message of the peer leads to."""

    verb: int | None = None  # to be sent with the option
    change: Change | None = None
    is_flood: bool = False  # an answer is withheld because the budget is spent


_NOTHING: Final = Outcome()


class _Move(NamedTuple):
    """What one message of the peer does to a side."""

    side: _Side  # where it stands then
    answer: Answer | None = None
    outcome: Outcome = _NOTHING  # for whoever need not answer
    is_dropped: bool = False  # it answered a question that was taken back


class _Side:
    """Where one side of one option stands; a value, shared by all connections where it stands so.

    Attributes:
        state: Its state.
        open: What we have sent and not heard about: yes and no in turn, the last one as in `state`.
    """

    __slots__ = ("_moves", "open", "state")

    def __init__(self, state: State, open_: int) -> None:
        self.state = state
        self.open = open_
        self._moves: list[_Move | None] = [None, None, None]  # by what is heard, once it was

    def ask(self) -> _Side | None:
        """Want it on; return where it stands then, or None if no yes is to be sent."""
        if self.state is State.OFF:
            return _side(State.ASKED, self.open + 1)
        return _side(State.ASKED, self.open) if self.state is State.LATE else None

    def stop(self) -> _Side | None:
        """Want it off; return where it stands then, or None if no no is to be sent."""
        if self.state is State.OFF:
            return None
        return _side(State.OFF, 1 if self.state is State.LATE else self.open + 1)

    def hear(self, heard: Heard) -> _Move:
        """Hold an answer against the open questions, then go where the table says: worked out once for everybody."""
        move = self._moves[heard]
        if move is None:
            move = self._moves[heard] = self._held(heard) if self.open else self._moved(heard)
        return move

    def _held(self, heard: Heard) -> _Move:
        oldest_is_yes = (self.state is State.OFF) == (self.open % 2 == 0)
        fits = (heard is not Heard.NO) == oldest_is_yes
        held = _side(self.state, max(0, self.open - (1 if fits else 2)))
        if held.open or held.state is State.OFF:
            return _Move(held, is_dropped=True)
        return held._moved(heard)

    def _moved(self, heard: Heard) -> _Move:
        state, answer, change = _TABLE[self.state, heard]
        return _Move(_side(state, self.open), answer, Outcome(None, change))

    def expire(self) -> _Side:
        """Wait no longer for the answer to the last question."""
        return _side(State.LATE, self.open)


# A connection has some ten sides; made anew for each they would take more memory than all the rest of it.
@lru_cache(maxsize=64)
def _side(state: State, open_: int) -> _Side:
    return _Side(state, open_)


_NEW: Final = _side(State.OFF, 0)


class Negotiation:
    """The sides of all options of one connection, and the budget of answers.

    A side costs memory only when it has been asked for or agreed to, not when it was merely refused.
    """

    __slots__ = ("_answers_left", "_deadlines", "_sides", "changes")

    def __init__(self, deadlines: Deadlines, sides: dict[int, _Side] | None = None) -> None:
        self._deadlines = deadlines
        self._sides = {} if sides is None else sides
        self._answers_left = ANSWER_BUDGET
        self.changes = 0  # how often something may have moved: whoever keeps a conclusion asks for this first

    def copy(self, deadlines: Deadlines) -> Self:
        """Make another that stands where this one does, with a copy of its deadlines."""
        other = type(self)(deadlines, self._sides.copy())
        other._answers_left = self._answers_left
        return other

    def is_on(self, code: int, ours: bool) -> bool:
        """Whether this side is agreed."""
        side = self._sides.get(_key(code, ours))
        return side is not None and side.state is State.ON

    def is_unanswered(self, code: int, ours: bool) -> bool:
        """Whether we want this side and have not been answered, in time or not at all."""
        side = self._sides.get(_key(code, ours))
        return side is not None and side.state in (State.ASKED, State.LATE)

    @property
    def has_answers(self) -> bool:
        """True if the peer has answered any question of ours, or asked one."""
        return not all(side.state in (State.ASKED, State.LATE) for side in self._sides.values())

    @property
    def is_asking(self) -> bool:
        """Whether any question of ours may still be answered in time."""
        for side in self._sides.values():  # noqa: SIM110 - asked for at each read as long as anything is settling
            if side.state is _ASKED:
                return True
        return False

    def want(self, code: int, ours: bool, enabled: bool) -> int | None:
        """Want a side on or off; return the verb to send, if any is needed."""
        key = _key(code, ours)
        side = self._sides.get(key, _NEW)
        moved = side.ask() if enabled else side.stop()
        if moved is None:
            return None
        self.changes += 1
        self._sides[key] = moved
        if enabled:
            self._deadlines.start(key, ANSWER_DEADLINE)
            return WILL if ours else DO
        self._deadlines.stop(key)
        return WONT if ours else DONT

    def hear(self, verb: int, code: int, is_welcome: bool) -> Outcome:
        """Take the peer's verb; `is_welcome` says whether a request out of the blue would be accepted."""
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
            self._sides[key] = move.side
            return _NOTHING
        if side.state is _OFF:
            if heard is _UNWELCOME:
                return self._refuse(ours)
            if heard is _WELCOME and not self._answers_left:
                return Outcome(is_flood=True)  # No yes can be said, so it must stay off.
        self._sides[key] = move.side
        self._deadlines.stop(key)
        return move.outcome if move.answer is None else self._answer(move, ours)

    def _answer(self, move: _Move, ours: bool) -> Outcome:
        change = move.outcome.change
        if not self.spend():
            return Outcome(None, change, is_flood=True)
        if move.answer is Answer.YES:
            return Outcome(WILL if ours else DO, change)
        return Outcome(WONT if ours else DONT, change)

    def _refuse(self, ours: bool) -> Outcome:
        """Answer a request with no; the side stays as it is, and need not be remembered."""
        if not self.spend():
            return Outcome(is_flood=True)
        return Outcome(WONT if ours else DONT)

    def spend(self) -> bool:
        """Take one answer from the budget, or return False if it is spent."""
        if not self._answers_left:
            return False
        self._answers_left -= 1
        if self._answers_left == ANSWER_BUDGET // 2:
            self._deadlines.start(BUDGET, BUDGET_PERIOD)
        return True

    def expire(self, key: int) -> int | None:
        """One of our deadlines has passed; return the option whose question was not answered, if it was that."""
        if key == BUDGET:
            self._answers_left = ANSWER_BUDGET
            return None
        self.changes += 1
        self._sides[key] = self._sides[key].expire()
        return key & 0xFF


def _key(code: int, ours: bool) -> int:
    return code if ours else code | 0x100
