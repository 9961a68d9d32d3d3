"""The progress display of a running load: a bar on a terminal, occasional lines elsewhere."""

from __future__ import annotations

from typing import Final, TextIO

import trio

from .load import Load

WIDTH: Final = 30  # characters of the bar
QUICK: Final = 0.2  # seconds between two updates of the bar
SLOW: Final = 5.0  # seconds between two lines


async def show_progress(load: Load, out: TextIO) -> None:
    """Show the progress of the load until cancelled; a bar is erased at the end."""
    is_terminal = out.isatty()
    try:
        while True:
            await trio.sleep(QUICK if is_terminal else SLOW)
            out.write(f"\r\x1b[K{bar(load)} {progress_line(load)}" if is_terminal else f"{progress_line(load)}\n")
            out.flush()
    finally:
        if is_terminal:
            out.write("\r\x1b[K")
            out.flush()


def progress_line(load: Load) -> str:
    """Return the state of the load in words."""
    tally = load.tally
    lost = f", {sum(tally.lost.values())} lost" if tally.lost else ""
    answered = f", {tally.latency.count:,} answered" if load.stage != "connecting" else ""
    return f"{load.stage}: {load.online} of {load.plan.players} in the game{lost}{answered}"


def bar(load: Load) -> str:
    """Return a bar for the elapsed part of the time."""
    plan, now = load.plan, trio.current_time()
    whole = plan.ramp_seconds + plan.duration
    if load.stage == "connecting":
        spent = min(max(now - load.began, 0.0), plan.ramp_seconds)
    else:
        spent = plan.ramp_seconds + min(now - load.tally.began, plan.duration)
    full = round(WIDTH * spent / whole)
    return f"[{'#' * full}{'-' * (WIDTH - full)}]"
