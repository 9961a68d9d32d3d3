"""Messages of a client's program become facts, events, or a fault that affects only that message."""

from __future__ import annotations

import pytest

from trio_mud import Cause, Limits
from trio_mud.telnet.codes import CHARSET, DO, GMCP, IAC, MSDP, NAWS, NEW_ENVIRON, SB, SE, TTYPE, WILL
from trio_mud.testing import OpenMud

from ..conftest import EventLog, FakeTransport, open_house, settled


@pytest.mark.parametrize(
    "payload",
    [
        bytes((GMCP,)) + b"client webmud.example",  # MUDPortal's web client
        bytes((GMCP,)) + b"char { 'hp': 1 }",
        bytes((GMCP,)) + b'Core.Hello {"client": "Mudlet", "version": 3.14.0}',  # Mudlet 3
        bytes((GMCP,)) + b'Core.Supports.Set ["Char 0"]',
        bytes((GMCP,)) + b"Core.Supports.Set [" * 40,
        bytes((GMCP,)) + b"\xff\xff",
        bytes((GMCP,)),
        bytes((NAWS, 0)),
        bytes((NAWS, 0, 80, 0, 24, 0)),
        bytes((TTYPE, 0)) + b"\x1b[31m",
        bytes((MSDP, 2, 2, 4, 4)),
        bytes((CHARSET, 9)) + b"?",
        bytes((NEW_ENVIRON, 0, 0)) + b"x" * 600,
        bytes((99,)) + b"x",
    ],
    ids=lambda payload: payload[:24].hex(),
)
async def test_content_that_cannot_be_understood_never_ends_a_connection(
    mud: OpenMud, talkers: EventLog, payload: bytes
) -> None:
    """K10: the frame is valid, so the player plays on, for any number of them."""
    async with mud(talkers.hooks, limits=Limits(max_anomalies=1)) as place:
        player = await place.player(columns=80, rows=24, terminal=("XTERM",))
        await settled()
        agreed = bytes((IAC, DO, GMCP, IAC, DO, MSDP, IAC, DO, CHARSET, IAC, WILL, NEW_ENVIRON))
        await player.send(agreed + (bytes((IAC, SB)) + payload + bytes((IAC, SE))) * 20 + b"look\r\n")
        await player.sees("you said look")
    assert talkers.last_ending.cause is Cause.SHUTDOWN


async def test_what_is_malformed_is_counted(mud: OpenMud, talkers: EventLog) -> None:
    """K10: a faulty client is found by the counters."""
    async with mud(talkers.hooks) as place:
        player = await place.player(columns=80, rows=24)
        await player.send(bytes((IAC, SB, NAWS, 1, IAC, SE)) * 7)
        await player.type("look")
        await player.sees("you said look")
        assert place.front.counters["anomaly: malformed payload"] == 7


@pytest.mark.parametrize("may_be_health_check", [False, True], ids=["directly", "behind a proxy"])
async def test_a_transport_of_a_game_may_receive_bytearrays(talkers: EventLog, may_be_health_check: bool) -> None:
    """The compiled build ended its link with a TypeError."""
    async with open_house(talkers.hooks) as house:
        wire = FakeTransport(address="192.0.2.1")
        wire.may_be_health_check = may_be_health_check
        house.listener.connect(wire)
        for piece in (b"look\r", b"\nlisten\r\n"):
            wire.say(bytearray(piece))  # type: ignore[arg-type]  # as a game that is not type checked
        await settled()
        assert "you said look" in wire.text
        assert "you said listen" in wire.text
