"""A world or a gateway dies: the players keep their connections, and each line takes effect once."""

from __future__ import annotations

import re

import pytest
import trio
from trio.testing import MockClock

from trio_mud import Admitted, Cause, Connect, Dialog, Disconnect, Hooks, Input, Limits, LinkLost, Started, Texts
from trio_mud.cluster.ends import Fenced
from trio_mud.cluster.numbering import WINDOW
from trio_mud.testing import Player
from trio_mud.testing.memory_cluster import ALIVE, MemoryGatewayEnd
from trio_mud.testing.threads import settle

from .conftest import block, open_split


def echo(name: str) -> Hooks:
    """A game that answers each line, by its own name."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.write(f"{name} greets"))
    hooks.on(Input)(lambda event: event.connection.write(f"{name} heard {event.line}"))
    return hooks


def answers(player: Player) -> list[str]:
    """The lines that were answered, in order."""
    return re.findall(r"heard (\S+)", player.screen)


async def test_players_keep_their_connection_when_the_world_dies(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first, ann = await split.begin(echo("first"), "1")
        first.end.kill()
        await ann.type("2")
        await settle()
        assert answers(ann) == ["1"]

        await split.start_world(echo("second"))
        await settle()

        assert "second heard 2" in ann.screen
        await ann.type("3")
        await settle()
        assert answers(ann) == ["1", "2", "3"]
        assert len(split.mud.server.connections) == 1


@pytest.mark.parametrize("commits", range(1, 16))
async def test_each_line_is_answered_once_whenever_the_world_dies(autojump_clock: MockClock, commits: int) -> None:
    """The world is killed after each possible number of commits, while two players type."""
    async with open_split(latency=0.01) as split:
        world = await split.start_world(echo("first"))
        players = [await split.mud.player(), await split.mud.player()]
        for number in range(12):
            for player in players:
                await player.type(str(number))
            await trio.sleep(0.007)
            if split.cluster.commits >= commits and not world.end._is_dead:
                world.end.kill()
                await split.start_world(echo("second"))
        await trio.sleep(1)
        for player in players:
            assert answers(player) == [str(number) for number in range(12)]


async def test_lines_typed_while_no_world_serves_wait_and_none_is_lost(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(command_rate=None)) as split:
        first, ann = await split.begin(echo("first"))
        first.end.kill()
        split.mud.nursery.start_soon(ann.send, b"".join(b"%d\r\n" % number for number in range(300)))
        await settle()
        (peer,) = split.gateway._peers.values()
        assert len(peer.forwarder.unacknowledged) == WINDOW  # the rest waits in the inbox, and then in the network
        assert answers(ann) == []

        await split.start_world(echo("second"))
        await trio.sleep(10)
        assert answers(ann) == [str(number) for number in range(300)]


async def test_a_line_before_a_link_death_is_handled_by_the_next_world(autojump_clock: MockClock) -> None:
    heard: list[str] = []
    async with open_split() as split:
        first, ann = await split.begin(echo("first"))
        first.end.kill()
        await ann.type("farewell")
        await ann.hang_up()
        await settle()
        hooks = echo("second")
        hooks.on(Input)(lambda event: heard.append(event.line))
        ended: list[Disconnect] = []
        hooks.on(Disconnect)(ended.append)
        await split.start_world(hooks)
        await trio.sleep(5)
        assert heard == ["farewell"]
        assert [event.cause for event in ended] == [Cause.EOF]
        assert split.gateway._peers == {}


async def test_a_line_before_a_reset_is_handled_by_the_next_world(autojump_clock: MockClock) -> None:
    """The roll reports the connection, its line and its departure at once."""
    heard: list[str] = []
    async with open_split() as split:
        first, ann = await split.begin(echo("first"))
        first.end.kill()
        await ann.type("farewell")
        await settle()
        await ann.vanish()
        await settle()
        hooks, ended = echo("second"), list[Disconnect]()
        hooks.on(Input)(lambda event: heard.append(event.line))
        hooks.on(Disconnect)(ended.append)
        await split.start_world(hooks)
        await trio.sleep(5)
        assert heard == ["farewell"]
        assert [event.cause for event in ended] == [Cause.RESET]
        assert split.gateway._peers == {}


async def test_the_last_lines_before_a_reset_are_handled_although_one_more_world_dies(
    autojump_clock: MockClock,
) -> None:
    """A world that takes them slowly dies before it has taken all."""
    heard: list[str] = []

    async def obey(event: Input) -> None:
        heard.append(event.line)
        await trio.sleep(0.5)

    slow, second = Hooks(), Hooks()
    slow.on(Input)(obey)
    second.on(Input)(lambda event: heard.append(event.line))
    async with open_split() as split:
        first, ann = await split.begin(slow)
        await ann.type("1", "2", "3", "4")
        await settle()
        await ann.vanish()
        await split.mud.pass_time(0.7)
        assert heard == ["1", "2"]
        first.end.kill()
        await split.start_world(second)
        await split.mud.pass_time(0.2)
        assert heard == ["1", "2", "3", "4"]
        assert split.gateway._peers == {}


async def test_the_last_lines_before_an_end_of_file_are_handled_although_the_world_dies_after_its_patience(
    autojump_clock: MockClock,
) -> None:
    """Its time to serve them is over, so the connection has ended; one line is being handled, and two wait."""
    heard: list[str] = []

    async def obey(event: Input) -> None:
        heard.append(event.line)
        await trio.sleep(5)

    slow, second = Hooks(), Hooks()
    slow.on(Input)(obey)
    second.on(Input)(lambda event: heard.append(event.line))
    async with open_split(limits=Limits(quit_timeout=1)) as split:
        first, ann = await split.begin(slow)
        await ann.type("1", "2", "3")
        await ann.finish_typing()
        await split.mud.pass_time(3)
        assert len(split.mud.server.connections) == 0
        assert heard == ["1"]
        first.end.kill()
        await split.start_world(second)
        await split.mud.pass_time(1)
        assert heard == ["1", "2", "3"]
        assert split.gateway._peers == {}


async def test_a_visitor_is_refused_if_no_world_answers(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(world_timeout=7)) as split:
        began = trio.current_time()
        pipe = split.mud.connect()
        read = b""
        while data := await pipe.client.receive_some():
            read += data
        assert trio.current_time() == began + 7
        assert read.decode().strip() == split.mud.server.texts.world_away


async def test_a_visitor_who_knocks_before_the_world_starts_comes_in_then(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        ann = await split.mud.player()
        await trio.sleep(3)
        assert ann.screen == ""
        await split.start_world(echo("first"))
        await ann.sees("first greets")


async def test_a_password_on_its_way_when_the_world_dies_is_no_command(autojump_clock: MockClock) -> None:
    async def secret(dialog: Dialog) -> None:
        await dialog.ask_hidden("Password: ")

    first, second, heard = Hooks(), echo("second"), list[str]()
    first.on(Admitted)(lambda event: event.connection.start_dialog(secret))
    second.on(Input)(lambda event: heard.append(event.line))
    async with open_split() as split:
        world = await split.start_world(first)
        ann = await split.mud.player(latency=0.3)
        await ann.sees("Password:")
        world.end.kill()
        await split.start_world(second)
        await ann.type("sesame", "look")
        await ann.sees("heard look")
        assert heard == ["look"]


async def test_a_password_on_its_way_when_two_worlds_die_is_no_command(autojump_clock: MockClock) -> None:
    async def secret(dialog: Dialog) -> None:
        await dialog.ask_hidden("Password: ")

    first, third, heard = Hooks(), echo("third"), list[str]()
    first.on(Admitted)(lambda event: event.connection.start_dialog(secret))
    third.on(Input)(lambda event: heard.append(event.line))
    async with open_split() as split:
        world = await split.start_world(first)
        ann = await split.mud.player(latency=0.3)
        await ann.sees("Password:")
        world.end.kill()
        second = await split.start_world(Hooks())
        await trio.sleep(0.1)
        second.end.kill()
        await split.start_world(third)
        await ann.type("sesame", "look")
        await ann.sees("heard look")
        assert heard == ["look"]


async def test_a_password_of_a_client_that_agrees_to_hide_it_after_the_death_of_the_world_is_no_command(
    autojump_clock: MockClock,
) -> None:
    async def secret(dialog: Dialog) -> None:
        await dialog.ask_hidden("Password: ")

    first, second, heard = Hooks(), echo("second"), list[str]()
    first.on(Admitted)(lambda event: event.connection.start_dialog(secret))
    second.on(Input)(lambda event: heard.append(event.line))
    async with open_split() as split:
        world = await split.start_world(first)
        ann = await split.mud.player(latency=1.5)
        await ann.sees("Password:")
        await trio.sleep(1)
        world.end.kill()
        await split.start_world(second)
        await ann.type("sesame", "look")
        await ann.sees("heard look")
        assert heard == ["look"]


async def test_an_answer_is_not_acknowledged_before_its_script_has_received_it(autojump_clock: MockClock) -> None:
    """Until then the dialog may put it back, and a world that dies meanwhile leaves it to the next one."""
    taken: list[int] = []

    async def talk(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        await trio.sleep_forever()

    def look(event: Input) -> None:
        links = world.service._links.values()
        taken.append(next(link.input.taken_number for link in links if link.number == asked.number))

    hooks = Hooks()
    hooks.on(Admitted)(
        lambda event: None if len(event.connection.server.connections) > 1 else event.connection.start_dialog(talk)
    )
    hooks.on(Input)(look)
    async with open_split() as split:
        world = await split.start_world(hooks)
        ann, bob = await split.mud.player(), await split.mud.player()
        (asked, _) = split.mud.server.connections
        unblock = block(split.gateway._end)  # type: ignore[arg-type]
        await bob.type("look")
        await settle()  # this frame blocks, and the next one has both lines
        await ann.type("Ann")
        await settle()
        await bob.type("look")
        await settle()
        unblock()
        await settle()
        assert taken == [0, 0]  # the second in the batch in which the dialog was given the answer
        assert [link.input.acknowledged for link in world.service._links.values()] == [1, 2]


async def test_a_refused_connection_of_a_world_that_is_cut_takes_no_text(autojump_clock: MockClock) -> None:
    taken: list[bool] = []

    async def hang(event: Connect) -> None:
        await trio.sleep_forever()

    hooks = Hooks()
    hooks.on(Connect)(hang)
    hooks.on(Disconnect)(lambda event: taken.append(event.connection.write("too late")))
    async with open_split() as split:
        world = await split.start_world(hooks)
        split.mud.connect()
        await settle()
        world.server.abort()
        await world.server.closed.wait()
        assert taken == [False]


async def test_a_world_that_was_replaced_is_fenced_and_says_nothing_more(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first, ann = await split.begin(echo("first"))
        await split.start_world(echo("second"))
        await settle()
        (connection,) = first.server.connections
        connection.write("a late word")
        await settle()
        assert isinstance(first.failed, Fenced)
        assert "late" not in ann.screen
        await ann.type("hello")
        await ann.sees("second heard hello")


async def test_a_gateway_that_is_given_up_loses_its_links_and_returns_with_its_roll(autojump_clock: MockClock) -> None:
    hooks, events = echo("world"), list[str]()
    hooks.on(Admitted)(lambda event: event.connection.server.sessions.enter("ann", event.connection))
    hooks.on(LinkLost)(lambda event: events.append("link lost"))
    hooks.on(Disconnect)(lambda event: events.append(str(event.cause)))
    async with open_split() as split:
        world, ann = await split.begin(hooks)
        world.service._lose_gateway("gateway")
        await settle()
        assert events == ["reset", "link lost"]

        await ann.type("still here")  # the gateway was only slow: its next frame is answered by the greeting
        await settle()
        await ann.type("look")
        await ann.sees("world heard look")
        assert len(split.mud.server.connections) == 1


async def test_a_gateway_that_was_given_up_and_has_nothing_to_say_returns(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo("world"))
        await split.mud.player()
        end = split.gateway._end
        assert isinstance(end, MemoryGatewayEnd)
        end.cut(ALIVE + 1)
        await split.mud.pass_time(ALIVE + 0.5)
        assert not world.server.connections
        await split.mud.pass_time(1)
        assert len(world.server.connections) == 1


async def test_lines_that_wait_when_a_gateway_is_given_up_are_handled_once(autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async def obey(event: Input) -> None:
        heard.append(event.line)
        await trio.sleep(0.5)

    hooks = Hooks()
    hooks.on(Input)(obey)
    async with open_split(latency=0.1) as split:
        world, ann = await split.begin(hooks)
        await ann.type("1", "2", "3", "4", "5")
        await split.mud.pass_time(0.5)
        assert heard == ["1"]
        world.service._lose_gateway("gateway")
        await ann.type("6")
        await split.mud.pass_time(1)
        await ann.type("7")
        await split.mud.pass_time(10)
        assert sorted(heard) == list("1234567")
        (peer,) = split.gateway._peers.values()
        assert len(peer.forwarder.unacknowledged) == 0


async def test_a_link_that_is_over_sends_nothing(autojump_clock: MockClock) -> None:
    """Another connection may have its number: that of a gateway which has started again."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.server.sessions.enter("ann", event.connection))
    async with open_split() as split:
        world = await split.start_world(hooks)
        ann = await split.mud.player(gmcp=("Session",))
        await split.mud.pass_time(3)
        assert ann.returns is not None
        (link,) = world.service._links.values()
        assert link._has_tail
        world.service._end_gateway("gateway")
        await split.mud.pass_time(1)
        sent = split.cluster.commits
        link.end_tail()
        await settle()
        assert split.cluster.commits == sent


async def test_a_new_world_may_refuse_a_player_of_the_earlier_one(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first, ann = await split.begin(echo("first"))
        first.end.kill()
        hooks = Hooks()
        hooks.on(Connect)(lambda event: event.connection.refuse("Not today."))
        await split.start_world(hooks)
        await settle()
        assert "Not today." in ann.screen
        assert len(split.mud.server.connections) == 0
        assert split.gateway._peers == {}


async def test_a_gateway_that_shuts_down_leaves_link_dead_sessions(autojump_clock: MockClock) -> None:
    hooks, ended = echo("world"), list[Disconnect]()
    hooks.on(Disconnect)(ended.append)
    async with open_split() as split:
        await split.start_world(hooks)
        await split.mud.player()
        split.mud.server.shutdown("The gateway closes.")
        await settle()
        assert [event.cause for event in ended] == [Cause.RESET]


async def test_the_last_words_of_a_gateway_are_read_although_the_world_ends_at_once(
    autojump_clock: MockClock,
) -> None:
    async with open_split() as split:
        _, ann = await split.begin(echo("world"))
        (connection,) = split.mud.server.connections
        (peer,) = split.gateway._peers.values()
        connection.quit("Enough of this.")
        peer.dismiss(Cause.CANCELLED, "")
        await settle()
        assert ann.screen.endswith("Enough of this.\n")
        assert split.gateway._peers == {}


async def test_junk_of_a_gateway_is_counted_and_costs_nothing_else(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_split() as split:
        world, ann = await split.begin(echo("world"))
        split.cluster._send_up([b"\xc1junk", b"", b"\x90"])
        await ann.type("hello")
        await ann.sees("world heard hello")
        assert world.server.counters["frames not decoded"] == 3
    assert "cannot decode a frame" in caplog.text


async def test_junk_of_a_world_is_counted_and_costs_nothing_else(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_split() as split:
        _, ann = await split.begin(echo("world"))
        split.cluster._down["gateway"].put(b"\xc1junk")
        await ann.type("hello")
        await ann.sees("world heard hello")
        assert split.mud.server.counters["frames not decoded"] == 1
    assert "cannot decode a frame" in caplog.text


async def test_a_line_is_not_acknowledged_while_its_reply_is_held_back(autojump_clock: MockClock) -> None:
    """Otherwise a world that dies then has acknowledged a line whose reply never comes."""
    async with open_split() as split:
        world, ann = await split.begin(echo("first"))
        (link,) = world.service._links.values()
        link._tail_at = 0  # as if the client had returned, and its text came from another gateway
        await ann.type("1")
        await settle()
        (peer,) = split.gateway._peers.values()
        assert len(peer.forwarder.unacknowledged) == 1
        world.end.kill()
        await split.start_world(echo("second"))
        await ann.sees("second heard 1")
        assert answers(ann) == ["1"]


async def test_a_gateway_that_started_again_is_greeted_by_a_world_that_has_lost_its_data(
    autojump_clock: MockClock,
) -> None:
    """Its first frame was lost with the data, so the world knows only the earlier incarnation."""
    async with open_split() as split:
        world = await split.start_world(echo("world"))
        world.end.heartbeat = 0.4
        await split.mud.player()
        await settle()
        split.cluster.forget()
        split.gateway._incarnation += 1  # as if it had started again
        split.gateway._is_known = False
        await split.mud.pass_time(3)
        assert world.service._gateways.incarnation_of("gateway") == split.gateway._incarnation


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(2)], ids=repr)
async def test_players_stay_and_lines_wait_if_the_next_world_fails_to_start(
    autojump_clock: MockClock, error: BaseException
) -> None:
    ended: list[Disconnect] = []

    async def fail(event: Started) -> None:
        await trio.sleep(1)  # the gateway has named its players meanwhile
        raise error

    async with open_split() as split:
        first, ann = await split.begin(echo("first"), "1")
        first.end.kill()
        hooks = echo("second")
        hooks.on(Started)(fail)
        hooks.on(Disconnect)(ended.append)
        with pytest.raises(RuntimeError, match="child exited"):
            await split.start_world(hooks)
        await ann.type("2")
        await trio.sleep(20)
        assert answers(ann) == ["1"]
        assert len(split.mud.server.connections) == 1

        await split.start_world(echo("third"))
        await settle()
        assert answers(ann) == ["1", "2"]
        assert ended == []


async def test_a_gateway_without_a_world_ends_at_once_though_visitors_wait(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first, ann = await split.begin(echo("first"), "1")
        first.end.kill()
        split.mud.connect()
        await ann.type("2")
        await settle()
        began = trio.current_time()
        split.mud.server.shutdown()
        await split.mud.server.closed.wait()
        assert trio.current_time() - began <= split.mud.server.limits.linger_timeout  # for a peer that never closes
        assert Texts().gateway_closes in await ann.sees_the_end()
