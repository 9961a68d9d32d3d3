"""The state machines of a server in two processes, as tables.

Theory of operation
-------------------
There are three machines: a connection at its gateway, the same connection in the world, and the world itself.
Each table has one row for every state and event, so no combination is left to chance: an event that means nothing in
a state has a row without actions. The machines do nothing themselves; `step` returns the actions, in order, and the
gateway's or the world's service takes them.

A connection at the gateway ends in two ways. Either the world dismisses it first (`DISMISSED`), or the peer leaves
first (`DEPARTED`). A departed connection is remembered until the world has dismissed it, so that the roll for a new
world brings its last input and its departure. A connection that was never admitted is not: no world holds anything of
it but the verdict that it waits for.

A world that gives a gateway up says nothing about its connections: if that gateway is alive after all, the next roll
brings the same connections again.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

S = TypeVar("S", bound=enum.Enum)
E = TypeVar("E", bound=enum.Enum)
A = TypeVar("A", bound=enum.Enum)


# A connection at its gateway


class AtGateway(enum.Enum):
    """The state of a connection at its gateway."""

    KNOCKING = enum.auto()
    """Its connect hook waits for the world's verdict; nothing was read or offered."""
    OPEN = enum.auto()
    """The world has admitted it: input goes up, output comes down."""
    INPUT_OVER = enum.auto()
    """The peer has sent its end of file, and the world was notified; output still comes down."""
    DISMISSED = enum.auto()
    """The world has ended it, and its last output is being sent."""
    DEPARTED = enum.auto()
    """It has ended here, and the world has not dismissed it yet."""
    GONE = enum.auto()
    """Both sides have ended it."""


class GatewayEvent(enum.Enum):
    """An event of a connection at its gateway."""

    ADMITTED = enum.auto()
    DISMISSED = enum.auto()
    INPUT_OVER = enum.auto()
    """The end of file has come, and everything before it was sent up."""
    ENDED = enum.auto()
    """Its disconnect event was handled here."""
    WORLD_STARTED = enum.auto()


class GatewayAction(enum.Enum):
    """An action of a gateway for one connection."""

    ADMIT = enum.auto()
    REFUSE = enum.auto()
    CLOSE = enum.auto()
    SEND_ARRIVED = enum.auto()
    SEND_UNACKNOWLEDGED = enum.auto()
    SEND_INPUT_OVER = enum.auto()
    SEND_DEPARTED = enum.auto()
    FORGET = enum.auto()


_G, _GE, _GA = AtGateway, GatewayEvent, GatewayAction

GATEWAY: Final[Mapping[tuple[AtGateway, GatewayEvent], tuple[AtGateway, tuple[GatewayAction, ...]]]] = {
    (_G.KNOCKING, _GE.ADMITTED): (_G.OPEN, (_GA.ADMIT,)),
    (_G.KNOCKING, _GE.DISMISSED): (_G.DISMISSED, (_GA.REFUSE,)),
    (_G.KNOCKING, _GE.INPUT_OVER): (_G.KNOCKING, ()),
    (_G.KNOCKING, _GE.ENDED): (_G.GONE, (_GA.SEND_DEPARTED, _GA.FORGET)),
    (_G.KNOCKING, _GE.WORLD_STARTED): (_G.KNOCKING, (_GA.SEND_ARRIVED,)),
    (_G.OPEN, _GE.ADMITTED): (_G.OPEN, ()),
    (_G.OPEN, _GE.DISMISSED): (_G.DISMISSED, (_GA.CLOSE,)),
    (_G.OPEN, _GE.INPUT_OVER): (_G.INPUT_OVER, (_GA.SEND_INPUT_OVER,)),
    (_G.OPEN, _GE.ENDED): (_G.DEPARTED, (_GA.SEND_DEPARTED,)),
    (_G.OPEN, _GE.WORLD_STARTED): (_G.OPEN, (_GA.SEND_ARRIVED, _GA.SEND_UNACKNOWLEDGED)),
    (_G.INPUT_OVER, _GE.ADMITTED): (_G.INPUT_OVER, ()),
    (_G.INPUT_OVER, _GE.DISMISSED): (_G.DISMISSED, (_GA.CLOSE,)),
    (_G.INPUT_OVER, _GE.INPUT_OVER): (_G.INPUT_OVER, ()),
    (_G.INPUT_OVER, _GE.ENDED): (_G.DEPARTED, (_GA.SEND_DEPARTED,)),
    (_G.INPUT_OVER, _GE.WORLD_STARTED): (
        _G.INPUT_OVER,
        (_GA.SEND_ARRIVED, _GA.SEND_UNACKNOWLEDGED, _GA.SEND_INPUT_OVER),
    ),
    (_G.DISMISSED, _GE.ADMITTED): (_G.DISMISSED, ()),
    (_G.DISMISSED, _GE.DISMISSED): (_G.DISMISSED, ()),
    (_G.DISMISSED, _GE.INPUT_OVER): (_G.DISMISSED, ()),
    (_G.DISMISSED, _GE.ENDED): (_G.GONE, (_GA.FORGET,)),
    (_G.DISMISSED, _GE.WORLD_STARTED): (_G.DISMISSED, ()),
    (_G.DEPARTED, _GE.ADMITTED): (_G.DEPARTED, ()),
    (_G.DEPARTED, _GE.DISMISSED): (_G.GONE, (_GA.FORGET,)),
    (_G.DEPARTED, _GE.INPUT_OVER): (_G.DEPARTED, ()),
    (_G.DEPARTED, _GE.ENDED): (_G.DEPARTED, ()),
    (_G.DEPARTED, _GE.WORLD_STARTED): (
        _G.DEPARTED,
        (_GA.SEND_ARRIVED, _GA.SEND_UNACKNOWLEDGED, _GA.SEND_DEPARTED),
    ),
    (_G.GONE, _GE.ADMITTED): (_G.GONE, ()),
    (_G.GONE, _GE.DISMISSED): (_G.GONE, ()),
    (_G.GONE, _GE.INPUT_OVER): (_G.GONE, ()),
    (_G.GONE, _GE.ENDED): (_G.GONE, ()),
    (_G.GONE, _GE.WORLD_STARTED): (_G.GONE, ()),
}


# The same connection in the world


class InWorld(enum.Enum):
    """The state of a remote connection in the world."""

    KNOCKING = enum.auto()
    """The connect hook has no verdict yet."""
    OPEN = enum.auto()
    CLOSED = enum.auto()
    """It has ended here."""
    ABANDONED = enum.auto()
    """Its gateway is given up; its disconnect event may still wait for its turn."""


class WorldLinkEvent(enum.Enum):
    """An event of a remote connection in the world."""

    ADMITTED = enum.auto()
    CLOSED = enum.auto()
    """The driver has closed its link."""
    DEPARTED = enum.auto()
    """It has ended at its gateway."""
    GATEWAY_LOST = enum.auto()


class WorldLinkAction(enum.Enum):
    """An action of the world for one remote connection."""

    SEND_ADMISSION = enum.auto()
    SEND_DISMISSED = enum.auto()
    END = enum.auto()
    """End the connection with the cause that the gateway reports, or as a reset if the gateway is lost."""


_W, _WE, _WA = InWorld, WorldLinkEvent, WorldLinkAction

WORLD_LINK: Final[Mapping[tuple[InWorld, WorldLinkEvent], tuple[InWorld, tuple[WorldLinkAction, ...]]]] = {
    (_W.KNOCKING, _WE.ADMITTED): (_W.OPEN, (_WA.SEND_ADMISSION,)),
    (_W.KNOCKING, _WE.CLOSED): (_W.CLOSED, (_WA.SEND_DISMISSED,)),
    (_W.KNOCKING, _WE.DEPARTED): (_W.KNOCKING, (_WA.END,)),
    (_W.KNOCKING, _WE.GATEWAY_LOST): (_W.ABANDONED, (_WA.END,)),
    (_W.OPEN, _WE.ADMITTED): (_W.OPEN, ()),
    (_W.OPEN, _WE.CLOSED): (_W.CLOSED, (_WA.SEND_DISMISSED,)),
    (_W.OPEN, _WE.DEPARTED): (_W.OPEN, (_WA.END,)),
    (_W.OPEN, _WE.GATEWAY_LOST): (_W.ABANDONED, (_WA.END,)),
    (_W.CLOSED, _WE.ADMITTED): (_W.CLOSED, ()),
    (_W.CLOSED, _WE.CLOSED): (_W.CLOSED, ()),
    (_W.CLOSED, _WE.DEPARTED): (_W.CLOSED, ()),
    (_W.CLOSED, _WE.GATEWAY_LOST): (_W.CLOSED, ()),
    (_W.ABANDONED, _WE.ADMITTED): (_W.ABANDONED, ()),
    (_W.ABANDONED, _WE.CLOSED): (_W.CLOSED, ()),
    (_W.ABANDONED, _WE.DEPARTED): (_W.ABANDONED, ()),
    (_W.ABANDONED, _WE.GATEWAY_LOST): (_W.ABANDONED, ()),
}


# The world


class WorldPhase(enum.Enum):
    """The state of a world."""

    LOADED = enum.auto()
    """The game is imported, and another world may be serving."""
    SERVING = enum.auto()
    YIELDING = enum.auto()
    """It takes no more input, and handles and commits what it has; players stay for the next world."""
    CLOSING = enum.auto()
    """It takes no more input, and commits what is left."""
    RELEASED = enum.auto()
    """Another world may claim at once."""
    FENCED = enum.auto()
    """Another world has claimed: nothing of this one counts any more."""
    GIVEN_UP = enum.auto()
    """Its game has failed to start. It commits nothing more, so that players stay for the next world."""


class WorldEvent(enum.Enum):
    """An event of a world."""

    CLAIMED = enum.auto()
    FORGOTTEN = enum.auto()
    """The cluster link has lost its data."""
    HAND_OVER = enum.auto()
    """Another world is to continue."""
    CLOSE = enum.auto()
    """The server has handled its last event."""
    COMMITTED = enum.auto()
    """Nothing is left to commit."""
    FENCED = enum.auto()
    START_FAILED = enum.auto()
    """A function on `Started`, or a service of the game, has failed."""


class WorldAction(enum.Enum):
    """An action of a world's service."""

    GREET = enum.auto()
    """Ask every gateway for its roll."""
    CLAIM = enum.auto()
    COMMIT_REST = enum.auto()
    RELEASE = enum.auto()
    STOP = enum.auto()
    """Stop the server at once, and write nothing."""
    GIVE_UP = enum.auto()
    """End without a commit, as if the process had been killed."""


_P, _PE, _PA = WorldPhase, WorldEvent, WorldAction

WORLD: Final[Mapping[tuple[WorldPhase, WorldEvent], tuple[WorldPhase, tuple[WorldAction, ...]]]] = {
    (_P.LOADED, _PE.CLAIMED): (_P.SERVING, (_PA.GREET,)),
    (_P.LOADED, _PE.FORGOTTEN): (_P.LOADED, ()),
    (_P.LOADED, _PE.HAND_OVER): (_P.LOADED, ()),
    (_P.LOADED, _PE.CLOSE): (_P.RELEASED, ()),
    (_P.LOADED, _PE.COMMITTED): (_P.LOADED, ()),
    (_P.LOADED, _PE.FENCED): (_P.LOADED, ()),
    (_P.LOADED, _PE.START_FAILED): (_P.LOADED, ()),
    (_P.SERVING, _PE.CLAIMED): (_P.SERVING, (_PA.GREET,)),  # again, after the cluster link had lost its data
    (_P.SERVING, _PE.FORGOTTEN): (_P.SERVING, (_PA.CLAIM,)),
    (_P.SERVING, _PE.HAND_OVER): (_P.YIELDING, ()),
    (_P.SERVING, _PE.CLOSE): (_P.CLOSING, (_PA.COMMIT_REST,)),
    (_P.SERVING, _PE.COMMITTED): (_P.SERVING, ()),
    (_P.SERVING, _PE.FENCED): (_P.FENCED, (_PA.STOP,)),
    (_P.SERVING, _PE.START_FAILED): (_P.GIVEN_UP, (_PA.GIVE_UP,)),
    (_P.YIELDING, _PE.CLAIMED): (_P.YIELDING, ()),
    (_P.YIELDING, _PE.FORGOTTEN): (_P.YIELDING, (_PA.CLAIM,)),
    (_P.YIELDING, _PE.HAND_OVER): (_P.YIELDING, ()),
    (_P.YIELDING, _PE.CLOSE): (_P.CLOSING, (_PA.COMMIT_REST,)),
    (_P.YIELDING, _PE.COMMITTED): (_P.YIELDING, ()),
    (_P.YIELDING, _PE.FENCED): (_P.FENCED, (_PA.STOP,)),
    (_P.YIELDING, _PE.START_FAILED): (_P.YIELDING, ()),
    (_P.CLOSING, _PE.CLAIMED): (_P.CLOSING, (_PA.COMMIT_REST,)),
    (_P.CLOSING, _PE.FORGOTTEN): (_P.CLOSING, (_PA.CLAIM,)),
    (_P.CLOSING, _PE.HAND_OVER): (_P.CLOSING, ()),
    (_P.CLOSING, _PE.CLOSE): (_P.CLOSING, ()),
    (_P.CLOSING, _PE.COMMITTED): (_P.RELEASED, (_PA.RELEASE,)),
    (_P.CLOSING, _PE.FENCED): (_P.FENCED, ()),
    (_P.CLOSING, _PE.START_FAILED): (_P.CLOSING, ()),
    (_P.RELEASED, _PE.CLAIMED): (_P.RELEASED, (_PA.RELEASE,)),
    (_P.RELEASED, _PE.FORGOTTEN): (_P.RELEASED, ()),
    (_P.RELEASED, _PE.HAND_OVER): (_P.RELEASED, ()),
    (_P.RELEASED, _PE.CLOSE): (_P.RELEASED, ()),
    (_P.RELEASED, _PE.COMMITTED): (_P.RELEASED, ()),
    (_P.RELEASED, _PE.FENCED): (_P.RELEASED, ()),
    (_P.RELEASED, _PE.START_FAILED): (_P.RELEASED, ()),
    (_P.FENCED, _PE.CLAIMED): (_P.FENCED, ()),
    (_P.FENCED, _PE.FORGOTTEN): (_P.FENCED, ()),
    (_P.FENCED, _PE.HAND_OVER): (_P.FENCED, ()),
    (_P.FENCED, _PE.CLOSE): (_P.FENCED, ()),
    (_P.FENCED, _PE.COMMITTED): (_P.FENCED, ()),
    (_P.FENCED, _PE.FENCED): (_P.FENCED, ()),
    (_P.FENCED, _PE.START_FAILED): (_P.FENCED, ()),
    (_P.GIVEN_UP, _PE.CLAIMED): (_P.GIVEN_UP, ()),
    (_P.GIVEN_UP, _PE.FORGOTTEN): (_P.GIVEN_UP, ()),
    (_P.GIVEN_UP, _PE.HAND_OVER): (_P.GIVEN_UP, ()),
    (_P.GIVEN_UP, _PE.CLOSE): (_P.GIVEN_UP, ()),
    (_P.GIVEN_UP, _PE.COMMITTED): (_P.GIVEN_UP, ()),
    (_P.GIVEN_UP, _PE.FENCED): (_P.GIVEN_UP, ()),
    (_P.GIVEN_UP, _PE.START_FAILED): (_P.GIVEN_UP, ()),
}


class Machine(Generic[S, E, A]):
    """One machine: its table and its state.

    Attributes:
        state: The current state.
    """

    __slots__ = ("_table", "state")

    def __init__(self, table: Mapping[tuple[S, E], tuple[S, tuple[A, ...]]], state: S) -> None:
        self._table = table
        self.state = state

    def step(self, event: E) -> tuple[A, ...]:
        """Enter the next state, and return the actions to take, in order."""
        self.state, actions = self._table[self.state, event]
        return actions
