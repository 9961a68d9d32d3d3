"""Recordings of true sessions as regression tests: what was typed then is typed again, and must get the same answers.

    async def test_the_ferryman_lets_ann_pass(mud):
        async with mud(hooks) as tavern:
            await replay(tavern, Path("recorded/20261124T201500-4711-7.txt"), hidden="sesame")

The bytes are sent at their moments, in virtual time; the answers are compared as one stream, whenever they came.
"""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import difflib
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from ..driver.recording.recording import FORMAT
from .mud import Mud
from .pipe import Pipe
from .playbook import spell
from .threads import settle

ROOM: Final = 1024 * 1024  # bytes each way: nobody waits for a replayed client
EXPECTED: Final = "the recording"
ACTUAL: Final = "this time"
CLOSED: Final = "(the server closes)"

_PIECES: Final = re.compile(
    rb"""
        \xff\xfa (?:[^\xff]|\xff[^\xf0])* \xff\xf0    # a subnegotiation
        | \xff[\xfb-\xfe].                           # a negotiation
        | (?:[^\n\xff]|\xff[^\xfa-\xfe])+ \n?        # a line, or what stands before one of these
        | [\n\xff]
    """,
    re.DOTALL | re.VERBOSE,
)
_NO_BYTES: Final = ("hidden", "eof", "lost", "closed", "shutdown", "left-out", "stopped")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a recording: when, in seconds since its beginning, and what happened."""

    when: float
    kind: str
    data: bytes = b""

    @property
    def is_ours(self) -> bool:
        """Whether the client did it, and not the server."""
        return self.kind not in ("out", "closed", "shutdown", "stopped")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a file of `MasterServer.record` says.

    Attributes:
        number: The connection's number on the server.
        address: Where it came from.
        began: When; in the zone UTC.
        steps: What happened, in order.
    """

    number: int
    address: str
    began: dt.datetime
    steps: Sequence[Step] = field(repr=False)

    @property
    def output(self) -> bytes:
        """All that the client was sent."""
        return b"".join(step.data for step in self.steps if step.kind == "out")


def read_recording(path: Path) -> Recorded:
    """Read a recording; a last line that a crash or a full disk has cut is left out.

    Raises:
        ValueError: The file is no recording; the message says in which line.
    """
    lines = path.read_text(encoding="ascii").split("\n")[:-1]
    if not lines or lines[0] != FORMAT:
        raise ValueError(f"{path} is no recording: it does not begin with {FORMAT!r}")
    told: dict[str, str] = {}
    steps: list[Step] = []
    for number, line in enumerate(lines[1:], 2):
        try:
            if line[:1].isdigit():
                steps.append(_step_of(line))
            else:
                name, _, value = line.partition(" ")
                told[name] = value
        except (ValueError, SyntaxError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    try:
        began = dt.datetime.fromisoformat(told["began"])
        return Recorded(int(told["number"]), str(ast.literal_eval(told["address"])), began, steps)
    except KeyError as error:
        raise ValueError(f"{path}: its head says nothing of {error}") from error


def _step_of(line: str) -> Step:
    when, kind, *rest = line.split(" ", 2)
    if kind in _NO_BYTES:
        return Step(float(when), kind)
    if kind not in ("in", "out") or not rest:
        raise ValueError(f"{kind!r} is nothing that happens in a recording")
    data = ast.literal_eval(rest[0])
    if not isinstance(data, bytes):
        raise ValueError(f"{rest[0]!r} are no bytes")
    return Step(float(when), kind, data)


async def replay(
    mud: Mud, *paths: Path, hidden: str = "hidden", same: Callable[[str], str] = lambda line: line
) -> None:
    """Play recordings again, and compare what comes back.

    Several begin at the distances at which they were recorded, in the order of their numbers.
    What is not in the files must be given: the world as it was, the seed of its dice, and whatever was typed hidden.
    The server offers no compression, as when it recorded, and numbers its connections as then.

    Args:
        mud: Where; best one that has done nothing else.
        paths: Files that `MasterServer.record` has written.
        hidden: What is typed where something was typed hidden.
        same: Makes lines equal that may differ, such as `lambda line: re.sub(r"[0-9]+ o'clock", "…", line)`.

    Raises:
        AssertionError: Other answers came than are recorded; the message shows which, with telnet spelt out.
        ValueError: A file is no recording.
    """
    __tracebackhide__ = True
    recordings = sorted([(read_recording(path), path) for path in paths], key=lambda found: found[0].number)
    first = min(recorded.began for recorded, _ in recordings)
    start = trio.current_time()
    clients = [_Client(mud, recorded, path, hidden) for recorded, path in recordings]
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(client.play, start + (client.recorded.began - first).total_seconds())
    differences = [difference for client in clients if (difference := client.difference(same))]
    if differences:
        raise AssertionError("\n\n".join(differences))


class _Client:
    """Plays the peer of one recording."""

    def __init__(self, mud: Mud, recorded: Recorded, path: Path, hidden: str) -> None:
        self._mud = mud
        self.recorded = recorded
        self._path = path
        self._hidden = hidden.encode() + b"\r\n"
        self._received = bytearray()
        self._is_closed = False

    async def play(self, start: float) -> None:
        await trio.sleep_until(start)
        pipe = await self._connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, pipe)
            # What came in one piece leaves in one piece, but what answers the server not before it has spoken.
            turns = itertools.groupby(self.recorded.steps, lambda step: (step.when, step.is_ours))
            for (when, is_ours), steps in turns:
                await trio.sleep_until(start + when)
                if is_ours:
                    await settle()
                    await self._act(pipe, list(steps))
            await settle()
            nursery.cancel_scope.cancel(reason="the recording is over")
        await pipe.client.aclose()

    async def _connect(self) -> Pipe:
        server = self._mud.server
        options = server._options
        server._numbers = itertools.count(self.recorded.number)
        server._options = server._uncompressed_options
        pipe = self._mud.connect(address=self.recorded.address, capacity=ROOM)
        await settle()
        server._options = options
        return pipe

    async def _act(self, pipe: Pipe, steps: list[Step]) -> None:
        data = b"".join(self._hidden if step.kind == "hidden" else step.data for step in steps)
        kinds = {step.kind for step in steps}
        try:
            if data:
                await pipe.client.send_all(data)
            if "eof" in kinds:
                await pipe.client.send_eof()
            if "lost" in kinds:
                pipe.client.reset()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the server has ended it: the difference will show

    async def _receive(self, pipe: Pipe) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await pipe.client.receive_some():
                self._received += data
        self._is_closed = True

    def difference(self, same: Callable[[str], str]) -> str:
        """What differs, as a text; "" if nothing does."""
        kinds = {step.kind for step in self.recorded.steps}
        recorded, received = self.recorded.output, bytes(self._received)
        if "stopped" in kinds:
            received = received[: len(recorded)]
        expected, actual = _spelt(recorded), _spelt(received)
        if "closed" in kinds and "lost" not in kinds:
            expected.append(CLOSED)
            actual += [CLOSED] * self._is_closed
        if [same(line) for line in expected] == [same(line) for line in actual]:
            return ""
        shown = difflib.unified_diff(
            [same(line) for line in expected], [same(line) for line in actual], EXPECTED, ACTUAL, lineterm="", n=3
        )
        return f"{self._path.name} got other answers than it had recorded:\n" + "\n".join(shown)


def _spelt(data: bytes) -> list[str]:
    """An output for people: a line of text or a command of telnet a line, each line end left out."""
    return [spell(piece.removesuffix(b"\r\n")) for piece in _PIECES.findall(data)]
