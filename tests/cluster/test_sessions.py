"""Sessions of a world that has died go on in the next one: no player logs in again."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Dialog,
    Duplicate,
    Hooks,
    Input,
    Limits,
    LinkLost,
    SessionEnded,
    SessionRestored,
    SessionResumed,
    SessionStarted,
    Started,
)
from trio_mud.accounts import AccountOptions, Accounts, Character, Login
from trio_mud.accounts.account import Account
from trio_mud.cluster.held_input import LONGEST_HOLD
from trio_mud.cluster.remote_link import RemoteLink
from trio_mud.cluster.world_listener import WorldListener
from trio_mud.commands import Commands
from trio_mud.driver.sessions.restoring import Continuation
from trio_mud.driver.sessions.session import Session
from trio_mud.mudlib import world as valley
from trio_mud.storage import Stored
from trio_mud.testing import Player
from trio_mud.testing.threads import settle
from trio_mud.transports import Transport
from trio_mud.world import Game, Traveller, World
from trio_mud.world.playing import play_by_name

from .conftest import RunningWorld, SplitServer, block, open_split


class AcceptsOne(WorldListener):
    """The listener of a world that dies before it accepts its second connection."""

    _has_accepted = False

    async def accept(self) -> Transport:
        if self._has_accepted:
            await trio.sleep_forever()
        self._has_accepted = True
        return await super().accept()


class Inn:
    """A game with a login, and a log of its events."""

    def __init__(self, *, restores: bool = True) -> None:
        self.log: list[str] = []
        self.hooks = hooks = Hooks()
        hooks.on(Connect)(lambda event: self.log.append("connect"))
        hooks.on(Admitted)(lambda event: event.connection.start_dialog(self.log_in))
        hooks.on(Input)(self.obey)
        hooks.on(SessionStarted)(lambda event: self.log.append(f"started {event.session.key}"))
        hooks.on(LinkLost)(lambda event: self.log.append(f"lost {event.session.key}"))
        hooks.on(SessionResumed)(lambda event: self.log.append(f"resumed {event.session.key}"))
        hooks.on(SessionEnded)(lambda event: self.log.append(f"ended {event.session.key} {event.cause}"))
        if restores:
            hooks.on(SessionRestored)(self.restore)

    async def log_in(self, dialog: Dialog) -> None:
        name = await dialog.ask("Name? ")
        dialog.connection.server.sessions.enter(name, dialog.connection, body=f"body of {name}", grace=60)
        dialog.connection.name = name

    def obey(self, event: Input) -> None:
        session = event.connection.session
        assert session is not None
        match event.line.split():
            case ["write"]:
                event.connection.start_dialog(self.write)
            case ["quit"]:
                session.leave("Farewell.")
            case words:
                event.connection.write(f"{event.connection.name}, {session.body}: {words}")

    async def write(self, dialog: Dialog) -> None:
        dialog.connection.write(f"noted: {await dialog.ask('Your line: ')}")

    def restore(self, event: SessionRestored) -> None:
        link = "live" if event.session.connection is not None else "dead"
        self.log.append(f"restored {event.session.key}, link {link}")
        event.session.body = f"new body of {event.session.key}"


async def test_a_player_plays_on_without_logging_in(autojump_clock: MockClock) -> None:
    first, second = Inn(), Inn()
    async with open_split() as split:
        world, ann = await split.begin(first.hooks, "ann")
        world.end.kill()
        await ann.type("look")
        await split.start_world(second.hooks)
        await ann.sees("ann, new body of ann: ['look']")
        assert second.log == ["restored ann, link live"]
        assert ann.screen.count("Name?") == 1
        assert "restarted" not in ann.screen

        await ann.type("quit")
        await ann.sees("Farewell.")
        await settle()
        assert second.log[-1] == "ended ann asked"
        assert split.cluster.held.all() == {}


async def test_a_third_world_restores_what_the_second_has_restored(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, _ = await split.begin(Inn().hooks, "ann")
        for _ in range(3):
            world.end.kill()
            inn = Inn()
            world = await split.start_world(inn.hooks)
            await settle()
            assert inn.log == ["restored ann, link live"]


async def test_a_player_in_a_dialog_is_notified_and_begins_it_again(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks, "ann", "write")
        await ann.sees("Your line:")
        world.end.kill()
        second = Inn()
        world = await split.start_world(second.hooks)
        await ann.sees(world.server.texts.world_restarted)
        await ann.type("look")
        await ann.sees("new body of ann: ['look']")


async def test_a_visitor_at_the_login_is_notified_and_begins_it_again(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks)
        await ann.sees("Name?")
        world.end.kill()
        second = Inn()
        world = await split.start_world(second.hooks)
        await ann.sees(world.server.texts.world_restarted)
        await ann.type("ann")
        await ann.type("look")
        await ann.sees("ann, body of ann: ['look']")
        assert second.log == ["connect", "started ann"]


async def test_a_link_dead_session_waits_for_the_rest_of_its_grace(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        await ann.vanish()
        await trio.sleep(20)
        world.end.kill()
        second = Inn()
        await split.start_world(second.hooks)
        await settle()
        assert second.log == ["restored ann, link dead"]
        await trio.sleep(38)
        assert len(second.log) == 1
        await trio.sleep(4)
        assert second.log[1] == f"ended ann {Cause.EXPIRED}"


@pytest.mark.parametrize(("skew", "least", "most"), [(-1000.0, 58, 61), (1000.0, 0, 2)])
async def test_clocks_that_differ_never_prolong_a_grace(
    autojump_clock: MockClock, skew: float, least: float, most: float
) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        await ann.vanish()
        await settle()
        world.end.kill()
        second = Inn()
        await split.start_world(second.hooks, wall_clock=lambda: trio.current_time() + skew)
        await trio.sleep(least)
        assert second.log == ["restored ann, link dead"]
        await trio.sleep(most - least)
        assert len(second.log) == 2


async def test_a_link_that_died_while_no_world_served_makes_its_session_link_dead(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        world.end.kill()
        await ann.vanish()
        await settle()
        second = Inn()
        await split.start_world(second.hooks)
        await settle()
        assert second.log[0].startswith("restored ann")
        bob = await split.mud.player()
        await bob.type("ann")
        await bob.type("look")
        await bob.sees("ann, new body of ann: ['look']")
        assert second.log[-1] == "resumed ann"


async def test_a_token_of_the_earlier_world_resumes_its_session(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        session = world.server.sessions.get("ann")
        assert session is not None
        token = session.resume_token(lifetime=100)
        await ann.vanish()
        await settle()
        world.end.kill()
        second = Inn()
        world = await split.start_world(second.hooks)
        second.hooks.on(Input)(lambda event: event.connection.write("never called"))
        bob = await split.mud.player()
        await settle()
        (connection,) = world.server.connections
        assert world.server.sessions.resume(token, connection).key == "ann"
        await settle()
        assert second.log == ["restored ann, link dead", "connect", "resumed ann"]
        await bob.sees("Name?")


async def test_a_game_that_restores_nothing_begins_at_the_login(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        world.end.kill()
        second = Inn(restores=False)
        await split.start_world(second.hooks)
        await settle()
        assert second.log == ["connect"]
        assert ann.screen.count("Name?") == 2
        assert split.cluster.held.all() == {}


async def test_a_session_that_another_link_entered_first_is_not_continued(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(command_rate=None)) as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        world.end.kill()
        second = Inn()
        second.hooks.on(Admitted)(lambda event: None)
        world = await split.start_world(second.hooks)
        session = world.server.sessions.get("ann")
        assert session is not None
        await settle()
        assert session.connection is not None
        bob = await split.mud.player()
        await bob.type("ann")
        await settle()
        assert second.log == ["restored ann, link live", "connect", "resumed ann"]
        assert world.server.texts.taken_over in ann.screen


async def test_a_link_that_was_about_to_continue_its_session_continues_it_in_the_next_world(
    autojump_clock: MockClock,
) -> None:
    """Two links share a session, and the world dies when it has accepted the first one."""
    async with open_split() as split:
        world, _ = await split.begin(Inn().hooks, "ann")
        await split.mud.player()
        await settle()
        (session,) = world.server.sessions
        (visitor,) = [connection for connection in world.server.connections if connection.session is None]
        world.server.sessions.enter("ann", visitor, on_duplicate=Duplicate.SHARE)
        session.write("you are two")
        await settle()
        assert len(session.connections) == 2
        world.end.kill()

        accepts_one = AcceptsOne()
        world = await split.start_world(Inn().hooks, listener=accepts_one)
        await settle()
        (session,) = world.server.sessions
        assert len(session.connections) == 1
        world.end.kill()

        third = Inn()
        world = await split.start_world(third.hooks)
        await settle()
        (session,) = world.server.sessions
        assert len(session.connections) == 2
        assert third.log == ["restored ann, link live"]


async def test_a_link_whose_session_another_one_entered_does_not_continue_it_in_a_later_world(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world, _ = await split.begin(Inn().hooks, "ann")
        other = await split.start_gateway("other")
        world.end.kill()
        release = block(split.gateway._end)  # type: ignore[arg-type]  # the end of a cluster link in memory
        world = await split.start_world(Inn().hooks)
        bob = await other.mud.player()
        await trio.sleep(2)  # lines wait for the roll of the first gateway, for a second
        await bob.type("ann")
        await settle()
        (connection,) = world.server.connections
        assert connection.session is world.server.sessions.get("ann")
        world.end.kill()
        third = Inn()
        world = await split.start_world(third.hooks)
        release()
        await settle()
        assert third.log == ["restored ann, link live", "connect"]


async def test_a_session_without_a_grace_plays_on_with_its_live_link(autojump_clock: MockClock) -> None:
    """Its connection comes with the roll, later than its grace would last."""

    class Strict(Inn):
        async def log_in(self, dialog: Dialog) -> None:
            dialog.connection.server.sessions.enter(await dialog.ask("Name? "), dialog.connection, grace=0)

    async with open_split(latency=1.5) as split:
        world = await split.start_world(Strict().hooks)
        ann = await split.mud.player()
        await ann.sees("Name?")
        await ann.type("ann", "look")
        await ann.sees("['look']")
        world.end.kill()
        second = Strict()
        world = await split.start_world(second.hooks)
        await split.mud.pass_time(8)
        assert second.log == ["restored ann, link live"]
        await ann.vanish()
        await split.mud.pass_time(8)
        assert second.log == ["restored ann, link live", "lost ann", f"ended ann {Cause.EXPIRED}"]


async def test_a_session_without_a_grace_ends_if_its_link_has_died_meanwhile(autojump_clock: MockClock) -> None:
    class Strict(Inn):
        async def log_in(self, dialog: Dialog) -> None:
            dialog.connection.server.sessions.enter(await dialog.ask("Name? "), dialog.connection, grace=0)

    async with open_split() as split:
        world, _ = await split.begin(Strict().hooks, "ann")
        world.end.kill()
        split.gateway._end.kill()  # type: ignore[attr-defined]  # the end of a cluster link in memory
        second = Strict()
        await split.start_world(second.hooks)
        await trio.sleep(10)
        assert second.log == ["restored ann, link dead", f"ended ann {Cause.EXPIRED}"]


class SlowInn(Inn):
    """A game that takes its time to restore a session, and in which everybody hears everybody."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.hooks.on(SessionRestored)(self.load)
        self.seconds = seconds

    def obey(self, event: Input) -> None:
        for session in event.connection.server.sessions:
            if session.body is not None:
                session.write(f"{event.connection.name} says {event.line}")

    async def load(self, event: SessionRestored) -> None:
        body, event.session.body = event.session.body, None
        if event.session.key == "bob":
            await trio.sleep(self.seconds)
        event.session.body = body


async def two_players(split: SplitServer) -> tuple[RunningWorld, Player, Player]:
    world, ann = await split.begin(SlowInn(0).hooks, "ann")
    bob = await split.mud.player()
    await bob.type("bob")
    await settle()
    return world, ann, bob


async def test_a_line_waits_until_the_functions_of_all_restored_sessions_have_ended(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world, ann, bob = await two_players(split)
        world.end.kill()
        await ann.type("hello")
        await split.start_world(SlowInn(3).hooks)
        await split.mud.pass_time(2.5)
        assert "hello" not in ann.screen
        await split.mud.pass_time(1)
        assert "ann says hello" in ann.screen
        assert "ann says hello" in bob.screen


async def test_a_function_that_restores_for_ever_holds_the_lines_of_others_for_a_while_only(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world, ann, bob = await two_players(split)
        world.end.kill()
        await ann.type("hello")
        await split.start_world(SlowInn(1000).hooks)
        await split.mud.pass_time(LONGEST_HOLD + 0.5)
        assert "ann says hello" in ann.screen
        assert "ann says hello" not in bob.screen


async def start_in_vain(split: SplitServer, game: Inn) -> None:
    """Start a world that fails to start."""
    with pytest.raises(RuntimeError):
        await split.start_world(game.hooks)
    await settle()


@pytest.mark.parametrize("restores", [True, False])
@pytest.mark.parametrize("seconds", [0.0, 4.0])
async def test_a_world_that_fails_to_start_leaves_all_sessions_to_the_next_one(
    autojump_clock: MockClock, seconds: float, restores: bool
) -> None:
    """Also one whose game has no function to restore them."""

    async def fail(event: Started) -> None:
        await trio.sleep(seconds)
        raise OSError("no map")

    failing, third = Inn(restores=restores), Inn()
    failing.hooks.on(Started)(fail)
    async with open_split(latency=0.1) as split:
        world = await split.start_world(Inn().hooks)
        ann, bob = await split.mud.player(), await split.mud.player()
        await ann.type("ann")
        await bob.type("bob")
        await split.mud.pass_time(2)
        await bob.vanish()
        await split.mud.pass_time(2)
        world.end.kill()
        await start_in_vain(split, failing)
        await split.start_world(third.hooks)
        await split.mud.pass_time(5)
        assert sorted(third.log) == ["restored ann, link live", "restored bob, link dead"]


async def test_a_world_that_fails_to_start_leaves_them_although_the_cluster_link_has_lost_its_data(
    autojump_clock: MockClock,
) -> None:
    failing, third = Inn(restores=False), Inn()

    async def lose_and_fail(event: Started) -> None:
        split.cluster.forget()
        await trio.sleep(4)
        raise OSError("no map")

    failing.hooks.on(Started)(lose_and_fail)
    async with open_split(latency=0.1) as split:
        world = await split.start_world(Inn().hooks)
        ann = await split.mud.player()
        await ann.type("ann")
        await split.mud.pass_time(2)
        world.end.kill()
        await start_in_vain(split, failing)
        await split.start_world(third.hooks)
        await split.mud.pass_time(5)
        assert third.log == ["restored ann, link live"]


async def test_the_wait_of_a_session_begins_when_its_world_has_started(autojump_clock: MockClock) -> None:
    """Its connection comes after that, and its player could not come before."""

    class Strict(Inn):
        async def log_in(self, dialog: Dialog) -> None:
            name, grace = await dialog.ask("Name? "), 0 if dialog.connection.number == 1 else 5
            dialog.connection.server.sessions.enter(name, dialog.connection, grace=grace)

    slow = Strict()

    for _ in range(3):  # each within `limits.hook_timeout`

        @slow.hooks.on(Started)
        async def load(event: Started) -> None:
            await trio.sleep(4)

    async with open_split(latency=0.1) as split:
        world = await split.start_world(Strict().hooks)
        ann, bob = await split.mud.player(), await split.mud.player()
        await ann.type("ann")
        await bob.type("bob")
        await split.mud.pass_time(2)
        await bob.vanish()
        await split.mud.pass_time(1)
        world.end.kill()
        await split.start_world(slow.hooks)
        await trio.sleep(0.9)
        assert sorted(slow.log) == ["restored ann, link live", "restored bob, link dead"]
        await trio.sleep(10)
        assert slow.log[2:] == [f"ended bob {Cause.EXPIRED}"]


async def test_a_player_who_left_before_the_sessions_were_restored_has_typed_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world, ann, bob = await two_players(split)
        world.end.kill()
        await ann.type("hello")
        await ann.type("farewell")
        await settle()
        await ann.vanish()
        await settle()
        inn = SlowInn(3)
        await split.start_world(inn.hooks)
        await split.mud.pass_time(2.5)
        assert "lost ann" not in inn.log  # its `Disconnect` waits, too
        await split.mud.pass_time(1)
        assert "ann says hello\nann says farewell" in bob.screen
        assert "lost ann" in inn.log
        assert split.gateway.unacknowledged == 0
        assert not list(split.gateway.waiting())


async def test_what_a_gateway_sent_before_it_died_is_handled_once_the_sessions_are_restored(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        world, _, bob = await two_players(split)
        second = await split.start_gateway("g1")
        cid = await second.mud.player()
        await cid.type("cid")
        await settle()
        world.end.kill()
        await cid.type("hello")
        inn = SlowInn(3)
        await split.start_world(inn.hooks)
        await split.mud.pass_time(1)
        await split.start_gateway("g1")  # another process, which knows nothing of cid
        await split.mud.pass_time(3)
        assert "cid says hello" in bob.screen
        assert "lost cid" in inn.log


async def test_a_world_that_closes_waits_for_no_session_before_the_last_lines(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world, ann, _ = await two_players(split)
        world.end.kill()
        await ann.type("hello")
        await ann.vanish()
        await settle()
        inn = SlowInn(1000)
        again = await split.start_world(inn.hooks)
        await split.mud.pass_time(0.5)
        again.server.shutdown()
        await split.mud.pass_time(0.1)
        assert "lost ann" in inn.log
        assert not list(split.gateway.waiting())


async def test_each_connection_of_a_shared_session_reads_the_answer_to_the_first_line(
    autojump_clock: MockClock,
) -> None:
    """Its second connection comes with the roll of another gateway, a little later."""
    async with open_split() as split:
        world, ann = await split.begin(SlowInn(0).hooks, "ann")
        other = await split.start_gateway("other")
        bob = await other.mud.player()
        await settle()
        (visitor,) = [connection for connection in world.server.connections if connection.session is None]
        world.server.sessions.enter("ann", visitor, on_duplicate=Duplicate.SHARE)
        (session,) = world.server.sessions
        session.write("you are two")
        await split.mud.pass_time(1)
        world.end.kill()
        release = block(other.service._end)  # type: ignore[arg-type]  # the end of a cluster link in memory
        await ann.type("hello")
        await split.start_world(SlowInn(0).hooks)
        await split.mud.pass_time(0.5)
        release()
        await split.mud.pass_time(3)
        assert "says hello" in ann.screen
        assert "says hello" in bob.screen


async def test_a_player_whose_session_another_connection_has_entered_is_notified(autojump_clock: MockClock) -> None:
    """The other one enters between the arrival of the player's connection and its acceptance."""
    second = Inn()
    async with open_split() as split:
        world, ann = await split.begin(Inn().hooks, "ann")
        world.end.kill()
        world = await split.start_world(second.hooks)
        session, settled = world.server.sessions.get("ann"), list[Session]()
        assert session is not None
        restoring = world.server.sessions._restoring

        arrive = world.service.listener.arrive

        def enter_first(link: RemoteLink, continues: Continuation | None) -> None:
            if continues is not None:
                settled.append(continues.session)
                restoring.settle(continues.session)  # as `enter` of another connection does
            arrive(link, continues)

        world.service.listener.arrive = enter_first  # type: ignore[method-assign]
        await settle()
        await trio.sleep(3)
        assert settled == [session]
        assert ann.screen.count(world.server.texts.world_restarted) == 1
        assert ann.screen.count("Name?") == 2


async def test_a_visitor_of_a_gateway_that_has_started_again_is_not_taken_for_a_player(
    autojump_clock: MockClock,
) -> None:
    """Its connections have the numbers of the earlier ones."""
    async with open_split() as split:
        world, _ = await split.begin(Inn().hooks, "ann")
        world.end.kill()
        split.gateway._end.kill()  # type: ignore[attr-defined]  # the end of a cluster link in memory
        again = await split.start_gateway("gateway")
        bob = await again.mud.player()
        second = Inn()
        await split.start_world(second.hooks)
        await settle()
        (former,), (later,) = split.mud.server.connections, again.mud.server.connections
        assert former.number == later.number
        assert sorted(second.log) == ["connect", "restored ann, link dead"]
        assert "Name?" in bob.screen


async def test_a_player_is_not_one_too_many_beside_a_lost_link_of_the_same_address(autojump_clock: MockClock) -> None:
    """The next world is given the last lines of the lost link, too, and meets that one first."""

    async def obey(event: Input) -> None:
        if event.line == "enter":
            event.connection.server.sessions.enter("ann", event.connection)
        else:
            await trio.sleep(10)

    def game() -> Hooks:
        hooks = Hooks()
        hooks.on(Input)(obey)
        hooks.on(SessionRestored)(lambda event: event.session.write(f"you are {event.session.key}"))
        return hooks

    async with open_split(limits=Limits(max_per_address=1)) as split:
        world = await split.start_world(game())
        lost = await split.mud.player()
        await lost.type("wait", "wait")
        await settle()
        await lost.vanish()
        await settle()
        ann = await lost.come_back()
        await ann.type("enter")
        await settle()
        world.end.kill()
        await split.start_world(game())
        await settle()
        assert "you are ann" in ann.screen


# Games


class Drinker(Character):
    gold: int = 0


def tavern(world: World) -> Hooks:
    """A game with accounts, in which players earn gold."""
    accounts = Accounts.of(world, Drinker)
    hooks = Hooks()
    hooks.include(accounts.hooks)
    hooks.on(Admitted)(lambda event: event.connection.start_dialog(Login(accounts).run))

    @hooks.on(Input)
    def earn(event: Input) -> None:
        session = event.connection.session
        assert session is not None
        assert isinstance(session.body, Drinker)
        session.body.gold += 1
        event.connection.write(f"{session.body.name} of {accounts.account_of(session)!r} has {session.body.gold}")

    return hooks


CHEAP = AccountOptions(hash_memory=8, hash_passes=1, plain="allow")
TAVERN = Game(tavern, records=(*Accounts.records, Drinker))


async def answer(player: Player, *lines: str) -> None:
    for line in lines:
        await player.catches_up()
        await player.type(line)
    await settle()


async def test_a_character_of_an_account_plays_on(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_split() as split:
        world = await split.start_game(TAVERN, stored, options=(CHEAP,))
        ann = await split.mud.player()
        await answer(ann, "new", "Ann", "correct horse", "correct horse", "earn")
        assert "Ann of <Account 'ann'> has 1" in ann.screen
        for gold in (2, 3):
            world.kill()
            await ann.type("earn")
            world = await split.start_game(TAVERN, stored, options=(CHEAP,))
            await ann.sees(f"Ann of <Account 'ann'> has {gold}")
        assert ann.screen.count("Name:") == 1

        bob = await split.mud.player()  # the account is in the game, and its player may log in elsewhere
        await answer(bob, "ann", "correct horse", "earn")
        assert "Ann of <Account 'ann'> has 4" in bob.screen


async def test_a_guest_plays_on_under_the_same_name(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_split() as split:
        world = await split.start_game(TAVERN, stored, options=(CHEAP,))
        ann = await split.mud.player()
        await answer(ann, "guest", "Ann", "earn")
        assert "Ann of None has 1" in ann.screen
        world.kill()
        await split.start_game(TAVERN, stored, options=(CHEAP,))
        await ann.type("earn")
        await ann.sees("Ann of None has 1")  # a guest's body is not stored


async def test_a_deleted_account_does_not_play_on(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_split() as split:
        world = await split.start_game(TAVERN, stored, options=(CHEAP,))
        ann = await split.mud.player()
        await answer(ann, "new", "Ann", "correct horse", "correct horse", "earn")
        account = World.of(world.server).store.get(Account, "ann")
        assert account is not None
        account.is_deleted = True
        await World.of(world.server).store.saved()
        world.kill()
        world = await split.start_game(TAVERN, stored, options=(CHEAP,))
        await ann.sees(world.server.texts.login_gone)


class Wanderer(Traveller):
    steps: int = 0


async def test_a_traveller_plays_on_where_it_was(autojump_clock: MockClock) -> None:
    commands = Commands[Wanderer]()

    @commands.verb("step")
    def step(who: Wanderer) -> None:
        who.steps += 1
        who.write(f"{who.name} has made {who.steps} steps, in {who.place!r}")

    game = Game(lambda world: play_by_name(Wanderer, commands), records=(Wanderer,))
    stored = Stored()
    async with open_split() as split:
        world = await split.start_game(game, stored)
        ann = await split.mud.player()
        await answer(ann, "Ann", "step")
        assert "Ann has made 1 steps" in ann.screen
        world.kill()
        await ann.type("step")
        await split.start_game(game, stored)
        await ann.sees("Ann has made 2 steps")


async def test_the_bundled_world_goes_on_unseen(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_split() as split:
        world = await split.start_game(valley, stored)
        ann, bob = await split.mud.player(), await split.mud.player()
        await answer(ann, "Ann")
        await answer(bob, "Bob")
        await ann.catches_up()
        world.kill()
        await split.start_game(valley, stored)
        await ann.type("say hello")
        await ann.sees("You say")
        await bob.sees("hello")
        assert "restarted" not in ann.screen + bob.screen


async def test_the_time_of_the_world_goes_on(autojump_clock: MockClock) -> None:
    stored = Stored()
    async with open_split() as split:
        world = await split.start_game(valley, stored)
        await trio.sleep(100)
        await settle()
        before = World.of(world.server).clock.now
        world.kill()
        await trio.sleep(1000)
        world = await split.start_game(valley, stored)
        assert before - 60 <= World.of(world.server).clock.now <= before + 1
