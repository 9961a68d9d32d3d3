"""Kill drills of `trio-mud serve`: how many lines are lost or doubled, and how long the players wait.

    python -m tests.reach.unix.drills --worlds 200 --gateways 50 --players 100

The world is killed by SIGKILL whenever a spare waits, and then the gateway, while the players count aloud. With
`--handovers` new code takes over in the same way.
"""

# ruff: noqa: ASYNC110, T201 - it waits for other processes, and prints figures

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from .served import PATIENCE, CountingPlayer, ServedGame, command, crowd, environment, serving, silence_after_kill


async def drill(players: int, every: float, worlds: int, gateways: int, handovers: int) -> None:
    """Run the three drills, and print a line for each."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as game:
            explained = partial(explain, game)
            if worlds:
                async with crowd(game.port, players, every=every, failed=explained) as people:
                    await trio.sleep(1)
                    silences = []
                    for _ in range(worlds):
                        await game.has_spare()
                        await trio.sleep(0.3)
                        silences.append(await silence_after_kill(game, people))
                _print("SIGKILL of the world", people, silences)
            if handovers:
                async with crowd(game.port, players, every=every, failed=explained) as people:
                    await trio.sleep(1)
                    silences = []
                    for _ in range(handovers):
                        await game.has_spare()
                        silences.append(await hand_over(game))
                _print("hand-over", people, silences)
            if gateways:
                async with crowd(game.port, players, every=every, failed=explained) as people:
                    await trio.sleep(1)
                    silences = [await kill_gateway(game, people) for _ in range(gateways)]
                _print("SIGKILL of the gateway", people, silences)


async def explain(game: ServedGame, players: Sequence[CountingPlayer]) -> None:
    """Print what each side knows of the lines that wait."""
    print("gateways", game.children("gateway"), "worlds", game.children("world"))
    for place, player in enumerate(players):
        if player.answered < player.sent:
            print(f"player {place} at {player.local}: sent {player.sent}, answered {player.answered}, ", end="")
            print(f"lost {player.skipped}, connects {player.connects}, worlds {player.worlds}")
    for console, commands in (("game.gateway.sock", ("status", "waiting")), ("world.sock", ("status", "all"))):
        for words in (*commands, "stack", "tasks"):
            asked = command("admin", "--console", str(game.folder / console), words)
            with trio.move_on_after(20):
                answer = await trio.run_process(
                    asked, env=environment(), capture_stdout=True, capture_stderr=True, check=False
                )
                print(f"--- {console}: {words}", answer.stdout.decode(), answer.stderr.decode(), sep="\n")
    game.process.send_signal(signal.SIGUSR2)  # each process logs its tasks
    await trio.sleep(2)
    print("--- log", game.log[-60_000:], sep="\n", flush=True)


async def hand_over(game: ServedGame) -> float:
    """Let a new world take over by `trio-mud handover`; return the seconds that it reports."""
    done = await trio.run_process(
        command("handover", "--link", str(game.folder / "game.link")), env=environment(), capture_stdout=True
    )
    game.hand_overs += 1
    reported = re.search(rb"in (\d+) ms", done.stdout)
    assert reported is not None, done.stdout
    return int(reported[1]) / 1000


async def kill_gateway(game: ServedGame, players: Sequence[CountingPlayer]) -> float:
    """Kill the gateway, and return the seconds until a player is answered by the next one."""
    os.kill(game.children("gateway")[0], signal.SIGKILL)
    began, answered = trio.current_time(), [player.answered for player in players]
    connects = [player.connects for player in players]
    with trio.fail_after(PATIENCE):
        while all(
            player.connects == connects[place] or player.answered == answered[place]
            for place, player in enumerate(players)
        ):
            await trio.sleep(0.005)
        seconds = trio.current_time() - began
        while any(player.connects == connects[place] for place, player in enumerate(players)):
            await trio.sleep(0.02)
    await trio.sleep(0.5)
    return seconds


def _print(what: str, players: Sequence[CountingPlayer], silences: Sequence[float]) -> None:
    waits = sorted(silences)
    print(
        f"{what}: sent {sum(player.sent for player in players)}, "
        f"answered {sum(player.answered - player.skipped for player in players)}, "
        f"lost {sum(player.skipped + player.sent - player.answered for player in players)}, "
        f"doubled {sum(player.doubled for player in players)}, "
        f"connections {sum(player.connects for player in players)} of {len(players)} players"
        + (
            f"; {len(waits)} silences: median {statistics.median(waits):.3f} s, longest {waits[-1]:.3f} s"
            if waits
            else ""
        ),
        flush=True,
    )


def main() -> None:
    """Read the arguments, and run the drills."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, default=50)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two lines of a player")
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--gateways", type=int, default=5)
    parser.add_argument("--handovers", type=int, default=5)
    given = parser.parse_args()
    trio.run(drill, given.players, given.every, given.worlds, given.gateways, given.handovers)


if __name__ == "__main__":
    main()
