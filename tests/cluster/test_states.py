"""The state machines: complete tables, and every sequence of events up to a length."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from trio_mud.cluster.states import (
    GATEWAY,
    WORLD,
    WORLD_LINK,
    AtGateway,
    GatewayAction,
    GatewayEvent,
    InWorld,
    Machine,
    WorldAction,
    WorldEvent,
    WorldLinkAction,
    WorldLinkEvent,
    WorldPhase,
)

TABLES: list[tuple[Mapping[Any, Any], type[enum.Enum], type[enum.Enum], type[enum.Enum], enum.Enum]] = [
    (GATEWAY, AtGateway, GatewayEvent, GatewayAction, AtGateway.KNOCKING),
    (WORLD_LINK, InWorld, WorldLinkEvent, WorldLinkAction, InWorld.KNOCKING),
    (WORLD, WorldPhase, WorldEvent, WorldAction, WorldPhase.LOADED),
]
each_table = pytest.mark.parametrize(("table", "states", "events", "actions", "first"), TABLES)


@each_table
def test_a_table_has_a_row_for_every_state_and_event_and_no_other(
    table: Any, states: Any, events: Any, actions: Any, first: Any
) -> None:
    assert set(table) == set(itertools.product(states, events))
    for state, todo in table.values():
        assert isinstance(state, states)
        assert all(isinstance(action, actions) for action in todo)


@each_table
def test_every_state_is_reached_and_every_action_is_taken(
    table: Any, states: Any, events: Any, actions: Any, first: Any
) -> None:
    reached, taken, fresh = {first}, set(), [first]
    while fresh:
        state = fresh.pop()
        for event in events:
            following, todo = table[state, event]
            taken.update(todo)
            if following not in reached:
                reached.add(following)
                fresh.append(following)
    assert reached == set(states)
    assert taken == set(actions)


def sequences(events: type[enum.Enum], most: int) -> Any:
    for length in range(most + 1):
        yield from itertools.product(events, repeat=length)


def test_a_connection_at_its_gateway_ends_once_on_both_sides_whatever_comes() -> None:
    """Every sequence of up to six events."""
    ends = (GatewayAction.REFUSE, GatewayAction.CLOSE, GatewayAction.SEND_DEPARTED)
    for events in sequences(GatewayEvent, 6):
        machine, taken = Machine(GATEWAY, AtGateway.KNOCKING), list[GatewayAction]()
        for event in events:
            taken += machine.step(event)
            if event is GatewayEvent.WORLD_STARTED and machine.state is AtGateway.DEPARTED:
                taken.remove(GatewayAction.SEND_DEPARTED)  # again, to another world
        assert sum(taken.count(action) for action in ends) <= 1
        assert taken.count(GatewayAction.ADMIT) <= 1
        assert taken.count(GatewayAction.FORGET) == (machine.state is AtGateway.GONE)
        if GatewayAction.REFUSE in taken:
            assert GatewayAction.ADMIT not in taken
        if {GatewayEvent.DISMISSED, GatewayEvent.ENDED} <= set(events):
            assert machine.state is AtGateway.GONE


def test_a_new_world_receives_the_arrival_before_the_input_and_the_input_before_the_end() -> None:
    order = [
        GatewayAction.SEND_ARRIVED,
        GatewayAction.SEND_UNACKNOWLEDGED,
        GatewayAction.SEND_INPUT_OVER,
        GatewayAction.SEND_DEPARTED,
    ]
    for state in AtGateway:
        _, actions = GATEWAY[state, GatewayEvent.WORLD_STARTED]
        assert list(actions) == sorted(actions, key=order.index)
        assert bool(actions) == (state not in (AtGateway.DISMISSED, AtGateway.GONE))


def test_the_world_reports_each_end_once_and_nothing_to_a_gateway_that_it_has_given_up() -> None:
    for events in sequences(WorldLinkEvent, 6):
        machine, taken = Machine(WORLD_LINK, InWorld.KNOCKING), list[WorldLinkAction]()
        for event in events:
            taken += machine.step(event)
        assert taken.count(WorldLinkAction.SEND_DISMISSED) <= 1
        assert taken.count(WorldLinkAction.SEND_ADMISSION) <= 1
        if WorldLinkAction.SEND_DISMISSED in taken:
            assert taken[-1] is WorldLinkAction.SEND_DISMISSED
        lost = events.index(WorldLinkEvent.GATEWAY_LOST) if WorldLinkEvent.GATEWAY_LOST in events else None
        if lost is not None and WorldLinkEvent.CLOSED not in events[:lost]:
            assert WorldLinkAction.SEND_DISMISSED not in taken


def test_a_world_that_is_fenced_or_released_does_nothing_more() -> None:
    for events in sequences(WorldEvent, 5):
        machine, taken = Machine(WORLD, WorldPhase.LOADED), list[WorldAction]()
        for event in events:
            taken += machine.step(event)
        assert taken.count(WorldAction.STOP) <= 1
        if machine.state is WorldPhase.FENCED:
            assert WorldAction.RELEASE not in taken
        if WorldEvent.CLAIMED not in events:
            assert WorldAction.RELEASE not in taken
