"""MSSP: figures about the game for the crawlers of MUD listings.

Source: MSSP (Mud Server Status Protocol)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ..codes import MSSP
from .base import Engine, Option, Policy

VAR: Final = 1
VAL: Final = 2

PERIOD: Final = 60.0  # seconds between two answers to one peer
PLAIN_REQUEST: Final = "MSSP-REQUEST"  # the line sent by a crawler without telnet, in upper or lower case
PLAIN_PERIOD: Final = 1.0  # seconds between two answers to that line

Value = str | int | Sequence[str | int]
Variables = Mapping[str, Value]


class Mssp(Option):
    """Sends the game's variables to a peer that agrees to the option, at most once a minute.

    Args:
        variables: Called for each answer; returns names and values, several values as a sequence. The standard
            requires NAME, PLAYERS and UPTIME, the start of the game in seconds since the epoch.
    """

    __slots__ = ("_is_resting", "_variables")

    code = MSSP
    ours = Policy.OFFER

    def __init__(self, variables: Callable[[], Variables]) -> None:
        self._variables = variables
        self._is_resting = False

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if enabled and not self._is_resting:
            self._is_resting = True
            engine.set_deadline(MSSP, PERIOD)
            engine.send_subnegotiation(MSSP, render(self._variables()))

    def on_deadline(self, engine: Engine) -> None:
        self._is_resting = False


def render(variables: Variables) -> bytes:
    """Encode variables as a payload: for each variable 01 and its name, then 02 and a value for each value."""
    return b"".join(
        bytes((VAR,)) + name.encode() + b"".join(bytes((VAL,)) + value.encode() for value in values)
        for name, values in _cleaned(variables)
    )


def render_plain(variables: Variables) -> str:
    """Render variables as the answer to the line `PLAIN_REQUEST`: one variable a line, its values after tabs."""
    rows = ("\t".join((name, *values)) for name, values in _cleaned(variables))
    return "\n".join(("MSSP-REPLY-START", *rows, "MSSP-REPLY-END", ""))


def _cleaned(variables: Variables) -> Iterator[tuple[str, list[str]]]:
    for name, values in variables.items():
        yield _clean(name), [_clean(str(value)) for value in ([values] if isinstance(values, str | int) else values)]


def _clean(text: str) -> str:
    """Remove characters with a meaning in either form: 00, 01, 02, tab, line ends. ff does not occur in UTF-8."""
    printable = (character for character in text if character >= " ")
    return "".join(printable).encode("utf-8", "replace").decode()
