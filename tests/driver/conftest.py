"""What the tests of the driver share: hooks that write down what they see."""

from __future__ import annotations

import pytest

from trio_mud import (
    Admitted,
    Connect,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    WindowSize,
)


class Witness:
    """Hooks that record every event in the order it came, as short words: `guest-1 connect`, `guest-1: look`."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.events: list[HookEvent] = []
        for event_type in (Connect, Admitted, Input, WindowSize, Disconnect):
            self.hooks.on(event_type, order=-1)(self.events.append)

    def story(self, name: str = "") -> list[str]:
        """What happened, to everybody or to one."""
        told = [_tell(event) for event in self.events]
        return [words for words in told if words.startswith(name)]

    def disconnects(self) -> list[Disconnect]:
        """Every disconnect event, in order."""
        return [event for event in self.events if isinstance(event, Disconnect)]

    @property
    def last_ending(self) -> Disconnect:
        """The disconnect event that came last."""
        return self.disconnects()[-1]


def _tell(event: HookEvent) -> str:
    match event:
        case Connect(connection):
            return f"{connection.name} connect"
        case Admitted(connection):
            return f"{connection.name} admitted"
        case Input(connection, line):
            return f"{connection.name}: {line}"
        case WindowSize(connection, columns, rows):
            return f"{connection.name} {columns}x{rows}"
        case Disconnect(connection, reason, cause):
            return f"{connection.name} {reason.value}: {cause}"
        case _:
            return repr(event)


@pytest.fixture
def witness() -> Witness:
    """Hooks that record what they see, on the public names only."""
    return Witness()


@pytest.fixture
def talkers(witness: Witness) -> Witness:
    """A witness whose game echoes every line, and knows `quit`."""

    @witness.hooks.on(Input)
    def echo(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Farewell.")
        else:
            event.connection.write(f"you said {event.line}")

    return witness
