"""Exchanges with real programs, recorded by the interop session: the engine receives and sends the same again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from trio_mud.telnet import DEFAULT_OPTIONS, Line, Option, TelnetEngine, TelnetEvent, WindowResized
from trio_mud.telnet.options import Mssp
from trio_mud.testing.playbook import drain, spell

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.txt"))
OPTIONS: dict[int, Option] = {option.code: option for option in (Mssp(dict), *DEFAULT_OPTIONS)}

Step = tuple[str, object]


@dataclass(frozen=True)
class Heard:
    """The result of an exchange for an engine."""

    events: list[TelnetEvent]
    said: bytes


def read(path: Path) -> list[Step]:
    lines = [line for line in path.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    return [(kind, ast.literal_eval(what)) for kind, _, what in (line.partition(" ") for line in lines)]


def play(steps: list[Step]) -> Heard:
    """Do with a new engine what was done with that of the recording."""
    ((_, codes), *steps) = steps
    assert isinstance(codes, list)
    engine = TelnetEngine([OPTIONS[code] for code in codes])
    events: list[TelnetEvent] = []
    said = b""
    for kind, what in steps:
        match kind, what:
            case "hears", bytes(data):
                events += engine.receive(data)
                while engine.pending:
                    events += engine.receive(b"")
            case "hides", bool(hidden):
                engine.hide_input(hidden)
            case "writes", bytes(data):
                engine.send_encoded(data)
            case "ticks", float(now):
                events += engine.tick(now)
            case "says", _:
                said += drain(engine)
            case _:
                raise AssertionError(f"no step of a recording: {kind}")
    return Heard(events, said + drain(engine))


def cut_everywhere(steps: list[Step]) -> Iterator[list[Step]]:
    """Yield the same steps with one received piece cut in two, at every place in turn."""
    for number, (kind, what) in enumerate(steps):
        if kind == "hears" and isinstance(what, bytes):
            for cut in range(1, len(what)):
                yield [*steps[:number], (kind, what[:cut]), (kind, what[cut:]), *steps[number + 1 :]]


def byte_by_byte(steps: list[Step]) -> list[Step]:
    cut: list[Step] = []
    for kind, what in steps:
        if kind == "hears" and isinstance(what, bytes):
            cut += [(kind, what[at : at + 1]) for at in range(len(what))]
        else:
            cut.append((kind, what))
    return cut


def test_there_are_recordings() -> None:
    assert len(RECORDED) >= 10


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_engine_says_to_a_program_what_it_said(path: Path) -> None:
    steps = read(path)
    recorded = b"".join(what for kind, what in steps if kind == "says" and isinstance(what, bytes))
    assert spell(play(steps).said) == spell(recorded)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_a_program_typed_is_read_line_by_line(path: Path) -> None:
    events = play(read(path)).events
    word = "naive" if path.stem == "tf" else "naïve"
    lines = [(event.text, event.hidden) for event in events if isinstance(event, Line)]
    assert lines == [("sesame-1", True), ("sesame-2", True), (f"echo {word}", False), ("page", False), ("quit", False)]


@pytest.mark.unmeasured
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_exchange_means_the_same_at_every_split(path: Path) -> None:
    steps = read(path)
    whole = play(steps)
    assert play(byte_by_byte(steps)) == whole
    for cut in cut_everywhere(steps):
        assert play(cut) == whole


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_sizes_that_a_program_told_are_reported(path: Path) -> None:
    sizes = [(event.columns, event.rows) for event in play(read(path)).events if isinstance(event, WindowResized)]
    expected = {
        "busybox": [(80, 24)],
        "curl": [(None, None)],
        "putty-raw": [],
        "tf": [(79, 24), (99, 30)],
    }
    assert sizes == expected.get(path.stem, [(80, 24), (100, 30)])
