"""Name and password by GMCP: the package Char.Login, version 1.

The client sends them without a question, so the player types nothing. One that has none sends an empty object. Not
every client answers, Mudlet 4.18 for one, so the login goes on with questions after a few seconds.

Source: Mudlet's manual, "GMCP authentication"; credentials travel as text, so an encrypted link is required.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import trio

from trio_mud import Connection, GmcpMessage, Secret

from .options import AccountOptions

__all__ = ["Credentials", "GmcpLogin"]

PACKAGE: Final = "char.login"  # as `Client.packages` has it


class Credentials(NamedTuple):
    """A name and a password, as a program sent them."""

    name: str
    password: Secret


class GmcpLogin:
    """Asks programs for credentials. `receive` has to be on `GmcpMessage`."""

    def __init__(self, options: AccountOptions) -> None:
        self._options = options
        self._waiting: WeakKeyDictionary[Connection, trio.MemorySendChannel[Credentials]] = WeakKeyDictionary()

    async def ask(self, connection: Connection) -> Credentials | None:
        """Return what the program sends; None if it has nothing, may not use the package, or is too slow.

        Only a program that names `Char.Login` itself is asked: others that name `Char`, browsers too, never answer.
        """
        if not (connection.client.is_secure or self._options.plain_gmcp) or PACKAGE not in connection.client.packages:
            return None
        if not connection.gmcp("Char.Login.Default", {"type": ["password-credentials"]}):
            return None
        send, receive = trio.open_memory_channel[Credentials](1)
        self._waiting[connection] = send
        try:
            with trio.move_on_after(self._options.gmcp_timeout), suppress(trio.EndOfChannel):
                return await receive.receive()
            return None
        finally:
            self._waiting.pop(connection, None)

    def answer(self, connection: Connection, message: str = "", *, success: bool) -> None:
        """Report the result to the program."""
        result = {"success": success} | ({"message": message} if message else {})
        connection.gmcp("Char.Login.Result", result)

    def receive(self, event: GmcpMessage) -> None:
        """Pass credentials to the login that waits for them; without any, it asks its questions at once."""
        if event.package.lower() != "char.login.credentials":
            return
        waiting = self._waiting.pop(event.connection, None)
        if waiting is None:
            return
        data = event.data if isinstance(event.data, dict) else {}
        name, password = data.get("account"), data.get("password")
        if isinstance(name, str) and isinstance(password, str):
            waiting.send_nowait(Credentials(name, Secret(password)))
        waiting.close()
