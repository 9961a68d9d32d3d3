"""The registry of hooks: plain data, ordered, and exact about types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from trio_mud import FIRST, LAST, Admitted, Connect, Disconnect, HookEvent, Hooks, Input
from trio_mud.testing import OpenMud

from ..conftest import settled


@dataclass(frozen=True, slots=True)
class Bell(HookEvent):
    """An event of the game's own."""


@dataclass(frozen=True, slots=True)
class LoudBell(Bell):
    """And one derived from it."""


def named(name: str) -> Any:
    def function(event: HookEvent) -> str:
        return name

    function.__name__ = name
    return function


def order_of(hooks: Hooks, event_type: type[HookEvent] = Bell) -> list[str]:
    return [function(Bell()) for function in hooks.functions_for(event_type)]  # type: ignore[misc]


def test_a_function_without_an_order_has_the_order_nought() -> None:
    hooks = Hooks()
    hooks.on(Bell, order=0.5)(named("after"))
    hooks.on(Bell)(named("plain"))
    hooks.on(Bell, order=-0.5)(named("before"))
    assert order_of(hooks) == ["before", "plain", "after"]


def test_functions_run_in_the_order_they_were_registered() -> None:
    hooks = Hooks()
    for name in "abc":
        hooks.on(Bell)(named(name))
    assert order_of(hooks) == ["a", "b", "c"]


def test_order_outweighs_registration_and_first_and_last_outweigh_every_number() -> None:
    hooks = Hooks()
    hooks.on(Bell, order=LAST)(named("last"))
    hooks.on(Bell, order=5)(named("five"))
    hooks.on(Bell)(named("zero"))
    hooks.on(Bell, order=-1e308)(named("low"))
    hooks.on(Bell, order=1e308)(named("high"))
    hooks.on(Bell, order=FIRST)(named("first"))
    hooks.on(Bell)(named("zero again"))
    assert order_of(hooks) == ["first", "low", "zero", "zero again", "five", "high", "last"]


def test_equal_orders_never_compare_functions() -> None:
    hooks = Hooks()
    for _ in range(3):
        hooks.on(Bell)(lambda event: "same")
    assert order_of(hooks) == ["same"] * 3


def test_a_function_runs_for_exactly_its_type() -> None:
    hooks = Hooks()
    hooks.on(Bell)(named("bell"))
    assert order_of(hooks, LoudBell) == []
    assert order_of(hooks, HookEvent) == []
    assert not hooks.is_empty
    assert Hooks().is_empty


def test_the_decorated_function_stays_what_it_is() -> None:
    function = named("a")
    assert Hooks().on(Bell)(function) is function


@pytest.mark.parametrize("wrong", [int, "Input", None, Bell(), Hooks])
def test_only_types_of_events_can_be_hooked(wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes a type of event"):
        Hooks().on(wrong)


def test_a_removed_function_is_gone_from_every_hook() -> None:
    hooks = Hooks()
    doomed = named("doomed")
    hooks.on(Bell)(doomed)
    hooks.on(Bell)(named("kept"))
    hooks.on(Bell, order=LAST)(doomed)
    hooks.on(LoudBell)(doomed)
    hooks.remove(doomed)
    assert order_of(hooks) == ["kept"]
    assert order_of(hooks, LoudBell) == []


def test_removing_what_was_never_registered_says_so() -> None:
    with pytest.raises(ValueError, match="is not registered on these hooks"):
        Hooks().remove(named("stranger"))


def test_a_method_can_be_removed_although_each_look_makes_a_new_one() -> None:
    class Game:
        def ring(self, event: Bell) -> None: ...

    hooks, game = Hooks(), Game()
    hooks.on(Bell)(game.ring)
    hooks.remove(game.ring)
    assert hooks.functions_for(Bell) == ()


def test_included_hooks_keep_their_orders_and_come_after_equals() -> None:
    hooks, other = Hooks(), Hooks()
    other.on(Bell, order=LAST)(named("other last"))
    other.on(Bell)(named("other"))
    other.on(Bell, order=FIRST)(named("other first"))
    hooks.on(Bell)(named("own"))
    hooks.on(Bell, order=FIRST)(named("own first"))
    hooks.include(other)
    assert order_of(hooks) == ["own first", "other first", "own", "other", "other last"]


def test_what_is_registered_after_the_inclusion_is_not_included() -> None:
    hooks, other = Hooks(), Hooks()
    hooks.include(other)
    other.on(Bell)(named("late"))
    assert order_of(hooks) == []


def test_hooks_may_include_themselves_once_over() -> None:
    hooks = Hooks()
    hooks.on(Bell)(named("a"))
    hooks.include(hooks)
    assert order_of(hooks) == ["a", "a"]


def test_what_was_asked_for_is_a_snapshot() -> None:
    """A22."""
    hooks = Hooks()
    hooks.on(Bell)(named("a"))
    before = hooks.functions_for(Bell)
    hooks.on(Bell)(named("b"))
    assert [function(Bell()) for function in before] == ["a"]
    assert order_of(hooks) == ["a", "b"]


@pytest.mark.parametrize("kind", ["method", "partial", "instance", "builtin", "class"])
def test_anything_callable_can_be_a_hook(kind: str) -> None:
    class Game:
        def __call__(self, event: Bell) -> None: ...
        def ring(self, event: Bell) -> None: ...

    def strike(strokes: int, event: Bell) -> None: ...

    kinds: dict[str, Any] = {
        "method": Game().ring,
        "partial": partial(strike, 3),
        "instance": Game(),
        "builtin": [].append,
        "class": type("Seen", (), {"__init__": lambda self, event: None}),
    }
    hooks = Hooks()
    hooks.on(Bell)(kinds[kind])
    (function,) = hooks.functions_for(Bell)
    function(Bell())


async def test_the_networks_own_steps_lie_outside_even_first_and_last(mud: OpenMud) -> None:
    """S6, S10: on the list after the last connect function, off it before the first disconnect function."""
    hooks, seen = Hooks(), []

    def look(event: Any) -> None:
        seen.append((type(event).__name__, event.connection in event.connection.server.connections))

    for event_type, order in ((Connect, LAST), (Admitted, FIRST), (Input, FIRST), (Disconnect, FIRST)):
        hooks.on(event_type, order=order)(look)
    async with mud(hooks) as place:
        player = await place.player()
        await player.type("x")
        await settled()
        await player.vanish()
        await settled()
    assert seen == [("Connect", False), ("Admitted", True), ("Input", True), ("Disconnect", False)]


def test_events_are_immutable_and_compare_by_value() -> None:
    assert Bell() == Bell()
    with pytest.raises(AttributeError):
        Admitted(None).connection = None  # type: ignore[misc,arg-type,assignment]
