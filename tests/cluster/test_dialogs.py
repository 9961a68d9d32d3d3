"""A dialog ends with its world: nobody asks its question any more, and its lines are no commands of the next world."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from trio_mud import Admitted, Cause, Dialog, Disconnect, Hooks, Input, SessionRestored, Texts
from trio_mud.cluster import forwarder
from trio_mud.cluster.wire import InputDiscarded
from trio_mud.driver.connection.line_taker import BorrowedLines
from trio_mud.driver.link.base import LinkEvent
from trio_mud.testing import Player
from trio_mud.testing.memory_cluster import ALIVE, MemoryGatewayEnd
from trio_mud.testing.threads import settle

from .conftest import open_split

CANARY = "sesame-4711"
NOTICE = Texts().world_restarted


class Bank:
    """A game whose players are asked for a password within the game, and which may have sessions.

    Attributes:
        heard: The lines that became commands.
    """

    def __init__(self, *, has_sessions: bool = True) -> None:
        self.heard: list[str] = []
        self.hooks = hooks = Hooks()
        self._has_sessions = has_sessions
        hooks.on(Admitted)(self._admit)
        hooks.on(Input)(self._obey)
        if has_sessions:
            hooks.on(SessionRestored)(lambda event: None)

    def _admit(self, event: Admitted) -> None:
        if self._has_sessions:
            event.connection.server.sessions.enter(event.connection.number, event.connection)
        event.connection.write("Welcome.")

    def _obey(self, event: Input) -> None:
        connection = event.connection
        self.heard.append(event.line)
        match event.line:
            case "pay":
                connection.start_dialog(self._pay)
            case "wait":
                connection.start_dialog(self._wait)
            case "hide":
                connection.hide_input(True)
                connection.prompt("Password: ")
            case "lend":
                connection.take_lines(Silent())
            case line:
                connection.write(f"heard {line}")

    async def _pay(self, dialog: Dialog) -> None:
        sum_ = await dialog.ask("How much? ")
        await dialog.ask_hidden("Password: ")
        dialog.connection.write(f"paid {sum_}")

    async def _wait(self, dialog: Dialog) -> None:
        """Ask nothing for a while."""
        await trio.sleep(60)


class Silent:
    """A line taker that never asks."""

    asks_hidden = False
    has_begun = True
    is_asking = False
    lines: BorrowedLines

    def answer(self, line: str) -> None: ...
    def received(self, event: LinkEvent) -> None: ...
    def show_input(self) -> None: ...
    def give_way(self) -> None: ...


def since_notice(player: Player) -> str:
    """What a player has read since the notice, which came once."""
    assert player.screen.count(NOTICE) == 1
    return player.screen.partition(NOTICE)[2]


async def looks_first(player: Player, game: Bank) -> None:
    """A command of the player is the first one of this game: nothing typed before it has become one."""
    await player.type("look")
    await player.sees("heard look")
    assert game.heard == ["look"]


@pytest.mark.parametrize("has_sessions", [True, False])
async def test_the_prompt_of_a_dead_dialog_is_never_shown_again(autojump_clock: MockClock, has_sessions: bool) -> None:
    async with open_split() as split:
        world, ann = await split.begin(Bank(has_sessions=has_sessions).hooks, "pay", "100")
        await ann.sees("Password: ")
        world.end.kill()
        world = await split.start_world(Bank(has_sessions=has_sessions).hooks)
        await ann.sees(NOTICE)
        assert not ann.input_hidden
        (connection,) = world.server.connections
        connection.write("It rains.")
        await settle()
        assert ann.screen.count("Password: ") == 1
        assert since_notice(ann).splitlines()[-1] == "It rains."


@pytest.mark.parametrize("has_sessions", [True, False])
@pytest.mark.parametrize("begin", ["pay", "wait", "lend", "hide"])
async def test_a_password_typed_ahead_of_its_question_is_no_command_of_the_next_world(
    autojump_clock: MockClock, begin: str, has_sessions: bool
) -> None:
    second = Bank(has_sessions=has_sessions)
    async with open_split() as split:
        world, ann = await split.begin(Bank(has_sessions=has_sessions).hooks, begin)
        world.end.kill()
        await ann.type("100", CANARY)
        await settle()
        await split.start_world(second.hooks)
        await ann.sees(NOTICE)
        await trio.sleep(3)
        await looks_first(ann, second)
        assert since_notice(ann).count("Password: ") == 0


async def test_more_than_a_window_of_lines_for_a_dead_dialog_is_dropped(autojump_clock: MockClock) -> None:
    second = Bank()
    async with open_split() as split:
        world, ann = await split.begin(Bank().hooks, "pay")
        world.end.kill()
        split.mud.nursery.start_soon(ann.send, b"".join(b"%d\r\n" % number for number in range(300)))
        await settle()
        await split.start_world(second.hooks)
        await ann.sees(NOTICE)
        await trio.sleep(3)
        await ann.type("look")
        await ann.sees("heard look")
        assert second.heard[-1] == "look"
        assert "0" not in second.heard
        (peer,) = split.gateway._peers.values()
        assert not peer.forwarder.unacknowledged


async def test_two_worlds_that_die_drop_the_lines_and_notify_once(autojump_clock: MockClock) -> None:
    second, third = Bank(), Bank()
    async with open_split(latency=0.1) as split:
        world, ann = await split.begin(Bank().hooks)
        await ann.type("pay")
        await ann.sees("How much? ")
        world.end.kill()
        await ann.type("100", CANARY)
        await trio.sleep(1)
        world = await split.start_world(second.hooks)
        await trio.sleep(0.05)  # it asks for the roll
        world.end.kill()
        await split.start_world(third.hooks)
        await ann.sees(NOTICE)
        await trio.sleep(3)
        await looks_first(ann, third)
        since_notice(ann)


@pytest.mark.parametrize("commits", range(1, 14))
@pytest.mark.parametrize("begin", ["pay", "lend", "hide"])
async def test_a_secret_is_no_command_whenever_the_world_dies(
    autojump_clock: MockClock, begin: str, commits: int
) -> None:
    """The line that begins the dialog is typed just before; it takes effect once, and the secret never does."""
    games: list[Bank] = []
    async with open_split(latency=0.01) as split:
        games.append(Bank())
        world = await split.start_world(games[-1].hooks)
        ann = await split.mud.player()
        for line in ("one", "two", begin, CANARY, CANARY):
            await ann.type(line)
            await trio.sleep(0.004)
            if split.cluster.commits >= commits and not world.end._is_dead:
                world.end.kill()
                games.append(Bank())
                await split.start_world(games[-1].hooks)
        await trio.sleep(5)
        acknowledged = games[-1].heard if len(games) > 1 else []
        if begin == "hide" and begin in acknowledged:  # the game itself takes the lines that follow
            acknowledged = acknowledged[: acknowledged.index(begin)]
        assert CANARY not in acknowledged


@pytest.mark.parametrize("crowd", [0, 1, 2])
async def test_the_answer_that_an_earlier_world_has_asked_for_does_not_end_the_dropping(
    autojump_clock: MockClock, crowd: int
) -> None:
    """The second world drops the lines of the first one's dialog, and dies in a dialog of its own."""
    first, second, third = Bank(), Bank(), Bank()

    def begin_again(event: SessionRestored) -> None:
        if event.session.connection is not None:
            event.session.connection.start_dialog(second._pay)

    second.hooks.on(SessionRestored)(begin_again)
    async with open_split(latency=0.01) as split:
        world = await split.start_world(first.hooks)
        ann = await split.mud.player()
        for _ in range(crowd):  # with a second connection, input is passed on before the request is committed
            await split.mud.player()
        await trio.sleep(1)
        await ann.type("pay")
        await ann.sees("How much? ")
        world.end.kill()
        await ann.type("100")
        await trio.sleep(0.1)
        world = await split.start_world(second.hooks)
        await ann.sees(NOTICE)
        world.end.kill()
        await ann.type("100", CANARY)
        await trio.sleep(1)
        await split.start_world(third.hooks)
        await trio.sleep(6)
        await looks_first(ann, third)


@pytest.mark.parametrize("how_long", [0.0, 2.0])
async def test_the_answer_for_a_game_that_has_dropped_input_does_not_end_the_dropping(
    autojump_clock: MockClock, how_long: float
) -> None:
    """The roll brings the answer and the secret behind it before the next world makes its own request."""
    first, second = Bank(), Bank()

    def drop_and_ask(event: Input) -> None:
        if event.line == "safe":
            event.connection._inbox.discard_lines()
            event.connection.start_dialog(first._pay)

    first.hooks.on(Input)(drop_and_ask)
    async with open_split(latency=0.1) as split:
        other = await split.start_gateway("other")
        world = await split.start_world(first.hooks)
        await other.mud.player()
        ann = await split.mud.player()
        await trio.sleep(1)
        await ann.type("safe")
        await ann.sees("How much? ")
        world.end.kill()
        await ann.type("100", CANARY)
        await trio.sleep(1)
        end = other.service._end
        assert isinstance(end, MemoryGatewayEnd)
        end.cut(how_long)  # the next world waits for its roll, and passes no input on
        await split.start_world(second.hooks)
        await ann.sees(NOTICE)
        await trio.sleep(5)
        await looks_first(ann, second)


async def test_the_answer_of_a_gateway_of_an_earlier_version_ends_the_dropping(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not tell which request it answers."""
    first, second = Bank(), Bank()
    monkeypatch.setattr(forwarder, "InputDiscarded", lambda link, number, _: InputDiscarded(link, number))
    async with open_split() as split:
        world, ann = await split.begin(first.hooks, "pay")
        world.end.kill()
        await ann.type("100", CANARY)
        await settle()
        await split.start_world(second.hooks)
        await ann.sees(NOTICE)
        await trio.sleep(1)
        await looks_first(ann, second)


@pytest.mark.parametrize("pause", [0.0, 0.04, 0.08, 0.2])
async def test_no_line_after_the_notice_is_dropped_if_the_cluster_link_loses_its_data(
    autojump_clock: MockClock, pause: float
) -> None:
    """The world repeats its request, since the answer may be lost; the gateway has obeyed it."""
    first, second = Bank(), Bank()
    async with open_split(latency=0.1) as split:
        world = await split.start_world(first.hooks)
        ann = await split.mud.player()
        await trio.sleep(1)
        await ann.type("wait")
        await trio.sleep(1)
        world.end.kill()
        world = await split.start_world(second.hooks)
        await ann.sees(NOTICE)
        await ann.type("one")
        await trio.sleep(pause)
        await ann.type("two")
        split.cluster.forget()
        (connection,) = world.server.connections
        connection.write("It rains.")  # the next commit finds it
        await trio.sleep(0.2)
        await ann.type("three")
        await trio.sleep(5)
        assert second.heard == ["one", "two", "three"]


async def test_a_dialog_goes_on_when_the_cluster_link_loses_its_data(autojump_clock: MockClock) -> None:
    """Its world lives, and asks for the roll as a new one does."""
    bank = Bank()
    async with open_split() as split:
        world, ann = await split.begin(bank.hooks, "pay", "100")
        await ann.sees("Password: ")
        split.cluster.forget()
        (connection,) = world.server.connections
        connection.write("It rains.")  # the next commit finds it
        await split.mud.pass_time(3)
        assert ann.screen.endswith("It rains.\nPassword: ")
        assert ann.input_hidden
        await ann.type(CANARY)
        await ann.sees("paid 100")
        assert NOTICE not in ann.screen
        assert bank.heard == ["pay"]


async def test_a_dialog_that_begins_while_the_link_has_lost_its_data_is_known_to_the_gateway(
    autojump_clock: MockClock,
) -> None:
    second = Bank()
    async with open_split() as split:
        world, ann = await split.begin(Bank().hooks)
        split.cluster.forget()
        (connection,) = world.server.connections
        connection.write("It rains.")
        await settle()
        await ann.type("pay")
        await ann.sees("How much? ")
        world.end.kill()
        await ann.type(CANARY)
        await settle()
        await split.start_world(second.hooks)
        await ann.sees(NOTICE)
        await trio.sleep(3)
        assert second.heard == []


async def test_the_dialog_of_a_gateway_that_is_given_up_and_returns_is_over(autojump_clock: MockClock) -> None:
    """Its connection was lost, and arrives as a new one."""
    bank = Bank(has_sessions=False)
    async with open_split() as split:
        _, ann = await split.begin(bank.hooks, "pay")
        end = split.gateway._end
        assert isinstance(end, MemoryGatewayEnd)
        end.cut(ALIVE + 1)
        await ann.type("100", CANARY)
        await split.mud.pass_time(ALIVE + 5)
        assert bank.heard == ["pay"]
        await ann.type("look")
        await ann.sees("heard look")
        since_notice(ann)


@pytest.mark.parametrize("leave", ["vanish", "hang_up"])
async def test_the_lines_of_a_dialog_whose_player_has_left_are_no_commands(
    autojump_clock: MockClock, leave: str
) -> None:
    second, ended = Bank(), list[Disconnect]()
    second.hooks.on(Disconnect)(ended.append)
    async with open_split() as split:
        world, ann = await split.begin(Bank().hooks, "pay")
        world.end.kill()
        await ann.type("100", CANARY)
        await settle()
        await getattr(ann, leave)()
        await settle()
        await split.start_world(second.hooks)
        await trio.sleep(10)
        assert second.heard == []
        assert [event.cause for event in ended] == [Cause.RESET if leave == "vanish" else Cause.EOF]
        assert split.gateway._peers == {}


async def test_the_lines_after_a_dialog_stay(autojump_clock: MockClock) -> None:
    second = Bank()
    async with open_split() as split:
        world, ann = await split.begin(Bank().hooks, "pay", "100", CANARY)
        await ann.sees("paid 100")
        world.end.kill()
        await ann.type("look", "listen")
        await settle()
        await split.start_world(second.hooks)
        await ann.sees("heard listen")
        assert second.heard == ["look", "listen"]
        assert NOTICE not in ann.screen


async def test_what_a_world_has_dropped_is_no_command_of_the_next_one(autojump_clock: MockClock) -> None:
    """A dialog fails, so the lines typed ahead of it are dropped; the world dies before it can acknowledge that."""
    first, second = Bank(), Bank()

    def drop(event: Input) -> None:
        if event.line == "drop":
            event.connection._inbox.discard_lines()

    first.hooks.on(Input)(drop)
    async with open_split(latency=0.1) as split:
        world, ann = await split.begin(first.hooks)
        await split.mud.pass_time(1)
        await ann.type("drop")
        await split.mud.pass_time(0.1)
        await ann.type(CANARY)  # on its way to the world when the gateway is asked to drop the input
        await split.mud.pass_time(0.11)
        assert "heard drop" in ann.screen
        world.end.kill()
        await split.start_world(second.hooks)
        await trio.sleep(1)
        await looks_first(ann, second)


async def test_a_line_whose_reply_is_held_back_is_not_dropped_with_those_behind_it(autojump_clock: MockClock) -> None:
    first, second = Bank(), Bank()
    first.hooks.on(Input)(lambda event: event.connection._inbox.discard_lines())
    async with open_split() as split:
        world, ann = await split.begin(first.hooks)
        (link,) = world.service._links.values()
        link._tail_at = 0  # as if the client had returned, and its text came from another gateway
        await ann.type("look")
        await settle()
        world.end.kill()
        await split.start_world(second.hooks)
        await ann.sees("heard look")
        assert first.heard == second.heard == ["look"]
