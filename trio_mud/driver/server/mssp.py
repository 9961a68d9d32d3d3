"""The MSSP variables of a game, which MUD listings read, checked when they are set.

They are sent long after they were set, so an invalid value is reported to its author at once and not in a peer's turn.
Used by `MasterServer.mssp`.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Self, cast

from ...text.cleaning import exact
from ..core.thread import HomeThread

Value = str | int | float
Variable = Value | Sequence[Value]


class MsspVariables(UserDict[str, Variable]):
    """Names and values as in the Mud Server Status Protocol. A number is stored as its text.

    Args:
        variables: The initial names and values.
        home: The thread of the server, which alone may change them.

    Raises:
        TypeError: A name is not a `str`, or a value is neither a `str` nor a number nor a sequence of these.
        LocalProtocolError: A variable is changed in another thread than the server's.
    """

    def __init__(self, variables: Mapping[str, Variable], home: HomeThread | None = None) -> None:
        super().__init__()
        self._home = home or HomeThread()
        for name, value in variables.items():
            self[name] = value

    def as_text(self) -> dict[str, str | Sequence[str]]:
        """Return the variables as they are sent: each value as a text or a sequence of texts."""
        return cast("dict[str, str | Sequence[str]]", dict(self.data))

    def __setitem__(self, name: str, value: Variable) -> None:
        self._home.check()
        if not isinstance(name, str):
            raise TypeError(f"the name of an MSSP variable is a str, not {name!r}")
        name = exact(name)
        super().__setitem__(name, _as_text(name, value))

    def __delitem__(self, name: str) -> None:
        self._home.check()
        super().__delitem__(name)

    def __ior__(self, other: Mapping[str, Variable] | Iterable[tuple[str, Variable]]) -> Self:  # type: ignore[override,misc]
        self.update(MsspVariables(dict(other)))  # checks all before any is set
        return self


def _as_text(name: str, value: object) -> str | tuple[str, ...]:
    if isinstance(value, bool):  # bool is a subclass of int; MSSP writes 1 and 0
        return str(int(value))
    if isinstance(value, str | int | float):
        return exact(str(value))
    if not isinstance(value, Sequence) or not all(isinstance(item, str | int | float) for item in value):
        raise TypeError(f"the MSSP variable {name} is a str, a number or a sequence of these, not {value!r}")
    return tuple(exact(str(item)) for item in value)
