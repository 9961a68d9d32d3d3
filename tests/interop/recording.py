"""Engines that write down what passes through them, as a script that `tests/telnet/test_recorded.py` plays again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trio_mud import MasterServer
from trio_mud.telnet import Option, TelnetEngine, TelnetEvent


class RecordingEngine(TelnetEngine):
    """Behaves as any engine does; `steps` are what was done with it, in order."""

    __slots__ = ("steps",)

    def __init__(self, options: Iterable[Option]) -> None:
        options = tuple(options)
        self.steps: list[tuple[str, object]] = [("speaks", [option.code for option in options])]
        super().__init__(options)

    def receive(self, data: bytes) -> list[TelnetEvent]:
        events = super().receive(data)
        if data:
            self.steps.append(("hears", data))
        return events

    def receive_line(self, data: bytes) -> str | None:
        line = super().receive_line(data)
        if line is not None:
            self.steps.append(("hears", data))
        return line

    def data_to_send(self) -> bytes:
        data = super().data_to_send()
        if data:
            self.steps.append(("says", data))
        return data

    def hide_input(self, hidden: bool, *, ends_line: bool = True) -> None:
        self.steps.append(("hides", hidden))
        super().hide_input(hidden, ends_line=ends_line)

    def send_encoded(self, data: bytes) -> None:
        self.steps.append(("writes", data))
        super().send_encoded(data)

    def tick(self, now: float, *, is_read: bool = True) -> list[TelnetEvent]:
        self.steps.append(("ticks", now))
        return super().tick(now, is_read=is_read)

    def wire(self, step: str) -> bytes:
        """Return all bytes that it `hears`, or that it `says`."""
        return b"".join(what for kind, what in self.steps if kind == step and isinstance(what, bytes))


class RecordingServer(MasterServer):
    """A server all of whose engines are written down."""

    def _make_engine(self, *, is_secure: bool = False) -> TelnetEngine:
        return RecordingEngine(self._uncompressed_options if is_secure else self._options)


def save(engine: RecordingEngine, path: Path, program: str) -> None:
    """Write a recording: one step a line, bytes as Python writes them, times counted from the first."""
    lines = [
        f"# {program}: recorded by `nox -s interop -- --record FOLDER`, played again by tests/telnet/test_recorded.py"
    ]
    began: float | None = None
    for kind, what in engine.steps:
        if isinstance(what, float):
            began = what if began is None else began
            what = round(what - began, 3)
        lines.append(f"{kind} {what!r}")
    path.write_text("\n".join([*lines, ""]), encoding="ascii")
