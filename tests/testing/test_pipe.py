"""The pipe: a stream as good as a socket's, and as bad as a network's when it is asked to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import (
    MockClock,
    check_half_closeable_stream,
    check_two_way_stream,
    wait_all_tasks_blocked,
)

from trio_mud.testing import Pipe, PipeEnd, PipeListener


async def joined() -> tuple[PipeEnd, PipeEnd]:
    pipe = Pipe()
    return pipe.client, pipe.server


async def clogged() -> tuple[PipeEnd, PipeEnd]:
    pipe = Pipe(capacity=10)
    await pipe.client.send_all(b"x" * 10)
    await pipe.server.send_all(b"x" * 10)
    return pipe.client, pipe.server


async def waits(operation: Callable[..., Any], *arguments: object) -> bool:
    """Return True if this call would wait for another task; it is cancelled then."""
    async with trio.open_nursery() as nursery:
        is_over = False

        async def run() -> None:
            nonlocal is_over
            await operation(*arguments)
            is_over = True

        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return not is_over


async def everything_from(end: PipeEnd) -> bytes:
    return b"".join([data async for data in end])


async def everything_that_has_come(end: PipeEnd, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await end.receive_some()
    return data


# As good as a socket's


async def test_it_keeps_trios_rules_for_two_way_streams() -> None:
    await check_two_way_stream(joined, clogged)


async def test_it_keeps_trios_rules_for_streams_that_can_be_closed_by_half() -> None:
    await check_half_closeable_stream(joined, clogged)


async def test_what_one_end_sends_the_other_receives_in_order_and_both_ways_at_once() -> None:
    pipe = Pipe(capacity=7)
    up, down = bytes(range(256)) * 20, bytes(reversed(range(256))) * 20
    received = {}

    async def talk(end: PipeEnd, data: bytes) -> None:
        await end.send_all(data)
        await end.send_eof()

    async def listen(end: PipeEnd) -> None:
        received[end] = await everything_from(end)

    async with trio.open_nursery() as nursery:
        for end, data in ((pipe.client, up), (pipe.server, down)):
            nursery.start_soon(talk, end, data)
            nursery.start_soon(listen, end)
    assert received == {pipe.server: up, pipe.client: down}


async def test_after_a_half_close_the_other_direction_is_open_still() -> None:
    pipe = Pipe()
    await pipe.client.send_all(b"last line")
    await pipe.client.send_eof()
    assert await everything_from(pipe.server) == b"last line"
    await pipe.server.send_all(b"answer")
    assert await pipe.client.receive_some() == b"answer"


async def test_a_closed_end_is_read_to_its_last_byte_and_then_ends() -> None:
    pipe = Pipe()
    await pipe.client.send_all(b"bye")
    await pipe.client.aclose()
    assert await pipe.server.receive_some(2) == b"by"
    assert await pipe.server.receive_some(2) == b"e"
    assert await pipe.server.receive_some(2) == b""
    assert await pipe.server.receive_some(2) == b""


async def test_each_end_knows_where_the_other_says_it_is() -> None:
    pipe = Pipe(address="192.0.2.1")
    assert (pipe.server.address, pipe.client.address) == ("192.0.2.1", "server")


# Capacity


async def test_a_full_pipe_makes_the_sender_wait_until_somebody_reads() -> None:
    pipe = Pipe(capacity=4)
    await pipe.client.send_all(b"1234")
    assert await waits(pipe.client.send_all, b"5")
    assert await waits(pipe.client.wait_send_all_might_not_block)
    assert await pipe.server.receive_some(1) == b"1"
    await pipe.client.wait_send_all_might_not_block()
    await pipe.client.send_all(b"5")
    assert await everything_that_has_come(pipe.server, 4) == b"2345"


async def test_a_full_pipe_does_not_fill_the_other_way() -> None:
    pipe = Pipe(capacity=4)
    await pipe.client.send_all(b"1234")
    await pipe.server.send_all(b"1234")
    assert await waits(pipe.server.send_all, b"5")


async def test_a_cancelled_send_leaves_what_fitted_and_no_more() -> None:
    pipe = Pipe(capacity=4)
    assert await waits(pipe.client.send_all, b"123456")
    await pipe.client.aclose()
    assert await everything_from(pipe.server) == b"1234"


async def test_a_sender_that_waits_for_room_goes_on_when_the_receiver_closes_and_then_is_told() -> None:
    pipe = Pipe(capacity=4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.client.send_all, b"123456")
        await wait_all_tasks_blocked()
        await pipe.server.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await pipe.client.send_all(b"7")


# Latency


async def test_what_is_sent_arrives_after_the_latency_of_virtual_time(autojump_clock: MockClock) -> None:
    pipe = Pipe(latency=1.5)
    start = trio.current_time()
    await pipe.client.send_all(b"one")
    assert trio.current_time() == start  # it is sent at once
    await trio.sleep(1)
    await pipe.client.send_all(b"two")
    assert await pipe.server.receive_some() == b"one"
    assert trio.current_time() == start + 1.5
    assert await pipe.server.receive_some() == b"two"
    assert trio.current_time() == start + 2.5


async def test_the_end_arrives_behind_what_was_sent_before_it(autojump_clock: MockClock) -> None:
    pipe = Pipe(latency=1)
    await pipe.client.send_all(b"last line")
    await pipe.client.aclose()
    assert await everything_from(pipe.server) == b"last line"


async def test_what_is_on_the_way_takes_room(autojump_clock: MockClock) -> None:
    pipe = Pipe(latency=1, capacity=4)
    await pipe.client.send_all(b"1234")
    await trio.sleep(2)
    assert await waits(pipe.client.send_all, b"5")  # arrived is not yet read


# Stall and resume


async def test_while_it_stalls_nothing_arrives_either_way_and_no_end_does(autojump_clock: MockClock) -> None:
    pipe = Pipe()
    await pipe.client.send_all(b"up")
    await pipe.server.send_all(b"down")
    pipe.client.stall()
    await pipe.client.send_eof()
    with trio.move_on_after(1_000_000) as patience:
        await pipe.server.receive_some()
    assert patience.cancelled_caught
    with trio.move_on_after(1_000_000) as patience:
        await pipe.client.receive_some()
    assert patience.cancelled_caught
    pipe.client.resume()
    assert await everything_from(pipe.server) == b"up"
    assert await pipe.client.receive_some() == b"down"


async def test_who_waited_while_it_stalled_goes_on_when_it_resumes() -> None:
    pipe = Pipe(capacity=2)
    pipe.client.stall()
    received = []

    async def receive() -> None:
        received.append(await pipe.server.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        nursery.start_soon(pipe.client.send_all, b"1234")
        await wait_all_tasks_blocked()
        assert received == []
        pipe.server.resume()  # either end may
    assert received == [b"12"]


# Reset


@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_reset_breaks_both_ends_and_loses_what_was_on_the_way(who: str) -> None:
    pipe = Pipe()
    await pipe.client.send_all(b"lost")
    await pipe.server.send_all(b"lost")
    end: PipeEnd = getattr(pipe, who)
    end.reset()
    for side in (pipe.client, pipe.server):
        with pytest.raises(trio.BrokenResourceError):
            await side.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await side.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError):
            await side.send_eof()


@pytest.mark.parametrize("operation", ["receive_some", "send_all", "wait_send_all_might_not_block"])
async def test_a_reset_wakes_whoever_waits(operation: str) -> None:
    pipe = Pipe(capacity=2)
    await pipe.client.send_all(b"12")
    arguments = (b"3",) if operation == "send_all" else ()

    async def wait_in_vain() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await getattr(pipe.client, operation)(*arguments)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_in_vain)
        await wait_all_tasks_blocked()
        pipe.reset()


async def test_who_closes_before_reading_everything_resets_and_loses_its_own_last_words(
    autojump_clock: MockClock,
) -> None:
    pipe = Pipe(latency=1)
    await pipe.client.send_all(b"never read")
    await pipe.server.send_all(b"arrived ")
    await trio.sleep(2)
    await pipe.server.send_all(b"on the way")
    await pipe.server.aclose()
    assert await pipe.client.receive_some() == b"arrived "
    with pytest.raises(trio.BrokenResourceError):
        await pipe.client.receive_some()


async def test_who_is_sent_to_after_closing_resets_and_loses_its_own_last_words(autojump_clock: MockClock) -> None:
    pipe = Pipe(latency=1)
    await pipe.server.send_all(b"farewell")
    await pipe.server.aclose()
    await pipe.client.send_all(b"typed on")
    with pytest.raises(trio.BrokenResourceError):
        await pipe.client.receive_some()


async def test_who_reads_to_the_end_before_closing_loses_nothing(autojump_clock: MockClock) -> None:
    pipe = Pipe(latency=1)
    await pipe.server.send_all(b"farewell")
    await pipe.server.send_eof()
    await pipe.client.send_all(b"typed on")
    await pipe.client.send_eof()
    assert await everything_from(pipe.server) == b"typed on"
    await pipe.server.aclose()
    assert await everything_from(pipe.client) == b"farewell"


# The door


async def test_the_door_lets_in_whoever_connects_in_their_order() -> None:
    door, first, second = PipeListener(), Pipe(), Pipe()
    door.connect(first)
    door.connect(second)
    assert [await door.accept(), await door.accept()] == [first.server, second.server]


async def test_the_door_can_be_made_to_fail_once() -> None:
    door, pipe = PipeListener(), Pipe()
    door.fail(OSError("the door sticks"))
    door.connect(pipe)
    with pytest.raises(OSError, match="sticks"):
        await door.accept()
    assert await door.accept() is pipe.server


async def test_a_closing_door_resets_whoever_stands_before_it_and_refuses_whoever_comes() -> None:
    door, early, late = PipeListener(), Pipe(), Pipe()
    door.connect(early)
    await door.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await early.client.receive_some()
    with pytest.raises(ConnectionRefusedError):
        door.connect(late)
    with pytest.raises(trio.ClosedResourceError):
        await door.accept()
