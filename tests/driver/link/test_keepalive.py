"""Silent links: probes at their interval, and a peer that does not answer them is dead."""

from __future__ import annotations

import errno

import pytest
import trio
import trio.testing

from trio_mud import Cause, Limits
from trio_mud.telnet.codes import DONT, END_OF_RECORD, IAC, NOP
from trio_mud.testing import OpenMud
from trio_mud.transports import DeadPeer, broken

from ..conftest import EventLog, first_connection, open_house, settled, until

NO_OP = bytes((IAC, NOP))


async def test_probes_are_sent_at_their_pace_and_not_seen(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(EventLog().hooks, limits=Limits(keepalive_interval=60)) as house:
        wire = await house.connect()
        wire.say(bytes((IAC, DONT, END_OF_RECORD)) + b"look\r\n")
        await settled()
        wire.sent.clear()
        await trio.sleep(299)
        assert wire.sent == [NO_OP] * 4


async def test_a_peer_that_perhaps_knows_no_telnet_is_not_probed(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(EventLog().hooks, limits=Limits(keepalive_interval=60)) as house:
        wire = await house.connect()
        wire.say(b"look\r\n")
        await trio.sleep(10)
        wire.sent.clear()
        await trio.sleep(1000)
        assert NO_OP not in b"".join(wire.sent)


async def test_where_gmcp_is_agreed_the_probe_is_a_message_of_it(mud: OpenMud, witness: EventLog) -> None:
    """MegaMUD chokes on NOP."""
    async with mud(witness.hooks, limits=Limits(keepalive_interval=60)) as place:
        player = await place.player(gmcp=("Room",))
        await player.type("look")
        await trio.sleep(301)
        assert [package for package, _ in player.gmcp].count("Core.KeepAlive") == 5
        assert first_connection(place.server).ending is None


async def test_no_probe_is_added_to_what_waits_already(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(EventLog().hooks, limits=Limits(keepalive_interval=60, write_stall_timeout=None)) as house:
        wire = await house.connect()
        wire.say(bytes((IAC, DONT, END_OF_RECORD)) + b"look\r\n")
        await settled()
        wire.room = 0
        first_connection(house.server).write("a line")
        await trio.sleep(600)
        wire.sent.clear()
        wire.make_room(1 << 20)
        await settled()
        assert b"".join(wire.sent) == b"a line\r\n"


async def test_by_default_nothing_is_probed_in_the_protocol(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(EventLog().hooks) as house:
        wire = await house.connect()
        wire.say(bytes((IAC, DONT, END_OF_RECORD)) + b"look\r\n")
        await trio.sleep(10)
        wire.sent.clear()
        await trio.sleep(10_000)
        assert wire.sent == []


# Silence of the link


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_a_link_that_broke_for_want_of_answers_says_so_however_deep_it_is_wrapped(number: int) -> None:
    error: BaseException = OSError(number, "silence")
    for _ in range(3):
        assert isinstance(broken(error, "gone"), DeadPeer)
        wrapped = trio.BrokenResourceError()
        wrapped.__cause__ = error
        error = wrapped


@pytest.mark.parametrize(
    "error", [ConnectionResetError(errno.ECONNRESET, ""), BrokenPipeError(), OSError(), KeyError()]
)
def test_a_link_that_was_torn_is_no_dead_peer(error: Exception) -> None:
    assert type(broken(error, "gone")) is trio.BrokenResourceError


async def test_a_peer_that_answers_no_more_is_dead_when_it_is_read_from(
    autojump_clock: trio.testing.MockClock, witness: EventLog
) -> None:
    async with open_house(witness.hooks) as house:
        wire = await house.connect()
        wire.say(b"look\r\n")
        wire._put.send_nowait(DeadPeer())
        await settled()
        assert witness.last_ending.cause is Cause.DEAD_PEER
    assert witness.story()[-2:] == ["guest-1: look", "guest-1 linkdeath: dead peer"]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "by the rest-writer"])
async def test_a_peer_that_answers_no_more_is_dead_when_it_is_written_to(
    autojump_clock: trio.testing.MockClock, witness: EventLog, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(witness.hooks) as house:
        wire = await house.connect()

        def send_nowait(data: bytes) -> int:
            raise DeadPeer

        async def send_some(data: bytes) -> int:
            await trio.sleep(3)
            raise DeadPeer

        if not at_once:
            wire.room = 0
            monkeypatch.setattr(wire, "send_some", send_some)
        else:
            monkeypatch.setattr(wire, "send_nowait", send_nowait)
        first_connection(house.server).write("Hello?")
        await until(lambda: witness.disconnects())
        assert witness.last_ending.cause is Cause.DEAD_PEER
