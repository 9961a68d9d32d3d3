"""World time, and calls that are due over restarts and crashes."""

from __future__ import annotations

import json

import pytest
import trio

from trio_mud.storage import Stored
from trio_mud.testing import OpenMud
from trio_mud.world import Thing, World, every, world
from trio_mud.world.world import RUNS

from .village import Cottager, Lantern, Sentry, game, lantern_of, room, the


async def test_a_due_call_is_made_once_at_its_time(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern = lantern_of(place)
        lantern.after(100, lantern.burn_out)
        await place.pass_time(99.9)
        assert lantern.times_out == 0
        await place.pass_time(0.2)
        assert (lantern.times_out, lantern.due) == (1, ())
        await place.pass_time(300)
        assert lantern.times_out == 1


async def test_a_second_after_replaces_the_first(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern = lantern_of(place)
        lantern.after(10, lantern.burn_out)
        lantern.after(50, lantern.burn_out)
        await place.pass_time(20)
        assert lantern.times_out == 0
        await place.pass_time(100)
        assert lantern.times_out == 1


async def test_a_cancelled_call_is_not_made(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern = lantern_of(place)
        lantern.after(10, lantern.burn_out)
        lantern.cancel(lantern.burn_out)
        lantern.cancel(lantern.burn_out)
        await place.pass_time(20)
        assert lantern.times_out == 0


async def test_the_calls_of_the_destroyed_are_not_made(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern, sentry = lantern_of(place), the(place, "sentry")
        assert isinstance(sentry, Sentry)
        lantern.after(10, lantern.burn_out)
        lantern.destroy()
        sentry.destroy()
        await place.pass_time(100)
        assert (lantern.times_out, sentry.steps) == (0, 0)


async def test_world_time_stands_still_while_no_server_runs(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern = lantern_of(place)
        lantern.after(100, lantern.burn_out)
        await place.pass_time(40)
        now = lantern.world.clock.now
    await trio.sleep(1000)
    async with mud(game, storage=place.storage) as again:
        lantern = lantern_of(again)
        assert lantern.world.clock.now == pytest.approx(now, abs=0.1)
        await again.pass_time(59)
        assert lantern.times_out == 0
        await again.pass_time(2)
        assert lantern.times_out == 1


@pytest.mark.parametrize("killed_at", [0.5, 1.5, 30, 61, 99.5, 100.5, 101.5, 150])
async def test_a_due_call_survives_a_kill_and_is_made_once(mud: OpenMud, killed_at: float) -> None:
    async with mud(game) as place:
        await place.pass_time(5)
        lantern = lantern_of(place)
        lantern.after(100, lantern.burn_out)
        await place.store.saved()
        await place.pass_time(killed_at)
        await place.kill()
    async with mud(game, storage=place.storage) as again:
        lantern = lantern_of(again)
        # The clock was set back by a minute at most, and never before the moment of the setting.
        left = 100 - killed_at
        await again.pass_time(max(0.0, left) + 61)
        assert lantern.times_out == 1
        await again.pass_time(200)
        assert lantern.times_out == 1


async def test_a_crash_sets_the_clock_back_by_a_minute_at_most(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.pass_time(500)
        before = World.of(place.server).clock.now
        await place.kill()
    async with mud(game, storage=place.storage) as again:
        assert before - 62 <= World.of(again.server).clock.now <= before + 1


async def test_methods_with_every_are_called_while_the_thing_is_in_the_world(mud: OpenMud) -> None:
    async with mud(game) as place:
        sentry = the(place, "sentry")
        assert isinstance(sentry, Sentry)
        await place.pass_time(29)
        assert sentry.steps == 0
        for steps in (1, 2, 3):
            await place.pass_time(30)
            assert sentry.steps == steps


async def test_what_a_traveller_carries_stands_still_while_it_is_away(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = body
        lantern.after(100, lantern.burn_out)
        await place.pass_time(40)
        await ann.vanish()
        await place.pass_time(1000)
        await place.player(address="10.0.0.1")
        lantern = lantern_of(place)
        await place.pass_time(58)
        assert lantern.times_out == 0
        await place.pass_time(4)
        assert lantern.times_out == 1


async def test_a_traveller_killed_with_its_server_loses_no_time(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = body
        lantern.after(100, lantern.burn_out)
        await place.pass_time(40)
        await place.kill()
    async with mud(game, storage=place.storage) as again:
        await again.pass_time(500)
        ann = await again.player(address="10.0.0.1")
        await ann.type("save")  # else the connection would end, because it sends nothing
        lantern = lantern_of(again)
        await again.pass_time(59)
        assert lantern.times_out == 0
        await again.pass_time(60)
        assert lantern.times_out == 1


async def test_a_thing_given_to_an_absent_traveller_waits_for_it(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        await ann.vanish()
        await place.pass_time(50)
        body = await place.store.load(Cottager, "cottager 10.0.0.1")
        lantern = lantern_of(place)
        lantern.after(10, lantern.burn_out)
        lantern.place = body
        await place.pass_time(200)
        assert lantern.times_out == 0
        await place.player(address="10.0.0.1")
        await place.pass_time(9)
        assert lantern.times_out == 0
        await place.pass_time(2)
        assert lantern.times_out == 1


async def test_a_thing_taken_from_an_absent_traveller_goes_on(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = body
        lantern.after(100, lantern.burn_out)
        await ann.vanish()
        await place.pass_time(50)
        lantern.place = room(place, "pond")
        await place.pass_time(98)
        assert lantern.times_out == 0
        await place.pass_time(4)
        assert lantern.times_out == 1


async def test_a_call_that_fails_costs_itself_only(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    async with mud(game, allow_errors=True) as place:
        lantern = lantern_of(place)
        lantern.after(5, lantern.explode)
        lantern.after(5, lantern.burn_out)
        await place.pass_time(6)
        assert lantern.times_out == 1
    assert "explode of <Lantern" in caplog.text
    assert "as asked" in caplog.text


async def test_others_have_their_turn_between_many_calls(mud: OpenMud) -> None:
    seen: list[int] = []
    async with mud(game) as place:
        world = World.of(place.server)
        lanterns = [world.make("lantern") for _ in range(1000)]
        for lantern in lanterns:
            assert isinstance(lantern, Lantern)
            lantern.after(5, lantern.burn_out)

        def count() -> None:
            seen.append(sum(isinstance(lantern, Lantern) and lantern.times_out for lantern in lanterns))
            if seen[-1] < 1000:
                place.server.after(0, count)

        place.server.after(5, count)
        await place.pass_time(6)
    assert seen[-1] == 1000
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) <= 128


async def test_postponing_often_leaves_no_growing_heap(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern = lantern_of(place)
        for _ in range(5000):
            lantern.after(1000, lantern.burn_out)
        assert len(lantern.world.clock._heap) < 300


async def test_only_methods_of_the_thing_itself_can_be_due(mud: OpenMud) -> None:
    async with mud(game) as place:
        lantern = lantern_of(place)
        other = World.of(place.server).make("lantern")
        assert isinstance(other, Lantern)
        for function in (lambda: None, other.burn_out, print):
            with pytest.raises(ValueError, match="only a method's name survives a restart"):
                lantern.after(5, function)
        with pytest.raises(TypeError, match="wait is async; make it a plain def"):
            lantern.after(5, lantern.wait)
        for seconds in (-1, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="write a number of seconds"):
                lantern.after(seconds, lantern.burn_out)


def test_a_thing_in_no_world_has_no_time() -> None:
    lantern = Lantern()
    with pytest.raises(LookupError, match=r"add it with world.add"):
        lantern.after(5, lantern.burn_out)


def test_periods_are_checked_when_they_are_declared() -> None:
    with pytest.raises(ValueError, match="shortest period"):
        every(0)

    async def act(self: Thing) -> None: ...

    with pytest.raises(TypeError, match="act is async"):
        every(5)(act)


async def test_the_time_of_a_traveller_stands_still_from_the_crash_on_however_many_runs_follow(mud: OpenMud) -> None:
    async with mud(game) as place:
        await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = body
        lantern.after(100, lantern.burn_out)
        await place.pass_time(40)
        await place.kill()
    async with mud(game, storage=place.storage) as second:
        await second.pass_time(500)
    async with mud(game, storage=second.storage) as third:
        await third.pass_time(500)
        await third.kill()
    async with mud(game, storage=third.storage) as fourth:
        ann = await fourth.player(address="10.0.0.1")
        await ann.type("save")
        lantern = lantern_of(fourth)
        await fourth.pass_time(58)
        assert lantern.times_out == 0
        await fourth.pass_time(60)
        assert lantern.times_out == 1


async def test_the_times_of_crashes_are_bounded_and_a_long_absence_counts_from_the_oldest_kept(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "MAX_CRASHES", 3)
    storage: Stored | None = None
    crashes: list[bytes] = []
    for number in range(6):
        async with mud(game, storage=storage) as place:
            if number == 0:
                await place.player(address="10.0.0.1")
                (body,) = place.store.all(Cottager)
                lantern = lantern_of(place)
                lantern.place = body
                lantern.after(100, lantern.burn_out)
            await place.pass_time(60)
            await place.kill()
            storage, crashes = place.storage, [*crashes, place.storage.values[RUNS]]
    assert [len(json.loads(value)["crashes"]) for value in crashes] == [0, 1, 2, 3, 3, 3]
    async with mud(game, storage=storage) as place:
        ann = await place.player(address="10.0.0.1")
        await ann.type("save")
        (body,) = place.store.all(Cottager)
        assert body.run == 6
        assert lantern_of(place).times_out == 0


async def test_a_thing_given_from_one_absent_traveller_to_another_loses_no_time(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        bob = await place.player(address="10.0.0.2")
        one, two = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = one
        lantern.after(100, lantern.burn_out)
        await ann.vanish()
        await place.pass_time(40)
        await bob.vanish()
        await place.pass_time(50)
        lantern.place = two
        await place.pass_time(50)
        bob = await place.player(address="10.0.0.2")
        await bob.type("save")  # else the connection would end, because it sends nothing
        await place.pass_time(98)
        assert lantern.times_out == 0
        await place.pass_time(4)
        assert lantern.times_out == 1


async def test_a_thing_that_is_away_can_be_given_no_call(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = body
        await ann.vanish()
        await place.pass_time(5)
        with pytest.raises(LookupError, match="or wait until its traveller is back"):
            lantern.after(5, lantern.burn_out)


async def test_a_due_call_whose_method_is_gone_is_reported_and_not_made(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    async with mud(game) as place:
        lantern = lantern_of(place)
        lantern.after(30, lantern.burn_out)
        lantern.due = (("melt", lantern.due[0][1]), *lantern.due)
        await place.store.saved()
    async with mud(game, storage=place.storage) as again:
        await again.pass_time(40)
        assert lantern_of(again).times_out == 1
        assert lantern_of(again).due == ()
    assert "has no method 'melt' any more, and its due call is not made" in caplog.text


async def test_a_thing_that_comes_back_after_a_crash_waits_no_longer_than_it_was_set_for(mud: OpenMud) -> None:
    """The new time of its call is stored together with the time of the world."""
    async with mud(game) as place:
        ann = await place.player(address="10.0.0.1")
        (body,) = place.store.all(Cottager)
        lantern = lantern_of(place)
        lantern.place = body
        lantern.after(10, lantern.burn_out)
        await ann.vanish()
        await place.pass_time(30)
        lantern.place = room(place, "barn")
        await place.store.saved()
        await place.kill()
    async with mud(game, storage=place.storage) as again:
        await again.pass_time(11)
        assert lantern_of(again).times_out == 1


async def test_a_method_that_fails_for_many_things_is_logged_once_in_a_while(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    async with mud(game, allow_errors=True) as place:
        for lantern in [World.of(place.server).make("lantern", room(place, "green")) for _ in range(200)]:
            assert isinstance(lantern, Lantern)
            lantern.after(5, lantern.explode)
            lantern.after(6, lantern.burn_out)
        await place.pass_time(7)
        assert caplog.text.count("Traceback") == 1
        assert sum(isinstance(thing, Lantern) and thing.times_out for thing in place.store.all(Thing)) == 200
