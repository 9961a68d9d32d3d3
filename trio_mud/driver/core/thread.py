"""The thread of a server's event loop, and the refusal of calls from any other thread.

trio must not be used from another thread. A call that fails halfway has changed state already and has lost a task,
so every public method that changes anything checks the thread first.
Used by `MasterServer` and everything that belongs to it.
"""

from __future__ import annotations

import sys
import threading
from threading import get_ident
from types import FrameType
from typing import NoReturn

from ...errors import LocalProtocolError


class HomeThread:
    """One server's thread.

    Attributes:
        ident: Its identifier; 0 until the server serves, when calls from any thread are accepted.
    """

    __slots__ = ("__weakref__", "ident")

    def __init__(self) -> None:
        self.ident = 0

    def enter(self) -> None:
        """Make the running thread the server's."""
        self.ident = get_ident()

    def check(self) -> None:
        """Refuse a call of a public method from any thread but the server's own.

        Raises:
            LocalProtocolError: The call is made in another thread; nothing has been changed.
        """
        if get_ident() != self.ident and self.ident:
            _refuse(sys._getframe(1))


def _refuse(called: FrameType) -> NoReturn:
    owner = called.f_locals.get("self")
    method = called.f_code.co_name if owner is None else f"{type(owner).__name__}.{called.f_code.co_name}"
    raise LocalProtocolError(
        f"{method} was called in the thread {threading.current_thread().name!r}, and nothing was changed: "
        "call it in the event loop, from a thread by `trio.from_thread.run_sync`"
    )
