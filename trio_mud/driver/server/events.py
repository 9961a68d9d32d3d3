"""The events of the server itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.events import HookEvent

if TYPE_CHECKING:
    from .server import MasterServer


@dataclass(frozen=True, slots=True)
class Started(HookEvent):
    """The server runs: the first event of all. No connection is accepted before its functions have run.

    A function that raises, or waits longer than `limits.hook_timeout`, ends `serve` with that error.
    """

    server: MasterServer


@dataclass(frozen=True, slots=True)
class Reloaded(HookEvent):
    """The code of the game was reloaded. Its functions are those of the new code.

    Attributes:
        server: The server.
        modules: The names of the modules that were imported again.
        records: How many living records got another class or other fields.
        seconds: The time from the request to the exchange.
    """

    server: MasterServer
    modules: tuple[str, ...]
    records: int
    seconds: float
