"""Games whose players enter by name alone."""

from __future__ import annotations

import pytest

from trio_mud import SessionEnded, SessionStarted
from trio_mud.commands import Commands
from trio_mud.testing import OpenMud
from trio_mud.world import Game, StandardVerbs, Traveller, play_by_name

from .village import MAP, Cottager, Sentry


def game_of(seen: list[str]) -> Game:
    commands = Commands[Cottager]()
    commands.include(StandardVerbs())

    @commands.verb("leave")
    def leave(who: Cottager) -> None:
        assert who.session is not None
        who.session.leave("Bye.")

    hooks = play_by_name(Cottager, commands)

    @hooks.on(SessionStarted)
    def begin(event: SessionStarted) -> None:
        commands.run(event.session.body, "look")  # type: ignore[arg-type]

    @hooks.on(SessionEnded)
    def end(event: SessionEnded) -> None:
        assert isinstance(event.session.body, Traveller)
        seen.append(f"{event.session.body} left {event.session.body.room}")

    return Game(hooks, records=(Sentry,), maps=(MAP,))


async def test_a_player_gives_a_name_plays_and_is_known_after_a_restart(mud: OpenMud) -> None:
    seen: list[str] = []
    async with mud(game_of(seen)) as place:
        ann = await place.player()
        await ann.sees("By what name? ")
        await ann.type("aNN", "leave")
        await ann.sees("The Green")
        assert "Bye." in await ann.sees_the_end()
        assert seen == ["Ann left The Green"]
        assert not place.store._contents.holds
    async with mud(game_of(seen), storage=place.storage) as again:
        ann = await again.player()
        await ann.type("ann", "inventory")
        await ann.sees("You carry nothing.")
        assert [body.name for body in again.store.all(Cottager)] == ["Ann"]


@pytest.mark.parametrize("name", ["", "A", "Ann Bell", "Ann7", "\u0410nn", "x" * 17, "../ann"])
async def test_what_is_no_name_is_asked_again(mud: OpenMud, name: str) -> None:
    async with mud(game_of([])) as place:
        ann = await place.player()
        await ann.type(name)
        await ann.sees("A name ")
        await ann.type("Ann")
        await ann.sees("The Green")


async def test_a_visitor_who_gives_no_name_is_shown_out(mud: OpenMud) -> None:
    async with mud(game_of([])) as place:
        ann, bob = await place.player(), await place.player()
        await ann.type("1", "2", "3", "4", "5")
        assert "That did not work." in await ann.sees_the_end()
        await bob.sees("By what name? ")
        await place.pass_time(130)
        await bob.sees_the_end()
        assert list(place.store.all(Cottager)) == []


async def test_the_same_name_takes_over_and_the_body_is_held_once(mud: OpenMud) -> None:
    async with mud(game_of([])) as place:
        ann, other = await place.player(), await place.player()
        await place.race(lambda: ann.type("Ann"), lambda: other.type("Ann"))
        await place.pass_time(1)
        (body,) = place.store.all(Cottager)
        assert place.store._contents.holds == {body: 1}
        assert len(place.server.sessions) == 1
        place.server.sessions.get("ann").leave("Bye.")  # type: ignore[union-attr]
        await place.pass_time(1)
        assert not place.store._contents.holds
