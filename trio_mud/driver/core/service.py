"""Services: tasks that live as long as their server, such as a dashboard or a game's own connection to a database.

Used by `MasterServer(…, services=[…])`.
"""

from __future__ import annotations

from typing import Protocol

import trio

from .checks import article


class Service(Protocol):
    """Runs beside the dispatcher as long as the server serves.

    Services are started in the order given, before the first connection is accepted.
    They are closed in reverse order after the last event was handled.
    A service that raises, or returns before `aclose` was called, stops the server.
    If it has a method `attach_server(server)`, that is called when the server is created.
    If it has a method `start_failed(error)`, that is called at once if the server ends before all functions on
    `Started` have run, because one of them or a service has failed.
    """

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run until `aclose` is called; call `task_status.started()` when ready. The server waits for that.

        The service may be cancelled at any checkpoint when the server is stopped hard.
        """
        ...

    async def aclose(self) -> None:
        """End `run` and release its resources. Called once; cancelled after `limits.cleanup_timeout` seconds."""
        ...


def check_service(service: object) -> None:
    """Raise unless this has the methods of a `Service`.

    Raises:
        TypeError: It is a class, or lacks a method.
    """
    if isinstance(service, type):
        raise TypeError(f"MasterServer(services=) takes objects, not a class: write {service.__name__}()")
    for name in ("run", "aclose"):
        if not callable(getattr(service, name, None)):
            raise TypeError(f"MasterServer(services=) takes a Service, not {article(service)}: {name}() is missing")
