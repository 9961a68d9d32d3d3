"""Stacks: which function of the game the event loop runs now, for which event.

It reads frames only and calls no code of the game, so it may run in another thread while the game blocks the loop.
Used by the watchdog and by the console.
"""

from __future__ import annotations

import sys
from types import FrameType, TracebackType
from typing import Final, NamedTuple

from ..core.events import HookEvent

_DRIVER: Final = "trio_mud.driver."
_DISPATCHER: Final = "trio_mud.driver.core.dispatcher"  # its frames hold the event in flight
_TRIO_LOOP: Final = "trio._core._run"  # calls every task
_NOT_THE_GAME: Final = ("trio.", *(f"trio_mud.{room}." for room in ("driver", "telnet", "text", "transports")))
_PACKAGE: Final = "trio_mud."
_BUNDLED_GAME: Final = "trio_mud.mudlib."


class Activity(NamedTuple):
    """The work of the event loop at one moment."""

    where: str
    """The outermost function of the game, its file and its current line.

    If none runs, the outermost one of the library above the driver, such as that of a verb; "" if there is none either.
    """

    event: str
    """The event and its subject, such as `Input of <Connection ann …>`; "" if there is none."""

    trace: TracebackType | None
    """The whole stack."""


def activity_of(innermost: FrameType | None) -> Activity:
    """Return the activity of the event loop, from the innermost frame of its thread."""
    trace: TracebackType | None = None
    where = library = what = ""
    frame, is_in_task = innermost, True
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        is_in_task = is_in_task and not (module == _TRIO_LOOP and frame.f_code.co_name == "unrolled_run")
        if is_in_task and not f"{module}.".startswith(_NOT_THE_GAME):
            # In the end the outermost frame of each: the driver calls the library, which calls a verb of the game.
            if f"{module}.".startswith(_PACKAGE) and not f"{module}.".startswith(_BUNDLED_GAME):
                library = place_of(frame)
            else:
                where = place_of(frame)
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
        if module == _DISPATCHER:
            event = frame.f_locals.get("event")
            what = _named(event) if isinstance(event, HookEvent) else what
        frame = frame.f_back
    return Activity(where or library, what, trace)


def event_in_flight() -> tuple[HookEvent, int] | None:
    """Return the event whose function runs now in this task, and its number; None outside the functions of an event."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == _DISPATCHER:
            event, number = frame.f_locals.get("event"), frame.f_locals.get("number")
            if isinstance(event, HookEvent) and isinstance(number, int):
                return event, number
        frame = frame.f_back
    return None


def place_of(frame: FrameType) -> str:
    """Return the function of a frame, its file, and its current line: `work at mill.py:21`."""
    name = frame.f_code.co_qualname.rpartition("<locals>.")[2]
    return f"{name} at {frame.f_code.co_filename}:{frame.f_lineno}"


def _named(event: HookEvent) -> str:
    """Return the event and its subject without calling code of the game, which might wait for the blocked loop."""
    kind = type(event)
    if not kind.__module__.startswith(_DRIVER):  # an event of the game, whose attributes may run any code
        return kind.__name__
    if (connection := getattr(event, "connection", None)) is not None:
        return f"{kind.__name__} of {connection!r}"
    if (session := getattr(event, "session", None)) is not None:
        key = session.key
        return f"{kind.__name__} of the session of {repr(key) if type(key) is str else 'a ' + type(key).__name__}"
    return kind.__name__
