"""Soak a server: a real process on loopback against hostile crowds; `nox -s soak` runs this.

    python -m tests.soak.run                    three minutes
    python -m tests.soak.run --tier night       within an hour
    python -m tests.soak.run --tier release     within four
    python -m tests.soak.run shutdown           one scenario alone

No honest player may lose a line, and nothing may remain after the crowd has disconnected.
It prints its progress, and at the end one table; the exit status is 1 if anything was wrong.
Made for Linux: elsewhere memory, descriptors, CPU and source addresses are not checked.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from trio_mud.compiled import build

from .judging import Say, Verdict
from .process import IS_LINUX
from .scenarios import (
    FLOODS,
    ROOM,
    Farewell,
    Mix,
    Noise,
    Shortage,
    StormMix,
    connect_storm,
    hostile_mix,
    noise,
    out_of_descriptors,
    shutdown_among_blackholes,
)
from .staff import Flooding, Sanctioned, bans_and_a_mute, connect_flood
from .web import Besieged, web_port

MINUTE: Final = 60.0  # seconds
HOUR: Final = 60 * MINUTE
NEEDED: Final = 2500  # descriptors of this process, one for each of the crowd

Scenario = Callable[[Say], Verdict]

TIERS: Final[dict[str, tuple[float, dict[str, Scenario]]]] = {  # the seconds that all may take, and each
    tier: (
        limit,
        {
            "mix": partial(hostile_mix, Mix(mix)),
            "storm": partial(connect_storm, StormMix(storm, rate=rate)),
            "floods": partial(noise, "floods of telnet", Noise(storm, FLOODS)),
            "crowd": partial(noise, "long lines in a crowd", Noise(storm, ROOM)),
            "bans": partial(bans_and_a_mute, Sanctioned(storm)),
            "flood": partial(connect_flood, Flooding()),
            "web": partial(web_port, Besieged(2 * storm)),
            "descriptors": partial(out_of_descriptors, Shortage(shortage)),
            "shutdown": partial(shutdown_among_blackholes, farewell),
        },
    )
    for tier, limit, mix, storm, rate, shortage, farewell in (
        ("ci", 5 * MINUTE, 30.0, 10.0, 100.0, 5.0, Farewell()),
        ("night", HOUR, 30 * MINUTE, 5 * MINUTE, 150.0, 60.0, Farewell(honest=950, blackholes=50, seconds=30)),
        ("release", 4 * HOUR, 3 * HOUR, 15 * MINUTE, 200.0, 300.0, Farewell(honest=950, blackholes=50, seconds=60)),
    )
}


def say(text: str) -> None:
    print(text, flush=True)


def table(verdicts: list[tuple[Verdict, float]]) -> str:
    """All figures, a scenario a block."""
    lines = []
    for verdict, seconds in verdicts:
        state = "stood" if not verdict.problems else f"FAILED, {len(verdict.problems)} problems"
        lines.append(f"{verdict.name:30} {state} ({seconds:.0f} s)")
        lines += [f"    {what:26} {figure}" for what, figure in verdict.figures.items()]
        lines += [f"  ! {problem}" for problem in verdict.problems]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=TIERS, default="ci", help="how long (default: ci)")
    parser.add_argument(
        "scenarios", nargs="*", help="mix, storm, floods, crowd, bans, flood, web, descriptors, shutdown (default: all)"
    )
    asked = parser.parse_args()
    limit, scenarios = TIERS[asked.tier]
    if unknown := set(asked.scenarios).difference(scenarios):
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose from {', '.join(scenarios)}")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < NEEDED:
        say(f"RLIMIT_NOFILE is {most}: the crowds need {NEEDED}")
        return 1
    if not IS_LINUX:
        say("this is no Linux: memory, descriptors, CPU and addresses are not looked at")
    say(build())
    signal.alarm(int(limit))  # whatever hangs, the kernel ends it; each server has an alarm of its own
    verdicts: list[tuple[Verdict, float]] = []
    for name in asked.scenarios or scenarios:
        say(f"{name}:")
        began = time.monotonic()
        verdict = scenarios[name](say)
        verdicts.append((verdict, time.monotonic() - began))
        say(f"  {'stood' if not verdict.problems else 'FAILED'}")
        for problem in verdict.problems:
            say(f"  ! {problem}")  # at once: the alarm above may end this before the table
    say(f"\n{table(verdicts)}")
    return 1 if any(verdict.problems for verdict, _ in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
