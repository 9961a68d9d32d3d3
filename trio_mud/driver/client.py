"""What is known of the peer's program, as far as it told."""

from __future__ import annotations

from typing import NamedTuple

TRUECOLOUR = 1 << 24
_BIT_ANSI, _BIT_256_COLOURS, _BIT_TRUECOLOUR = 1, 8, 256  # of MTTS, the Mud Terminal Type Standard


class Size(NamedTuple):
    """A window, in characters."""

    columns: int
    rows: int


class Client:
    """The peer's program. Nothing here is to be trusted: every word of it was sent by the peer.

    Attributes:
        size: Its window, 80 by 24 until it tells.
        terminals: What it answered to TTYPE, in order, upper case:
            a MUD client names itself, its terminal, and `MTTS` with a number; others name their terminal.
        charset: The Python name of the encoding of what it sends and reads.
        colours: How many it can show: 0, 16, 256 or 16,777,216.
    """

    __slots__ = ("charset", "colours", "size", "terminals")

    def __init__(self) -> None:
        self.size = Size(80, 24)
        self.terminals: tuple[str, ...] = ()
        self.charset = "utf-8"
        self.colours = 0

    @property
    def terminal(self) -> str:
        """The terminal's name, or "" if it was not told."""
        named = [name for name in self.terminals if not name.startswith("MTTS ")]
        return named[min(1, len(named) - 1)] if named else ""

    def tell_terminal(self, name: str) -> None:
        """It named itself, its terminal, or its abilities."""
        name = name.upper()
        self.terminals = (*self.terminals, name)
        self.colours = max(self.colours, _colours_of(name))


def _colours_of(name: str) -> int:
    if name.startswith("MTTS "):
        bits = int(name[5:]) if name[5:].isdigit() and len(name) < 16 else 0
        if bits & _BIT_TRUECOLOUR:
            return TRUECOLOUR
        return 256 if bits & _BIT_256_COLOURS else 16 if bits & _BIT_ANSI else 0
    if name.endswith("-TRUECOLOR") or "KITTY" in name or "DIRECT" in name:
        return TRUECOLOUR
    if "256COLOR" in name:
        return 256
    return 16 if name.startswith(("ANSI", "XTERM", "SCREEN", "TMUX", "LINUX", "RXVT", "PUTTY", "VT2", "KONSOLE")) else 0
