"""Services: tasks that live as long as their server, such as a dashboard or a game's own connection to a database.

Who uses it: `MasterServer(…, services=[…])`.
"""

from __future__ import annotations

from typing import Protocol

import trio


class Service(Protocol):
    """A part that runs beside the dispatcher for as long as the server serves.

    Services are started in the order given, before the first connection is accepted,
    and closed in reverse order after the last event was handled.
    A service that raises, or returns before `aclose` was called, stops the server.
    """

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run until `aclose`; call `task_status.started()` when ready. The server waits for that.

        It may be cancelled at any checkpoint when the server ends the hard way.
        """
        ...

    async def aclose(self) -> None:
        """End `run` and release what it holds. Called once; bounded by `limits.cleanup`."""
        ...
