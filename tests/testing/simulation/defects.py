"""Planted defects: each is a patch of the driver that makes one promise false, and the simulator has to find it.

Each replaces something that must exist, so that a change of the driver cannot turn a defect into nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final

import trio

from trio_mud.driver.connection import Connection
from trio_mud.driver.doors import Doors
from trio_mud.driver.events import Cause, Reason
from trio_mud.driver.life import Life
from trio_mud.driver.registry import Connections
from trio_mud.driver.server import MasterServer
from trio_mud.driver.sessions import Sessions

Patch = Callable[[], AbstractContextManager[object]]

DEFECTS: Final[dict[str, Patch]] = {}


def defect(target: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Plant this in the place of a method; it is called with the true one first."""

    def plant(replacement: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def patch() -> Iterator[None]:
            true = target.__dict__[name]  # a KeyError means that the driver has changed: plant it elsewhere
            assert callable(true)

            def planted(*args: Any, **kwargs: Any) -> Any:
                return replacement(true, *args, **kwargs)

            setattr(target, name, planted)
            try:
                yield
            finally:
                setattr(target, name, true)

        DEFECTS[replacement.__name__] = patch
        return replacement

    return plant


@defect(Connections, "discard")
def a_registry_entry_leaks(true: Any, self: Connections, connection: Connection) -> None:
    if connection.ending is not Cause.RESET:
        true(self, connection)


@defect(MasterServer, "_say_farewell")
async def the_farewell_never_ends(true: Any, self: MasterServer) -> None:
    self.timers.stop()
    await trio.sleep_forever()


@defect(Doors, "close")
def the_doors_stay_open(true: Any, self: Doors) -> None:
    """Nothing."""


@defect(Life, "_close")
async def two_tasks_keep_each_other_busy(true: Any, self: Life, *, gently: bool) -> None:
    while self._connection.ending is Cause.RESET:
        await trio.lowlevel.checkpoint()
    await true(self, gently=gently)


@defect(Sessions, "_take_from_all")
def a_takeover_leaves_two_owners(true: Any, self: Sessions, session: Any) -> None:
    """Nobody is told."""


@defect(MasterServer, "_forget")
def the_list_is_left_after_the_hook(true: Any, self: MasterServer, event: Any) -> None:
    if event.reason is Reason.LINKDEATH:
        self.timers.at(trio.current_time(), partial(true, self, event))
    else:
        true(self, event)
