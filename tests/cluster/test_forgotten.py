"""The cluster link loses its data: the world claims again, and the gateways' rolls bring back what was lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest
import trio
from trio.testing import MockClock

from trio_mud import Admitted, Connect, Dialog, Hooks, Input, WindowSize
from trio_mud.cluster.ends import Commit, Fenced, Forgotten
from trio_mud.storage import Stored
from trio_mud.telnet.codes import IAC, NAWS, SB, SE
from trio_mud.testing.memory_cluster import MemoryWorldEnd
from trio_mud.testing.threads import settle

from .bank import BANK, audit
from .conftest import block, open_split
from .test_deaths import answers, echo
from .test_loading import Disk


class Amnesia:
    """Makes the cluster link of a world lose commits that the world believes delivered, and then forget all.

    Attributes:
        loses: True while commits are lost.
        forgets: True if the next commit finds the data lost.
        commits: All commits that were tried.
    """

    def __init__(self, end: MemoryWorldEnd) -> None:
        self.loses = self.forgets = False
        self.commits: list[Commit] = []
        self._commit: Callable[[Commit], Awaitable[None]] = end.commit
        end.commit = self.commit  # type: ignore[method-assign]

    async def commit(self, commit: Commit) -> None:
        await trio.lowlevel.checkpoint()
        self.commits.append(commit)
        if self.forgets:
            self.forgets = self.loses = False
            raise Forgotten
        if not self.loses:
            await self._commit(commit)


async def test_a_line_whose_acknowledgement_was_lost_is_not_handled_twice(autojump_clock: MockClock) -> None:
    heard: list[str] = []
    hooks = echo("world")
    hooks.on(Input)(lambda event: heard.append(event.line))
    async with open_split() as split:
        world = await split.start_world(hooks)
        memory = Amnesia(world.end)
        ann = await split.mud.player()
        await settle()
        memory.loses = True
        await ann.type("1")
        await settle()
        memory.forgets = True
        await ann.type("2")
        await settle()
        assert heard == ["1", "2"]
        assert answers(ann) == ["2"]  # the text of the lost commit is lost with it
        (peer,) = split.gateway._peers.values()
        assert len(peer.forwarder.unacknowledged) == 0


async def test_a_verdict_that_was_lost_is_given_again(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo("world"))
        memory = Amnesia(world.end)
        memory.loses = True
        ann = await split.mud.player()
        await settle()
        assert ann.screen == ""
        memory.forgets = True
        bob = await split.mud.player()
        await ann.type("1")
        await bob.type("1")
        await ann.sees("world heard 1")
        await bob.sees("world heard 1")


async def test_output_keeps_its_order_while_the_world_claims_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_split() as split:
        world = await split.start_world(echo("world"))
        memory = Amnesia(world.end)
        ann = await split.mud.player()
        await settle()
        claim = world.end.claim

        async def slow_claim() -> Mapping[bytes, bytes]:
            await trio.sleep(1)
            return await claim()

        monkeypatch.setattr(world.end, "claim", slow_claim)
        memory.forgets = True
        await ann.type("1")
        await trio.sleep(0.5)
        await ann.type("2")
        await trio.sleep(2)
        assert answers(ann) == ["1", "2"]


async def test_facts_that_were_lost_are_learned_from_the_roll(autojump_clock: MockClock) -> None:
    sizes: list[tuple[int, int]] = []
    hooks = echo("world")
    hooks.on(WindowSize)(lambda event: sizes.append((event.columns, event.rows)))
    async with open_split(latency=0.2) as split:
        world = await split.start_world(hooks)
        ann = await split.mud.player(columns=80, rows=24)
        await split.mud.pass_time(3)
        sizes.clear()
        split.cluster.forget()
        await ann.send(bytes((IAC, SB, NAWS, 0, 120, 0, 50, IAC, SE)))
        await split.mud.pass_time(3)
        for connection in world.server.connections:  # a commit finds the data lost
            connection.write("Something happens.")
        await split.mud.pass_time(3)
        assert sizes == [(120, 50)]
        (connection,) = world.server.connections
        assert connection.client.size == (120, 50)


async def test_a_hidden_question_stays_hidden(autojump_clock: MockClock) -> None:
    async def secret(dialog: Dialog) -> None:
        word = await dialog.ask_hidden("Password: ")
        dialog.connection.write(f"the word has {len(word)} letters")

    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.start_dialog(secret))
    async with open_split() as split:
        world = await split.start_world(hooks)
        memory = Amnesia(world.end)
        ann = await split.mud.player()
        await ann.sees("Password:")
        (here,) = split.mud.server.connections
        assert here._link.hides_input
        memory.forgets = True
        (connection,) = world.server.connections
        connection.write("Something happens.")
        await ann.sees("Something happens.")
        await settle()
        assert here._link.hides_input
        await ann.type("sesame")
        await ann.sees("the word has 6 letters")
        await settle()
        assert not here._link.hides_input


async def test_input_that_the_cluster_link_has_lost_is_asked_for_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_split() as split:
        await split.start_world(echo("world"))
        ann, bob = await split.mud.player(), await split.mud.player()
        await settle()
        monkeypatch.setattr(split.cluster, "_send_up", lambda frames: None)
        await ann.type("1")
        await bob.type("1")
        await settle()
        monkeypatch.undo()
        await ann.type("2")
        await ann.type("3")
        await settle()
        assert answers(ann) == ["1", "2", "3"]
        assert answers(bob) == ["1"]  # the roll is of all connections


async def test_a_world_with_a_heartbeat_commits_while_it_has_nothing_to_say(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        world = await split.start_world(echo("world"))
        world.end.heartbeat = 0.4
        memory = Amnesia(world.end)
        await split.mud.player()
        await trio.sleep(4.2)
        idle = [commit.number for commit in memory.commits if not commit.frames]
        assert len(idle) in (9, 10)
        assert idle == sorted(set(idle))


async def test_an_idle_world_with_a_heartbeat_notices_that_it_is_fenced(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first = await split.start_world(echo("first"))
        first.end.heartbeat = 0.4
        ann = await split.mud.player()
        await ann.sees("first greets")
        await trio.sleep(1)
        await split.start_world(echo("second"))
        await trio.sleep(1)
        assert isinstance(first.failed, Fenced)


@pytest.mark.parametrize("is_lost", [False, True], ids=["on its way", "lost"])
async def test_a_connection_whose_dismissal_is_not_there_yet_does_not_arrive_again(
    autojump_clock: MockClock, is_lost: bool
) -> None:
    """The roll names it, since its gateway does not know yet that the world has ended it."""
    connects: list[Connect] = []
    hooks = echo("world")
    hooks.on(Connect)(connects.append)
    async with open_split(latency=0.4) as split:
        world = await split.start_world(hooks)
        await split.mud.player()
        await split.mud.player()
        await split.mud.pass_time(3)
        leaving, staying = world.server.connections
        if is_lost:
            leaving.quit("farewell")
            await split.mud.pass_time(0.3)  # it has left the world
        split.cluster.forget()
        staying.write("tick")  # so that the world notices the loss
        await split.mud.pass_time(0.9)  # the gateway has been asked for its roll, and has sent it
        if not is_lost:
            leaving.quit("farewell")
        await split.mud.pass_time(5)
        assert len(connects) == 2
        assert len(world.server.connections) == len(split.mud.server.connections) == 1
        assert len(split.gateway._peers) == 1


async def test_a_world_that_claims_after_its_successor_skips_what_that_has_taken(autojump_clock: MockClock) -> None:
    """The first world does not notice that it was replaced, and is the first to notice that the data is lost."""
    async with open_split() as split:
        first = await split.start_world(echo("first"))
        ann = await split.mud.player()
        await ann.type("1")
        await ann.sees("first heard 1")
        await split.start_world(echo("second"))
        await ann.type("2")
        await ann.sees("second heard 2")
        await settle()
        split.cluster.forget()
        (connection,) = first.server.connections
        connection.write("here again")
        await ann.sees("here again")
        await ann.type("3")
        await ann.sees("first heard 3")


async def test_a_world_does_not_claim_again_once_another_one_has_opened_its_database(
    autojump_clock: MockClock,
) -> None:
    """It is cut off and replaced, and when it comes back, the cluster link knows neither of them any more."""
    stored = Stored()
    async with open_split() as split:
        first = await split.start_game(BANK, stored)
        ann = await split.mud.player()
        await ann.type("ann 0 0 3 5")
        await ann.sees("ok 0")
        await trio.sleep(5)
        second = await split.start_game(BANK, stored)
        await ann.type("ann 1 0 3 5")
        await ann.sees("ok 1")
        await settle()
        split.cluster.forget()
        (connection,) = first.server.connections
        connection.write("here again")
        await trio.sleep(1)
        assert isinstance(first.failed, Fenced)
        (connection,) = second.server.connections
        connection.write("on we go")
        await ann.sees("on we go")
        await ann.type("ann 2 0 3 5")
        await ann.sees("ok 2")
        await trio.sleep(5)
        audit(stored.rows.values(), {"ann": [0, 1, 2]})


@pytest.mark.parametrize("is_full", [False, True], ids=["slow", "full"])
async def test_a_world_claims_again_if_its_database_cannot_be_read(autojump_clock: MockClock, is_full: bool) -> None:
    async with open_split() as split:
        disk = Disk()
        world = await split.start_game(BANK, Stored(), disk)
        ann = await split.mud.player()
        await trio.sleep(5)
        disk.is_full = is_full
        if not is_full:
            disk.ready = trio.Event()
        split.cluster.forget()
        (connection,) = world.server.connections
        connection.write("we are still here")
        await ann.sees("we are still here")
        await ann.type("ann 0 0 3 5")
        await ann.sees("ok 0")
        disk.is_full = False
        disk.ready.set()


async def test_a_line_is_acknowledged_with_its_records_also_by_the_commit_after_one_that_was_refused(
    autojump_clock: MockClock,
) -> None:
    stored = Stored()
    async with open_split() as split:
        world = await split.start_game(BANK, stored)
        ann = await split.mud.player()
        await trio.sleep(5)
        world.memory.is_dead = True  # the cluster link alone has what follows
        deliver = block(world.end)
        await ann.type("ann 0 0 3 5")
        await ann.type("ann 1 0 3 5")  # it is handled while the commit of the first line is under way
        await settle()
        split.cluster.forget()
        commit = world.end.commit

        async def commit_and_die(cargo: Commit) -> None:
            await commit(cargo)
            world.kill()

        world.end.commit = commit_and_die  # type: ignore[method-assign, assignment]
        deliver()
        await ann.sees("ok 1")
        await split.start_game(BANK, stored)
        await trio.sleep(5)
        audit(stored.rows.values(), {"ann": [0, 1]})
