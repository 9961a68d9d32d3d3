"""A hundred real connections play while the game is reloaded each second, a third of its versions broken.

    python tests/bench/reloads.py                   quiet for 15 s, then 30 s of reloads
    python tests/bench/reloads.py --seconds 10      shorter

The server is `trio-mud run` in a process of its own, with a copy of the bundled valley, whose files are edited. Each
reload is asked for at its console, as by `trio-mud admin reload`. The figures are compared with their bounds; the exit
status is 1 if one is exceeded, a line is lost or doubled, or a player is disconnected.

The time of a loop pass is the processor time of the process between two waits of its event loop for sockets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

import trio
from trio.abc import Instrument

import trio_mud
from trio_mud.program import cli
from trio_mud.program.admin_command import ask

PLAYERS = 100
QUIET = 15.0  # seconds
PAUSE = 2.0  # seconds between two lines of a player, at most
PATIENCE = 30.0  # seconds
PACKAGE = "bench_valley"
MOST_RATIO = 3.0  # p99 during reloads by that of the quiet time
MOST_PASS = 60.0  # ms of processor time of a loop pass
NOTED = 0.002  # seconds; shorter passes are only counted
CONFIG = """
[limits]
max_per_address = "none"
accept_rate = "none"
accept_rate_per_address = "none"
command_rate = "none"
first_input_timeout = "none"
"""
ECHO = '''

@commands.verb("echo", abbreviated=False)
def echo(who: Villager, words: str) -> None:
    """Repeat some words, with the version of this function."""
    who.write(f"v0 {words}")
'''
BROKEN = (
    ("villager.py", "\nclass Villager", "\n)(\nclass Villager"),
    ("sky.py", "HOUR_LENGTH: Final = 900.0", "HOUR_LENGTH: Final = 1 / 0"),
    ("game.py", "    return hooks\n", "    hooks.on(int)(print)\n    return hooks\n"),
    ("valley.toml", 'class = "water-clock"', 'class = "sun-dial"'),
    ("verbs/looking.py", "from trio_mud", "from no_such_module import nothing\nfrom trio_mud"),
)


class PassMeter(Instrument):
    """Measures every pass of the event loop."""

    def __init__(self) -> None:
        self.passes: list[tuple[float, float]] = []  # the time of its end, and its processor time in seconds
        self._began = time.process_time()

    def after_io_wait(self, timeout: float) -> None:
        """Begin a pass."""
        self._began = time.process_time()

    def before_io_wait(self, timeout: float) -> None:
        """End it."""
        took = time.process_time() - self._began
        if took >= NOTED:
            self.passes.append((time.monotonic(), took))


def serve(folder: Path) -> None:
    """Serve the copy until SIGTERM, and write the passes of the event loop to a file."""
    meter = PassMeter()
    trio.run = partial(trio.run, instruments=[meter])  # type: ignore[assignment]
    os.chdir(folder)
    try:
        arguments = ["run", f"{PACKAGE}:world", "--host", "127.0.0.1", "--port", "0", "--console", "valley.sock"]
        cli.main([*arguments, "--config", "mud.toml"])
    finally:
        (folder / "passes.json").write_text(json.dumps(meter.passes))


class EditedValley:
    """The files of the game."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PACKAGE
        original = Path(trio_mud.__file__).parent / "mudlib"  # not imported: its records are of the same kinds
        shutil.copytree(original, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        for file in self.folder.rglob("*.py"):
            file.write_text(file.read_text().replace("trio_mud.mudlib", PACKAGE))
        self._echo = self.folder / "verbs" / "handling.py"
        self._text = self._echo.read_text() + ECHO
        self.write(0)
        (folder / "mud.toml").write_text(CONFIG)

    def write(self, version: int) -> None:
        """Write a version."""
        self._echo.write_text(self._text.replace('f"v0 ', f'f"v{version} '))

    def break_it(self, number: int) -> tuple[Path, str]:
        """Break a file, and return it with its text before."""
        name, old, new = BROKEN[number % len(BROKEN)]
        file = self.folder / name
        text = file.read_text()
        assert old in text, f"{old!r} is in {name}"
        file.write_text(text.replace(old, new))
        return file, text


class ReloadedPlayer:
    """One connection, which types numbered lines and walks about meanwhile."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.name = f"P{chr(97 + number // 26)}{chr(97 + number % 26)}"
        self.sent = 0
        self.late: list[tuple[float, float]] = []  # the time of a line, and the seconds until its answer
        self.ended = False
        self._chance = chance
        self._times: dict[int, float] = {}
        self.seen: list[tuple[int, int]] = []  # version and line
        self._rest = b""

    async def play(self, port: int, stop: trio.Event) -> None:
        """Come in and type until the event."""
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(self._read, stream)
            await trio.sleep(1)
            await stream.send_all(f"{self.name}\r\n".encode())
            await trio.sleep(2)
            while not stop.is_set() and not self.ended:
                await trio.sleep(self._chance.random() * PAUSE)
                word = self._chance.choice(("", "", "", "look", "n", "s", "e", "w"))
                self.sent += 1
                self._times[self.sent] = time.monotonic()
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(f"echo line{self.sent};\r\n{word}\r\n".encode())
            await trio.sleep(2)
            nursery.cancel_scope.cancel()

    async def _read(self, stream: trio.SocketStream) -> None:
        async for data in stream:
            now = time.monotonic()
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                if found := re.search(rb"v(\d+) line(\d+);", line):
                    version, number = int(found[1]), int(found[2])
                    self.seen.append((version, number))
                    self.late.append((self._times[number], now - self._times[number]))
        self.ended = True

    def wrong(self) -> str:
        """Return what went wrong; empty if nothing did."""
        numbers = [number for _, number in self.seen]
        versions = [version for version, _ in self.seen]
        if self.ended:
            return "was disconnected"
        if numbers != list(range(1, self.sent + 1)):
            return f"typed {self.sent} lines, and read {len(numbers)} answers, {len(set(numbers))} of them different"
        return "" if versions == sorted(versions) else "read an older version after a newer one"


async def load(
    folder: Path, valley: EditedValley, port: int, seconds: float
) -> tuple[list[ReloadedPlayer], list[str], float, float]:
    """Play; return the players, the answers to the reloads, and when the reloads began and ended."""
    players = [ReloadedPlayer(number, random.Random(number)) for number in range(PLAYERS)]
    answers: list[str] = []
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        for player in players:
            nursery.start_soon(player.play, port, stop)
        await trio.sleep(4 + QUIET)
        began = time.monotonic()
        for turn in range(1, int(seconds) + 1):
            broken = None if turn % 3 else valley.break_it(turn // 3)
            if broken is None:
                valley.write(turn)
            reply = await trio.to_thread.run_sync(ask, folder / "valley.sock", "reload")
            answers.append(reply.text)
            if reply.has_failed is (broken is None):
                answers[-1] = f"WRONG: {reply.text}"
            if broken is not None:
                broken[0].write_text(broken[1])
            await trio.sleep(max(0.0, began + turn - time.monotonic()))
        ended = time.monotonic()
        stop.set()
    return players, answers, began, ended


def percentile(values: list[float], part: float) -> float:
    """Return the value below which this part of the values is, in milliseconds."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000


def main() -> int:
    """Measure, print and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the game is reloaded each second")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        valley = EditedValley(folder)
        command = [sys.executable, __file__, "--serve", name]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            found = next(filter(None, (re.search(r"telnet \S+ (\d+)", line) for line in process.stdout)), None)
            if found is None:
                sys.exit(f"the server did not start:\n{(folder / 'log').read_text()}")
            players, answers, began, ended = trio.run(load, folder, valley, int(found[1]), arguments.seconds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        passes = json.loads((folder / "passes.json").read_text())
    return report(players, answers, passes, began, ended)


def report(
    players: list[ReloadedPlayer], answers: list[str], passes: list[tuple[float, float]], began: float, ended: float
) -> int:
    """Print the figures, and return the exit status."""
    late = [sample for player in players for sample in player.late]
    quiet = [seconds for at, seconds in late if began - QUIET <= at < began]
    loud = [seconds for at, seconds in late if began <= at < ended]
    wrong = [f"{player.name} {text}" for player in players if (text := player.wrong())]
    wrong += [answer for answer in answers if answer.startswith("WRONG")]
    ratio = percentile(loud, 0.99) / percentile(quiet, 0.99)
    times = sorted(int(found[1]) for answer in answers if (found := re.search(r"in (\d+) ms", answer)))
    longest = {
        name: max((took for at, took in passes if begin <= at < end), default=0.0) * 1000
        for name, begin, end in (("quiet", began - QUIET, began), ("reloads", began, ended + 1))
    }
    print(f"{sum(player.sent for player in players)} lines of {PLAYERS} players, {len(answers)} reloads")
    print(f"  taken over: {len(times)}, in {times[len(times) // 2]} ms (median), {times[-1]} ms at most")
    print(f"  refused: {len(answers) - len(times)}, such as: {next(a for a in answers if ' ms' not in a)[:110]}")
    print("| | quiet | reloads |\n|---|---|---|")
    for part in (0.5, 0.99, 1.0):
        print(f"| p{part * 100:g} of answers, ms | {percentile(quiet, part):.1f} | {percentile(loud, part):.1f} |")
    print(f"| longest loop pass, ms of CPU | {longest['quiet']:.1f} | {longest['reloads']:.1f} |")
    if ratio > MOST_RATIO:
        wrong.append(f"p99 is {ratio:.1f} times that of the quiet time, and at most {MOST_RATIO:g} is allowed")
    if longest["reloads"] > MOST_PASS:
        wrong.append(f"a loop pass took {longest['reloads']:.0f} ms, and at most {MOST_PASS:g} is allowed")
    print(f"p99: {ratio:.2f} times the quiet one, of {MOST_RATIO:g} allowed")
    for text in wrong:
        print(f"WRONG: {text}")
    print("lost, doubled, disconnected: none" if not wrong else "the run has failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
