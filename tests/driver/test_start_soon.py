"""`start_soon` of a server, a connection and a session has the shape of trio's."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from trio_mud import Hooks
from trio_mud.testing import OpenMud

from .conftest import first_connection, settled

OWNERS = ("MasterServer", "Connection", "Session")


def owner_of(place: Any, kind: str) -> Any:
    connection = first_connection(place.server)
    if kind == "MasterServer":
        return place.server
    return connection if kind == "Connection" else place.server.sessions.enter("ann", connection)


@pytest.mark.parametrize("kind", OWNERS)
async def test_work_gets_its_arguments_and_its_task_the_name(mud: OpenMud, kind: str) -> None:
    seen: list[object] = []

    async def work(*args: object) -> None:
        seen.append((args, trio.lowlevel.current_task().name))
        await trio.lowlevel.checkpoint()

    async with mud(Hooks()) as place:
        await place.player()
        owner_of(place, kind).start_soon(work, 1, "two", name="the mill")
        await settled()
    assert seen == [((1, "two"), "the mill")]


@pytest.mark.parametrize("kind", OWNERS)
async def test_a_wrong_number_of_arguments_is_refused_at_once(mud: OpenMud, kind: str) -> None:
    async def work(one: object) -> None:
        await trio.sleep_forever()

    async with mud(Hooks()) as place:
        await place.player()
        owner = owner_of(place, kind)
        for args, count in (((), "no arguments"), ((1, 2), "2 arguments")):
            with pytest.raises(TypeError, match=rf"^{kind}.start_soon\(\) calls its function with {count}"):
                owner.start_soon(work, *args)
