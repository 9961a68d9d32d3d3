"""Output from the world to the gateway: shared, bounded, and rendered there."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from trio_mud import Admitted, Hooks, Input, Limits, broadcast, markup
from trio_mud.cluster import pending
from trio_mud.cluster.ends import Commit
from trio_mud.cluster.frames import decode_down
from trio_mud.cluster.wire import Output, TextSent
from trio_mud.testing.memory_cluster import MemoryCluster
from trio_mud.testing.threads import settle

from .conftest import open_split


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[Output]:
    """All output that crosses the cluster link, in order."""
    seen: list[Output] = []
    send = MemoryCluster._send_down

    def watch(self: MemoryCluster, commit: Commit) -> None:
        for frames in commit.frames.values():
            for frame in frames:
                seen.extend(message for message in decode_down(frame).messages if isinstance(message, Output))
        send(self, commit)

    monkeypatch.setattr(MemoryCluster, "_send_down", watch)
    return seen


@pytest.mark.parametrize("how", ["broadcast", "loop"])
async def test_a_text_for_a_room_crosses_once(autojump_clock: MockClock, outputs: list[Output], how: str) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def shout(event: Input) -> None:
        everyone, text = event.connection.server.connections, markup("<b>{line}</b>", line=event.line)
        if how == "broadcast":
            broadcast(text, to=everyone)
        else:
            for listener in everyone:
                listener.write(text)

    async with open_split(limits=Limits(max_per_address=None)) as split:
        await split.start_world(hooks)
        players = [await split.mud.player() for _ in range(20)]
        outputs.clear()
        await players[0].type("fire")
        await settle()
        assert [sorted(output.links) for output in outputs] == [list(range(1, 21))]
        for player in players:
            assert player.screen.endswith("fire\n")


async def test_what_one_connection_is_sent_keeps_its_order(autojump_clock: MockClock) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def say(event: Input) -> None:
        for listener in event.connection.server.connections:
            listener.write("one")
        event.connection.write("two")
        for listener in event.connection.server.connections:
            listener.write("three")

    async with open_split() as split:
        await split.start_world(hooks)
        ann, bob = await split.mud.player(), await split.mud.player()
        await ann.type("go")
        await settle()
        assert ann.screen == "one\ntwo\nthree\n"
        assert bob.screen == "one\nthree\n"


async def test_links_keep_their_output_while_too_much_is_not_committed(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, outputs: list[Output]
) -> None:
    monkeypatch.setattr(pending, "MOST_PENDING", 1000)
    async with open_split(latency=1.0, limits=Limits(max_output=3000)) as split:
        world, ann = await split.begin(Hooks())
        await split.mud.pass_time(10)
        outputs.clear()
        (connection,) = world.server.connections
        accepted = 0
        for number in range(20):
            accepted += connection.write(f"{number:04}" + "x" * 396)
            await settle()  # a flush for each
        await split.mud.pass_time(20)
        assert accepted < 20  # within max_output of what the port keeps back
        crossed = [str(item.text) for output in outputs for item in output.items if isinstance(item, TextSent)]
        assert sum("xxx" in text for text in crossed) == accepted
        assert "Some lines are missing here" in ann.screen
        assert world.service.output.has_room


async def test_a_preference_reaches_the_gateway_and_ends_with_its_world(autojump_clock: MockClock) -> None:
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.client.prefer(colours=16))
    hooks.on(Input)(lambda event: event.connection.write(markup("<red>{line}</red>", line=event.line)))
    async with open_split() as split:
        first, ann = await split.begin(hooks, "fire")
        assert "\x1b[31mfire" in ann.screen

        first.end.kill()
        plain = Hooks()
        plain.on(Input)(lambda event: event.connection.write(markup("<red>{line}</red>", line=event.line)))
        await split.start_world(plain)
        await ann.type("water")
        await settle()
        assert ann.screen.endswith("water\n")
        assert "\x1b[31mwater" not in ann.screen


async def test_a_world_remembers_nothing_of_the_connections_that_have_ended(autojump_clock: MockClock) -> None:
    async with open_split(limits=Limits(max_per_address=None)) as split:
        world = await split.start_world(Hooks())
        for _ in range(5):
            await (await split.mud.player()).hang_up()
        await split.mud.pass_time(5)
        service = world.service
        left = [
            service._links,
            service._active,
            service._gateways.rolling,
            service.output._waiting,
            service.output._shared,
        ]
        assert not any(left)
        assert split.gateway._peers == {}
