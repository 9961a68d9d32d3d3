"""The contract of the network module, sentence by sentence; each test quotes the one it holds to."""

from __future__ import annotations

import socket

import pytest
import trio

from trio_mud import (
    LAST,
    Admitted,
    Cause,
    Connect,
    Connection,
    Disconnect,
    HookEvent,
    Hooks,
    MasterServer,
    Reason,
    Started,
    open_tcp_listeners,
)
from trio_mud.testing import OpenMud, PipeListener
from trio_mud.testing.tasks import every_task

from .conftest import EventLog


async def test_s1_the_master_server_handles_all_incoming_connections_and_holds_them(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks) as place:
        await place.player()
        await place.player()
        assert [connection.name for connection in place.server.connections] == ["guest-1", "guest-2"]
        assert len(place.server.connections) == 2


@pytest.mark.one_process("counts the tasks and timers of one server")
async def test_s2_a_connection_wraps_the_socket_and_has_one_task(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        idle = trio.lowlevel.current_statistics().tasks_living
        player = await place.player()
        await player.type("look")
        await player.catches_up()
        the_players_own_reader = 1
        assert trio.lowlevel.current_statistics().tasks_living == idle + 1 + the_players_own_reader


async def test_s3_a_new_socket_becomes_a_connection_and_a_connect_event_carries_it(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks) as place:
        await place.player(address="192.0.2.7")
        first = witness.events[0]
        assert isinstance(first, Connect)
        assert isinstance(first.connection, Connection)
        assert first.connection.address == "192.0.2.7"


async def test_s4_the_dispatcher_takes_the_event_from_the_queue_later_and_runs_the_connect_hook(
    mud: OpenMud,
) -> None:
    hooks, tasks = Hooks(), []

    @hooks.on(Connect)
    def see_who_runs_me(event: Connect) -> None:
        tasks.append(trio.lowlevel.current_task().name)

    async with mud(hooks) as place:
        await place.player()
    assert tasks == ["trio_mud run"]


async def test_s5_any_function_may_refuse_and_the_others_still_run_and_see_it(mud: OpenMud, witness: EventLog) -> None:
    seen = []

    @witness.hooks.on(Connect)
    def greet_too_early(event: Connect) -> None:
        event.connection.write("Welcome!")
        event.connection.start_dialog(lambda dialog: dialog.ask("Your name? "))

    @witness.hooks.on(Connect)
    def veto(event: Connect) -> None:
        event.connection.refuse("We are closed.")

    @witness.hooks.on(Connect)
    def veto_again(event: Connect) -> None:
        seen.append(event.connection.is_refused)
        event.connection.refuse("Go away.")

    async with mud(witness.hooks) as place:
        visitor = await place.player()
        assert await visitor.sees_the_end() == "We are closed.\n"
    assert seen == [True]


async def test_s5_what_connect_functions_write_is_held_until_the_verdict_and_sent_after_it(mud: OpenMud) -> None:
    hooks = Hooks()

    @hooks.on(Connect)
    async def think_it_over(event: Connect) -> None:
        event.connection.write("Welcome!")
        await trio.sleep(3)

    async with mud(hooks) as place:
        visitor = await place.player()
        await visitor.sees_nothing()
        await visitor.sees("Welcome!")


async def test_s6_not_refused_it_joins_the_list_as_the_last_item_of_the_hook_and_admitted_follows(
    mud: OpenMud,
) -> None:
    hooks, on_the_list = Hooks(), []

    @hooks.on(Connect, order=LAST)
    def after_all_others(event: Connect) -> None:
        on_the_list.append(event.connection in event.connection.server.connections)

    @hooks.on(Admitted)
    def next_event(event: Admitted) -> None:
        on_the_list.append(event.connection in event.connection.server.connections)

    async with mud(hooks) as place:
        await place.player()
    assert on_the_list == [False, True]


async def test_s6_refused_it_never_was_on_the_list_and_a_disconnect_event_follows(
    mud: OpenMud, witness: EventLog
) -> None:
    witness.hooks.on(Connect)(lambda event: event.connection.refuse("No."))
    async with mud(witness.hooks) as place:
        visitor = await place.player()
        await visitor.sees_the_end()
        assert len(place.server.connections) == 0
    assert witness.story() == ["guest-1 connect", "guest-1 refused: vetoed"]


async def test_s7_linkdeath_is_noticed_and_a_disconnect_event_says_so(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.vanish()
        await trio.lowlevel.checkpoint()
        await place.player()
        assert witness.story("guest-1")[-1] == "guest-1 linkdeath: reset"


async def test_s8_quit_flushes_what_is_pending_and_a_disconnect_event_says_so(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player(capacity=7)  # so that little fits into the pipe at once
        await player.type("a long farewell", "quit")
        assert await player.sees_the_end() == "you said a long farewell\nFarewell.\n"
    assert talkers.last_ending.reason is Reason.QUIT
    assert talkers.last_ending.cause is Cause.ASKED


async def test_s9_the_disconnect_event_carries_the_connection_the_reason_and_the_last_words(
    mud: OpenMud, talkers: EventLog
) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("quit")
        await player.sees_the_end()
    ending = talkers.last_ending
    assert (ending.connection.name, ending.reason, ending.text) == ("guest-1", Reason.QUIT, "Farewell.")


async def test_s10_the_connection_leaves_the_list_before_any_game_function_runs(mud: OpenMud) -> None:
    hooks, lists = Hooks(), []

    @hooks.on(Disconnect, order=-1e9)
    def look_at_the_list(event: Disconnect) -> None:
        lists.append(len(event.connection.server.connections))
        assert event.connection.write("too late") is False

    async with mud(hooks) as place:
        player = await place.player()
        await player.hang_up()
        await trio.testing.wait_all_tasks_blocked()
        assert lists == [0]


async def test_s11_after_that_the_game_does_what_it_likes_with_disconnects(mud: OpenMud) -> None:
    hooks = Hooks()

    @hooks.on(Disconnect)
    async def write_an_obituary(event: Disconnect) -> None:
        await trio.sleep(1)
        for other in event.connection.server.connections:
            other.write("They will be missed.")

    async with mud(hooks) as place:
        lost, friend = await place.player(), await place.player()
        await lost.vanish()
        await friend.sees("They will be missed.")


async def test_s12_input_comes_in_the_order_typed_between_connect_and_disconnect(
    mud: OpenMud, talkers: EventLog
) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("one", "two", "three")
        await player.hang_up()
        await trio.testing.wait_all_tasks_blocked()
    assert talkers.story() == [
        "guest-1 connect",
        "guest-1 admitted",
        "guest-1: one",
        "guest-1: two",
        "guest-1: three",
        "guest-1 linkdeath: end of file",
    ]


async def test_s13_a_nursery_runs_listener_connections_and_a_dispatcher_reading_a_memory_channel(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks) as place:
        await place.player()
        names = {task.name for task in every_task()}
        assert {"trio_mud listener", "trio_mud run", "guest-1"} <= names


async def test_s13_cancel_scopes_model_linkdeath_versus_quit(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        left, lost = await place.player(capacity=4), await place.player(capacity=4)
        lost.stop_reading()
        await lost.type("some words that nobody reads")
        await left.type("quit")
        await left.sees("Farewell.")  # the quit scope let the writer finish
        await lost.vanish()  # the link scope did not
        await trio.testing.wait_all_tasks_blocked()
    assert [ending.reason for ending in talkers.disconnects()] == [Reason.QUIT, Reason.LINKDEATH]


async def test_s14_several_servers_live_in_one_process_each_in_its_callers_nursery() -> None:
    first, second = MasterServer(Hooks()), MasterServer(Hooks())
    async with trio.open_nursery() as nursery:
        assert await nursery.start(first.serve, [PipeListener()]) is first
        assert await nursery.start(second.serve, [PipeListener()]) is second
        first.shutdown()
        await first.closed.wait()
        assert not second.is_closing
        second.shutdown()


async def test_s15_every_timeout_is_a_trio_deadline_so_the_mock_clock_drives_it(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks) as place:
        before = trio.current_time()
        silent = await place.player()
        await silent.sees_the_end(within=1000)
        assert trio.current_time() - before == 60.0
    assert witness.last_ending.cause is Cause.LOGIN_DEADLINE


async def test_the_first_event_of_all_is_started(mud: OpenMud) -> None:
    hooks = Hooks()
    events: list[HookEvent] = []
    hooks.on(Started)(events.append)
    hooks.on(Connect)(events.append)
    async with mud(hooks) as place:
        await place.player()
        assert events[0] == Started(place.server)
        assert isinstance(events[1], Connect)


async def test_listeners_of_trio_and_of_ours_serve_alike() -> None:
    server = MasterServer(Hooks())
    ours = await open_tcp_listeners(0, host="127.0.0.1")
    theirs = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = theirs[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [*ours, *theirs])
        for address in (ours[0].address, ("127.0.0.1", port)):
            async with await trio.open_tcp_stream(*address) as stream:
                assert (await stream.receive_some(1)) == b"\xff"
        server.shutdown()
    with socket.socket() as again:
        again.bind(ours[0].address)  # closed
