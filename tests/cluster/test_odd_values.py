"""Values of the game that MessagePack cannot carry: each costs itself, and no world ends by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_mud import Admitted, Connection, Hooks, Input, SessionRestored, SessionStarted, Started
from trio_mud.cluster import frames
from trio_mud.cluster.held_sessions import HeldSessions
from trio_mud.cluster.wire import LineTyped, Output, Preferred, ProbeAnswered, TextSent
from trio_mud.driver.link.client import Size
from trio_mud.testing.threads import settle

from .conftest import open_split


class OddNumber(int):
    """A number of a game's own kind."""


class OddSeconds(float):
    """As a number of numpy is."""


def playing(do: Callable[[Connection], object]) -> Hooks:
    """Return hooks that do this once a player is admitted, and repeat lines."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: do(event.connection))
    hooks.on(Input)(lambda event: event.connection.write(f"you say {event.line}"))
    hooks.on(SessionStarted)(lambda event: None)
    hooks.on(SessionRestored)(lambda event: None)
    return hooks


def enter(key: Any, **settings: Any) -> Callable[[Connection], object]:
    return lambda connection: connection.server.sessions.enter(key, connection, **settings)


async def serves_on_and_so_does_the_next(hooks: Hooks, *, restored: int) -> None:
    """Check that a player is heard by a world with these hooks, and by its successor."""
    async with open_split() as split:
        world, ann = await split.begin(hooks, "one")
        await settle()
        assert ann.screen.endswith("you say one\n")
        world.end.kill()
        following = await split.start_world(playing(lambda connection: None))
        assert len(following.server.sessions) == restored
        await ann.type("two")
        await ann.sees("you say two")
        assert world.failed is following.failed is None


@pytest.mark.parametrize(
    "key", [2**64, -(2**63) - 1, 10**400, OddNumber(7), "ann\ud800"], ids=["great", "small", "huge", "odd", "surrogate"]
)
async def test_a_session_with_an_odd_key_is_played_and_not_restored(autojump_clock: MockClock, key: object) -> None:
    await serves_on_and_so_does_the_next(playing(enter(key)), restored=0)


@pytest.mark.parametrize("key", [2**63 - 1, -(2**63), "ann", ""])
async def test_a_plain_key_is_restored(autojump_clock: MockClock, key: object) -> None:
    await serves_on_and_so_does_the_next(playing(enter(key)), restored=1)


@pytest.mark.parametrize("grace", [10**30, OddNumber(60), OddSeconds(60), math.inf])
async def test_a_session_with_any_grace_is_restored(autojump_clock: MockClock, grace: float) -> None:
    await serves_on_and_so_does_the_next(playing(enter("ann", grace=grace)), restored=1)


async def test_a_session_whose_token_lasts_oddly_long_is_restored(autojump_clock: MockClock) -> None:
    def play(connection: Connection) -> None:
        connection.server.sessions.enter("ann", connection).resume_token(lifetime=OddSeconds(1e9))

    await serves_on_and_so_does_the_next(playing(play), restored=1)


async def test_a_name_with_a_surrogate_is_restored_without_it(autojump_clock: MockClock) -> None:
    def play(connection: Connection) -> None:
        connection.server.sessions.enter("ann", connection)
        connection.name = "ann\ud800"

    await serves_on_and_so_does_the_next(playing(play), restored=1)


async def test_a_preference_that_no_client_has_fails_in_the_function_of_the_game(autojump_clock: MockClock) -> None:
    failed = list[Exception]()

    def play(connection: Connection) -> None:
        wishes: list[dict[str, Any]] = [{"colours": 2**70}, {"size": Size(2**70, 24)}]
        for wish in wishes:
            try:
                connection.client.prefer(**wish)
            except ValueError as error:
                failed.append(error)

    await serves_on_and_so_does_the_next(playing(play), restored=0)
    assert [str(error).partition(" takes")[0] for error in failed] == [
        "Client.prefer(colours=)",
        "Client.prefer(size=)",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("go\ud800", 60), ("go", 10**30), ("go", OddNumber(60)), ("go", OddSeconds(60))]
)
async def test_a_ban_of_any_length_and_text_is_repeated_at_the_gateway(
    autojump_clock: MockClock, text: str, seconds: float
) -> None:
    hooks = playing(lambda connection: connection.server.ban("192.0.2.0/24", text, seconds=seconds))
    async with open_split() as split:
        world, ann = await split.begin(hooks, "one")
        await settle()
        (ban,) = split.mud.server._bans
        assert ban.network == "192.0.2.0/24"
        assert ban.text.startswith("go")
        assert ban.seconds >= 60 - 1
        assert ann.screen.endswith("you say one\n")
        assert world.failed is None


async def test_a_listing_with_odd_values_arrives_cut_and_cleaned(autojump_clock: MockClock) -> None:
    hooks = playing(lambda connection: None)

    @hooks.on(Started)
    def list_it(event: Started) -> None:
        event.server.mssp["NAME"] = "Inn\ud800"
        event.server.mssp["GE\ud800NRE"] = ["a\ud800", "b" * 3000]
        event.server.mssp["PORT"] = [str(number) for number in range(3000)]
        event.server.mssp["x" * 3000] = "y" * 3000

    async with open_split() as split:
        world, _ = await split.begin(hooks, "one")
        await settle()
        listed = split.mud.server.mssp
        assert listed["NAME"] == "Inn?"
        assert listed["GE?NRE"] == ("a?", "b" * 1024)
        assert listed["PORT"] == tuple(str(number) for number in range(1024))
        assert listed["x" * 1024] == "y" * 1024
        assert world.failed is None


# The net below: what nobody has thought of


def test_a_message_that_cannot_be_encoded_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    bad: Any = LineTyped(1, 2**70, "north")
    (frame,) = frames.encode_up("g", 1, 1, 1, [LineTyped(1, 1, "look"), bad, LineTyped(1, 2, "south")])
    assert frames.decode_up(frame).messages == [LineTyped(1, 1, "look"), LineTyped(1, 2, "south")]
    assert "a message LineTyped cannot be encoded, and is left out: OverflowError" in caplog.text


def test_an_item_that_cannot_be_encoded_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    one, bad, two = TextSent("one"), Preferred({"colours": (2**70, 9)}), TextSent("two")
    (frame,) = frames.encode_down(1, [Output([1, 2], (one, bad, two)), ProbeAnswered()])
    assert frames.decode_down(frame).messages == [Output([1, 2], (one,)), Output([1, 2], (two,)), ProbeAnswered()]
    assert "an item Preferred cannot be encoded, and is left out: OverflowError" in caplog.text


async def test_a_session_that_cannot_be_encoded_costs_itself(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hold = HeldSessions._held_with

    def fail_for_bob(self: HeldSessions, session: Any, state: Any) -> Any:
        if session.key == "bob":
            raise OverflowError
        return hold(self, session, state)

    monkeypatch.setattr(HeldSessions, "_held_with", fail_for_bob)
    names = iter(["bob", "ann"])
    async with open_split() as split:
        world, _ = await split.begin(playing(lambda connection: enter(next(names))(connection)), "one")
        ann = await split.mud.player()
        await ann.type("two")
        await ann.sees("you say two")
        world.end.kill()
        following = await split.start_world(playing(lambda connection: None))
        assert [session.key for session in following.server.sessions] == ["ann"]
        await trio.sleep(1)
        assert "the session of 'bob' cannot be held for the next world" in caplog.text
