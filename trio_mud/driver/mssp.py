"""What a game tells MUD listings about itself, checked where it is given.

The figures are sent to whoever asks, long after they were set: a wrong one must be found by its author, not by a peer.
Who uses it: `MasterServer.mssp`.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping, Sequence
from typing import cast

Value = str | int | float
Variable = Value | Sequence[Value]


class MsspVariables(UserDict[str, Variable]):
    """Names and values as in the Mud Server Status Protocol. A number is stored as its text.

    Raises:
        TypeError: A name is no text, or a value is neither a text nor a number nor a sequence of these.
    """

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        super().__init__()
        for name, value in variables.items():
            self[name] = value

    def as_text(self) -> dict[str, str | Sequence[str]]:
        """What is sent: each value as a text, or several of them."""
        return cast("dict[str, str | Sequence[str]]", dict(self.data))

    def __setitem__(self, name: str, value: Variable) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of an MSSP variable is a str, not {name!r}")
        super().__setitem__(name, _as_text(name, value))


def _as_text(name: str, value: object) -> str | tuple[str, ...]:
    if isinstance(value, bool):  # 1 and 0 in the protocol, and a subclass of int
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    if not isinstance(value, Sequence) or not all(isinstance(item, str | int | float) for item in value):
        raise TypeError(f"the MSSP variable {name} is a str, a number or a sequence of these, not {value!r}")
    return tuple(str(item) for item in value)
