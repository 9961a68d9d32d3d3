"""Recorded sessions as regression tests: the recorded input is sent again, and must get the same answers.

    async def test_the_ferryman_lets_ann_pass(mud):
        async with mud(hooks) as tavern:
            await replay(tavern, Path("recorded/20261124T201500-4711-7.txt"), hidden="sesame")

The bytes are sent at their recorded times, in virtual time. The answers are compared as one stream, without regard to
their times.
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

ROOM: Final = 1024 * 1024  # bytes in each direction, so that the server never waits for a replayed client
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
class ReplayStep:
    """One line of a recording: the time in seconds since its beginning, and the event."""

    when: float
    kind: str
    data: bytes = b""

    @property
    def is_ours(self) -> bool:
        """True for an event of the client, False for one of the server."""
        return self.kind not in ("out", "closed", "shutdown", "stopped")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The content of a file written by `MasterServer.record`.

    Attributes:
        number: The connection's number on the server.
        address: The client's address.
        began: The time of its start, in UTC.
        steps: The events, in order.
    """

    number: int
    address: str
    began: dt.datetime
    steps: Sequence[ReplayStep] = field(repr=False)

    @property
    def output(self) -> bytes:
        """All bytes sent to the client."""
        return b"".join(step.data for step in self.steps if step.kind == "out")


def read_recording(path: Path) -> Recorded:
    """Read a recording; a last line truncated by a crash or a full disk is skipped.

    Raises:
        ValueError: The file is not a recording; the message names the line.
    """
    lines = path.read_text(encoding="ascii").split("\n")[:-1]
    if not lines or lines[0] != FORMAT:
        raise ValueError(f"{path} is not a recording: it does not begin with {FORMAT!r}")
    header: dict[str, str] = {}
    steps: list[ReplayStep] = []
    for number, line in enumerate(lines[1:], 2):
        try:
            if line[:1].isdigit():
                steps.append(_step_of(line))
            else:
                name, _, value = line.partition(" ")
                header[name] = value
        except (ValueError, SyntaxError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    try:
        began = dt.datetime.fromisoformat(header["began"])
        return Recorded(int(header["number"]), str(ast.literal_eval(header["address"])), began, steps)
    except KeyError as error:
        raise ValueError(f"{path}: its head says nothing of {error}") from error


def _step_of(line: str) -> ReplayStep:
    when, kind, *rest = line.split(" ", 2)
    if kind in _NO_BYTES:
        return ReplayStep(float(when), kind)
    if kind not in ("in", "out") or not rest:
        raise ValueError(f"{kind!r} is nothing that happens in a recording")
    data = ast.literal_eval(rest[0])
    if not isinstance(data, bytes):
        raise ValueError(f"{rest[0]!r} are no bytes")
    return ReplayStep(float(when), kind, data)


async def replay(
    mud: Mud, *paths: Path, hidden: str = "hidden", same: Callable[[str], str] = lambda line: line
) -> None:
    """Play recordings again, and compare the answers.

    Several recordings begin with the same time differences as they were recorded, in the order of their numbers.
    Supply the state that is not in the files: the world at the time, the random seed, and hidden input. The server
    offers no compression, as during recording, and numbers its connections as in the files.

    Args:
        mud: The server under test, preferably newly started.
        paths: Files written by `MasterServer.record`.
        hidden: Typed in place of each hidden line.
        same: Maps lines that may differ to equal ones, such as `lambda line: re.sub(r"[0-9]+ o'clock", "…", line)`.

    Raises:
        AssertionError: The answers differ; the message shows the difference, with telnet commands spelt out.
        ValueError: A file is not a recording.
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
            # Input received in one piece is sent in one piece, but an answer to the server only after the server's
            # message.
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

    async def _act(self, pipe: Pipe, steps: list[ReplayStep]) -> None:
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
            pass  # the server has closed it: the comparison reports it

    async def _receive(self, pipe: Pipe) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await pipe.client.receive_some():
                self._received += data
        self._is_closed = True

    def difference(self, same: Callable[[str], str]) -> str:
        """Return the difference as text; "" if there is none."""
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
    """Return output in readable form: one line of text or one telnet command per line, without line endings."""
    return [spell(piece.removesuffix(b"\r\n")) for piece in _PIECES.findall(data)]
