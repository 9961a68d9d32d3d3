"""Each process of a split server has its own console and watch."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from trio_mud import ConsoleOperator, Hooks, Input, MasterServer, Texts
from trio_mud.driver.core.durations import Durations
from trio_mud.driver.server.console import Console
from trio_mud.driver.server.figures import Figures
from trio_mud.program.admin_command import ask
from trio_mud.testing.memory_cluster import MemoryGatewayEnd
from trio_mud.testing.threads import settle
from trio_mud.web.metrics import METRICS, Exposition, Readings

from .conftest import open_split


def echo() -> Hooks:
    """A game that answers each line."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"heard {event.line}"))
    return hooks


def admin(server: MasterServer, command: str) -> str:
    """Give a command as `trio-mud admin` does; return the answer."""
    assert server.operator_commands is not None
    operator = ConsoleOperator()
    assert server.operator_commands(operator, command) is None
    return f"{'failed: ' if operator.has_failed else ''}{operator.answer}"


async def test_the_status_of_a_gateway_says_whether_its_world_answers(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        front = split.mud.server
        assert admin(front, "status") == "no world has joined this gateway yet: visitors wait\n" + waiting(0)
        assert split.gateway.unready() == "no world serves"
        world, ann = await split.begin(echo(), "look")
        assert admin(front, "status") == f"the world, of epoch {world.end.epoch}, serves\n" + waiting(0)
        assert split.gateway.unready() == ""
        world.end.kill()
        await ann.type("one", "two")
        await split.mud.pass_time(5)
        assert admin(front, "status") == (
            f"the world, of epoch {world.end.epoch}, does not answer: players stay connected, and their input waits\n"
            + waiting(2)
        )
        assert split.gateway.unready() == "the world does not answer"


def waiting(lines: int) -> str:
    """The last line of a gateway's status."""
    return f"lines and messages of players that are not handled yet: {lines}\n"


async def test_a_gateway_is_ready_while_a_world_serves_and_names_the_spares(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        await split.begin(echo(), "look")
        end = split.gateway._end
        assert isinstance(end, MemoryGatewayEnd)
        end.has_world, end.spares = False, 2  # as that over a Unix socket can tell
        assert split.gateway.unready() == "no world serves"
        assert admin(split.mud.server, "status").splitlines()[:2] == [
            "no world serves: players stay connected, and their input waits",
            "2 spares are ready to take over",
        ]


async def test_an_operator_reads_which_input_of_which_connection_waits(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        ann, bob = await split.mud.player(), await split.mud.player()
        await ann.type("look")
        await bob.type("look")
        await settle()
        assert admin(split.mud.server, "waiting") == "nobody waits for the world\n"
        world.end.kill()
        await bob.type("north", "south")
        await settle()
        assert admin(split.mud.server, "waiting") == (
            "guest-2 (#2) from 10.0.0.2: connected; 2 lines and messages are not handled yet\n"
        )


async def test_an_operator_drops_a_line_that_ends_each_world(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        ann, bob = await split.mud.player(), await split.mud.player()
        world.end.kill()
        await ann.type("the line that ends each world")
        await bob.type("look")
        await settle()
        assert "drop NUMBER" in admin(split.mud.server, "help")
        assert "nothing of a connection #7 waits" in admin(split.mud.server, "drop 7")
        assert admin(split.mud.server, "drop #1") == (
            "lines and messages of connection #1 that no world will handle: 1\n"
        )
        hooks, heard = echo(), list[str]()
        hooks.on(Input)(lambda event: heard.append(event.line))
        await split.start_world(hooks)
        await settle()
        assert heard == ["look"]
        await ann.type("north")
        await settle()
        assert heard == ["look", "north"]
        assert "nothing of a connection #1 waits" in admin(split.mud.server, "drop 1")


async def test_each_visit_is_logged_once_with_its_address_and_cause(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "trio_mud")
    hooks = echo()
    hooks.on(Input)(lambda event: setattr(event.connection, "name", "Ann"))
    async with open_split() as split:
        _, ann = await split.begin(hooks, "look")
        await ann.vanish()
        await settle()
    visits = [text for text in caplog.messages if "came in" in text or "left" in text]
    assert visits == ["guest-1 (#1) came in from 10.0.0.1", "Ann (#1) left: linkdeath (reset)"]


async def test_an_operator_ends_a_gateway_and_is_refused_what_it_does_not_know(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        await split.start_world(echo())
        other = await split.start_gateway("other")
        ann, bob = await split.mud.player(), await other.mud.player()
        assert "shutdown" in admin(other.mud.server, "help")
        assert admin(other.mud.server, "ban bob").startswith("failed: a gateway has no such command")
        assert admin(other.mud.server, "shutdown") == "the gateway ends\n"
        assert Texts().gateway_closes in await bob.sees_the_end()
        await ann.type("look")
        await ann.sees("heard look")


async def test_the_console_of_each_process_answers_over_its_socket(tmp_path: Path) -> None:
    async with open_split() as split:
        world, ann = await split.begin(echo(), "look")
        await ann.sees("heard look")
        with (
            Console(split.mud.server, tmp_path / "gateway.sock"),
            Console(world.server, tmp_path / "world.sock"),
        ):
            replies = {
                name: await trio.to_thread.run_sync(ask, tmp_path / f"{name}.sock", "status")
                for name in ("gateway", "world")
            }
        assert not any(reply.has_failed for reply in replies.values())
        assert f"the world, of epoch {world.end.epoch}, serves" in replies["gateway"].text
        for reply in replies.values():
            assert "connections: 1 open, 1 admitted" in reply.text
            assert "the event loop answers" in reply.text
        assert "messages of gateways" in replies["world"].text


@pytest.mark.parametrize("what", ["messages for the world", "messages of the world", "silences of the world"])
async def test_the_watch_of_a_gateway_shows_its_cluster_link(autojump_clock: MockClock, what: str) -> None:
    async with open_split() as split:
        figures = Figures(split.mud.server)
        readings = Readings(figures, Durations(), lambda: None)
        metric = METRICS["trio_mud_cluster_total"]
        assert metric.read(readings)[what,] == 0
        world, ann = await split.begin(echo(), "look")
        world.end.kill()
        await ann.type("look")
        await split.mud.pass_time(5)
        value = metric.read(readings)[what,]
        assert isinstance(value, int)
        assert value > 0
        assert f'trio_mud_cluster_total{{what="{what}"}}'.encode() in Exposition(readings).render()
        assert figures.states()["playing"] == 1


async def test_the_watch_of_a_world_shows_the_players_of_all_gateways(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo())
        other = await split.start_gateway("other")
        figures = Figures(world.server)
        for mud in (split.mud, other.mud):
            player = await mud.player()
            await player.type("look")
        await settle()
        read = METRICS["trio_mud_cluster_total"].read(Readings(figures, Durations(), lambda: None))
        assert figures.states()["playing"] == 2
        assert len(figures.rows(10)) == 2
        for what in ("messages for gateways", "messages of gateways"):
            value = read[what,]
            assert isinstance(value, int)
            assert value > 3
