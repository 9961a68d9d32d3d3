"""The command `python -m trio_mud.testing.simulate`: plays many seeds against the real server, or against your game.

It converts the command line to seeds, plays them in batches, and reports the results. Failing seeds are stored in a
file and played first the next time.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import cyclopts
import trio
from cyclopts import Parameter, validators

from trio_mud import __version__
from trio_mud.errors import ConfigurationError
from trio_mud.program.loading import find_game

from .simulation.actions import ACTIONS
from .simulation.batches import BATCH, BatchTally, in_fork, run_batches
from .simulation.by_words import WORDS, PlayedByWords
from .simulation.comparing import cut_everywhere
from .simulation.determinism import real_seconds
from .simulation.games import GAMES, SimulatedGame
from .simulation.operators import OPERATORS
from .simulation.plan import SPLIT_GAMES, SPLIT_OPERATORS, RunPlan, plan, split_plan
from .simulation.shrinking import shrink
from .simulation.simulator import RunResult
from .simulation.split_actions import SPLIT_ACTIONS
from .simulation.trace import Trace

__all__ = ["main"]

CLEAN: Final = 0
FOUND: Final = 1  # a seed failed, or a fault never occurred
WRONG_USAGE: Final = 2
KEPT: Final = Path(".simulation-seeds")  # failing seeds, one per line, with the game if it is not bundled
SEEDS: Final = 200
ENOUGH: Final = 1000  # seeds after which every fault must have occurred

LONGEST: Final = 2000  # characters of the report of one fault

MakeGame = Callable[[Trace], SimulatedGame]

app = cyclopts.App(
    name="python -m trio_mud.testing.simulate",
    help="Play a whole run for each seed: players who race, vanish and flood, over a bad network, in virtual time.",
    help_epilogue=(
        "Try: python -m trio_mud.testing.simulate --seeds 1000 --jobs 2, or your own: ... simulate tavern:hooks.\n\n"
        "Replay one: ... simulate 4711. Make it short: ... simulate --shrink 4711.\n\n"
        "Exit status: 0 all is well, 1 an invariant was broken or a fault never fired, 2 usage."
    ),
    version=f"trio-mud {__version__}",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)


@app.default
def run_seeds(
    game_or_seed: Annotated[str | None, Parameter(show_default=False)] = None,
    seed: Annotated[int | None, Parameter(show_default=False)] = None,
    /,
    *,
    seeds: Annotated[int, Parameter(validator=validators.Number(gte=1))] = SEEDS,
    first: int = 0,
    jobs: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    play: Annotated[str, Parameter(show_default=False)] = "",
    lines: Annotated[Path | None, Parameter(show_default=False)] = None,
    shrink_it: Annotated[int | None, Parameter(name="--shrink", show_default=False)] = None,
    only: Annotated[str, Parameter(show_default=False)] = "",
    cuts: Annotated[int | None, Parameter(show_default=False)] = None,
    split: Annotated[bool, Parameter(negative=())] = False,
    kept: Annotated[Path, Parameter()] = KEPT,
) -> int:
    """Play seeds, and report the first invariant that each failing one broke.

    Args:
        game_or_seed: MODULE:NAME, a Hooks, a Game or a function that returns one; or a seed to replay.
            Without it: the bundled games.
        seed: A seed of that game to replay.
        seeds: The number of seeds.
        first: The first seed.
        jobs: Processes at a time; one for each core is best.
        play: One of the bundled games (hostile, careless, stored, staffed, world, reloaded or mudlib) instead of all.
        lines: A file of lines that your game's players type, one a line.
        shrink_it: A seed that fails: find the shortest script that still does.
        only: Numbers of steps, such as 0,3,7: replay the seed with only these steps of its script.
        cuts: A seed whose run is cancelled from outside at each of its steps, one run for each.
        split: Split the server into gateways and worlds, which die and are replaced during the run.
        kept: The file of failing seeds, which are played first the next time.
    """
    name = ""
    if game_or_seed is not None and game_or_seed.lstrip("-").isdigit():
        if seed is not None:
            raise ConfigurationError(f"{game_or_seed} and {seed} are two seeds: name one")
        seed = int(game_or_seed)
    elif game_or_seed is not None:
        name = game_or_seed
    if play and play not in GAMES:
        raise ConfigurationError(f"there is no bundled game {play!r}: choose one of {', '.join(GAMES)}")
    if split and play and play not in SPLIT_GAMES:
        raise ConfigurationError(f"--split does not play {play!r}: choose one of {', '.join(SPLIT_GAMES)}")
    make = _game(name, lines) if name else None
    show = _Show(name or play, lines, split=split)
    make_plan = split_plan if split else plan
    if shrink_it is not None:
        return show.shrunk(make_plan(shrink_it, name or play), make)
    if cuts is not None:
        if name or play or split:
            raise ConfigurationError("--cuts plays the bundled hostile game: leave the others out")
        return show.cut(cut_everywhere(cuts))
    if seed is not None:
        what = make_plan(seed, name or play).only(_numbers(only)) if only else seed
        return show.replayed(in_fork(what, game=make, name=name or play, split=split), only)
    before = [] if first or play or split else _read(kept, name)
    tally = show.progress(
        run_batches(
            [*before, *(number for number in range(first, first + seeds) if number not in before)],
            jobs=jobs,
            batch=BATCH if make is None else 1,  # a game's module may have state, so each seed needs a new process
            game=make,
            name=name or play,
            split=split,
        ),
        len(before) + seeds,
    )
    if not split:
        _keep(kept, name, [outcome.seed for outcome in tally.failed])
    is_complete = show.coverage(tally, must=tally.seeds >= ENOUGH and not name and not play)
    return CLEAN if not tally.failed and is_complete else FOUND


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments and return the exit status."""
    try:
        status = app(arguments, print_error=False, exit_on_error=False)
    except cyclopts.CycloptsError as error:
        return _complain(f"{str(error).rstrip('.')}; see --help")
    except ConfigurationError as error:
        return _complain(str(error))
    return status if isinstance(status, int) else CLEAN


def _complain(text: str) -> int:
    print(f"simulate: {text}", file=sys.stderr)
    return WRONG_USAGE


def _game(name: str, lines: Path | None) -> MakeGame:
    """Return the factory that creates the author's game for each run."""
    find_game(name)  # fails early if the game does not exist
    words: Sequence[str] = WORDS
    if lines is not None:
        try:
            words = tuple(lines.read_text(encoding="utf-8").splitlines())
        except OSError as error:
            raise ConfigurationError(f"cannot read {lines}: {error.strerror}") from error
        if not words:
            raise ConfigurationError(f"{lines} is empty: write what players type, one line each")
    return lambda trace: PlayedByWords(find_game(name), words)


def _numbers(only: str) -> list[int]:
    try:
        return [int(number) for number in only.split(",")]
    except ValueError:
        raise ConfigurationError(f"--only {only}: write numbers of steps, such as 0,3,7") from None


def _read(kept: Path, game: str) -> list[int]:
    """Return the seeds that failed before."""
    if not kept.exists():
        return []
    rows = [row.partition(" ") for row in kept.read_text(encoding="utf-8").splitlines()]
    return [int(seed) for seed, _, of in rows if of == game and seed.isdigit()]


def _keep(kept: Path, game: str, failed: Iterable[int]) -> None:
    """Update the file: remove the seeds of this game that no longer fail, and add those that do."""
    others = []
    if kept.exists():
        others = [row for row in kept.read_text(encoding="utf-8").splitlines() if row.partition(" ")[2] != game]
    rows = others + [f"{seed} {game}".strip() for seed in sorted(set(failed))]
    if rows:
        kept.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    else:
        kept.unlink(missing_ok=True)


class _Show:
    """Prints the results."""

    def __init__(self, game: str, lines: Path | None, *, split: bool) -> None:
        self._game = game
        self._lines = lines
        self._split = split

    def progress(self, tallies: Iterable[BatchTally], total: int) -> BatchTally:
        """Sum up the results of many seeds, and report each failing one at once."""
        whole, began = BatchTally(), real_seconds()
        shown = began
        for tally in tallies:
            whole.add(tally)
            for outcome in tally.failed:
                self.failure(outcome)
            now = real_seconds()
            if now - shown >= 5 or whole.seeds >= total:
                shown = now
                rate = whole.seeds / max(now - began, 1e-9) * 60
                print(f"{whole.seeds} of {total} seeds, {len(whole.failed)} failed, {rate:.0f} a minute", flush=True)
        return whole

    def failure(self, outcome: RunResult, only: str = "") -> None:
        """Print everything needed to reproduce a failure."""
        number, text = outcome.violations[0]
        print(f"\nseed {outcome.seed} breaks {number}: {text[:LONGEST]}")
        for other, more in outcome.violations[1:4]:
            print(f"  and {other}: {more[:LONGEST]}")
        print(f"  after {outcome.steps} steps and {outcome.seconds:g} s, digest {outcome.digest}")
        print(f"  trio_mud {__version__}{_commit()}, Python {platform.python_version()}, trio {trio.__version__}")
        print("  " + outcome.plan.as_text().replace("\n", "\n  "))
        print(f"  again: {self._command(outcome.seed, only)}", flush=True)

    def replayed(self, outcome: RunResult, only: str) -> int:
        """Print the result of one seed."""
        if outcome.violations:
            self.failure(outcome, only)
            return FOUND
        print(outcome.plan.as_text())
        print(
            f"seed {outcome.seed}: all is well, {outcome.steps} steps, {outcome.seconds:g} s, digest {outcome.digest}"
        )
        return CLEAN

    def cut(self, outcomes: Iterable[RunResult]) -> int:
        """Print the results of one run, cancelled at each step."""
        count = 0
        for outcome in outcomes:
            count += 1
            if outcome.violations:
                print(f"cancelled before step {outcome.plan.ends_at} of all tasks:")
                self.failure(outcome)
                return FOUND
        print(f"cancelled before each of {count} steps: all is well")
        return CLEAN

    def shrunk(self, script: RunPlan, make: MakeGame | None) -> int:
        """Print the shortest script that still fails in the same way."""
        whole = in_fork(script, game=make)
        if not whole.violations:
            print(f"seed {script.seed} does not fail")
            return CLEAN
        shortest = shrink(script, lambda shorter: in_fork(shorter, game=make).broken == whole.broken)
        print(f"{len(script.steps)} steps became {len(shortest.steps)}")
        kept = [number for number, step in enumerate(script.steps) if step in shortest.steps]
        self.failure(in_fork(shortest, game=make), ",".join(map(str, kept)))
        return FOUND

    def coverage(self, tally: BatchTally, *, must: bool) -> bool:
        """Print the coverage; return True if every fault occurred, or `must` is False."""
        print("\nhow often each came off:")
        print("  " + ", ".join(f"{name} {count}" for name, count in tally.fired.most_common()))
        print(f"pairs of events: {len(tally.pairs)}, the rarest:")
        rare = sorted(tally.pairs.items(), key=lambda pair: (pair[1], pair[0]))[:6]
        print("  " + ", ".join(f"{first} {second} {count}" for (first, second), count in rare))
        wanted = [name for name, action in ACTIONS.items() if action.weight]
        wanted += list(SPLIT_ACTIONS) if self._split else []
        wanted += [f"operator: {name}" for name in (set(SPLIT_OPERATORS) if self._split else OPERATORS)]
        never = [name for name in wanted if not tally.fired[name]]
        if never and must:
            print(f"never came off in {tally.seeds} seeds: {', '.join(never)}")
        return not (never and must)

    def _command(self, seed: int, only: str) -> str:
        game = f" {self._game}" if ":" in self._game else ""
        play = f" --play {self._game}" if self._game and not game else ""
        lines = f" --lines {self._lines}" if self._lines else ""
        split = " --split" if self._split else ""
        more = f"{play}{lines}{split}{f' --only {only}' if only else ''}"
        return f"python -m trio_mud.testing.simulate{game} {seed}{more}"


def _commit() -> str:
    """Return the commit of this package's repository, or "" outside of one."""
    try:
        shown = subprocess.run(  # noqa: S603
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return f" at {shown.stdout.strip()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
