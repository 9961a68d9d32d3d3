"""`trio-mud bench`: turns the command line into a plan, and the result into a report and an exit status."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import trio
from cyclopts import Parameter, validators

from ..errors import ConfigurationError
from .load import Load
from .plan import LoadPlan, raise_descriptors
from .progress import show_progress
from .report import LoadReport
from .script import LoadScript, read_script

ALL_WELL: Final = 0
NOT_ALL_WELL: Final = 1  # a connection was lost, or a command not answered
NOT_TO_BE_HAD: Final = 75  # EX_TEMPFAIL of sysexits.h: it may work later
INTERRUPTED: Final = 130  # the status that shells report for a program ended by SIGINT

# In place of the program's last paragraphs, whose exit statuses are those of a server.
LAST_PARAGRAPH: Final = (
    "Exit status: 0 all answered, 1 a player did not come in, a connection was lost or an answer was missing, "
    "2 usage, 75 no connection, 130 Ctrl-C."
)

_POSITIVE = validators.Number(gt=0)
_NOT_NEGATIVE = validators.Number(gte=0)


def bench(
    host: str,
    port: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))],
    /,
    *,
    players: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 10,
    rate: Annotated[float | None, Parameter(validator=_POSITIVE)] = None,
    duration: Annotated[float, Parameter(validator=_POSITIVE)] = 10.0,
    ramp: Annotated[float | None, Parameter(validator=_NOT_NEGATIVE)] = None,
    script: Path | None = None,
    think: Annotated[float | None, Parameter(validator=_NOT_NEGATIVE)] = None,
    until_prompt: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    expect: str | None = None,
    quiet: Annotated[float | None, Parameter(validator=_POSITIVE)] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> int:
    """Let scripted players play on your own server, and measure how long it takes to answer.

    Use it on your own server only: on any other it is an attack.
    Raise the limits of the server for the test, such as max_per_address, accept_rate, accept_rate_per_address and
    command_rate.

    One core handles some tens of thousands of commands a second; the report warns if the load itself was too busy.

    Args:
        host: The server's name or address.
        port: Its port, for plain telnet.
        players: Number of players.
        rate: Commands a second of each player, sent on schedule whether answered or not; latency counts from when
            a command was due. Without it each player waits for its answer, and thinks.
        duration: Seconds measured, once all players are in the game.
        ramp: Seconds in which they connect; by default a hundred a second.
        script: A TOML file: how to log in, what to type, what to wait for.
        think: Seconds between an answer and the next command, without a rate; default 1, or as in the script.
        until_prompt: Only the mark of a prompt (GA or EOR) ends an answer.
        expect: This text ends an answer; {n} is the player's number.
        quiet: Seconds of silence that end an answer, if no mark or text does; default 0.1, or as in the script.
        json: One line of JSON for a program, in seconds.
    """
    asked = read_script(script) if script else LoadScript()
    plan = LoadPlan(
        host=host,
        port=port,
        players=players,
        rate=rate,
        ramp=ramp,
        duration=duration,
        script=_with(asked, think=think, until_prompt=until_prompt, expect=expect, quiet=quiet),
    )
    raise_descriptors(players)
    load = Load(plan)
    try:
        report, is_interrupted = trio.run(_measure, load)
    except OSError as error:
        return _not_connected(plan, error)
    sys.stdout.write((report.as_json() if json else report.as_text()) + "\n")
    sys.stdout.flush()
    if is_interrupted:
        return INTERRUPTED
    return ALL_WELL if report.is_whole else NOT_ALL_WELL


def _with(
    script: LoadScript, *, think: float | None, until_prompt: bool, expect: str | None, quiet: float | None
) -> LoadScript:
    """Return the script with the options of the command line applied."""
    try:
        if until_prompt:
            script = replace(script, prompt=True, expect=expect)
        elif expect is not None:
            script = replace(script, prompt=False, expect=expect)
        if think is not None:
            script = replace(script, think=think)
        return script if quiet is None else replace(script, quiet=quiet)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


async def _measure(load: Load) -> tuple[LoadReport, bool]:
    """Run the load to its end, or to the first SIGINT."""
    is_interrupted = False
    try:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal is_interrupted
                with trio.open_signal_receiver(signal.SIGINT) as signals:
                    async for _ in signals:
                        is_interrupted = True
                        nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            nursery.start_soon(show_progress, load, sys.stderr)
            cpu = time.process_time()
            await load.run()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        failed = group.split(OSError)[0]
        if failed is None:
            raise
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return LoadReport(load, time.process_time() - cpu, trio.current_time()), is_interrupted


def _not_connected(plan: LoadPlan, error: OSError) -> int:
    """Report why no player could connect, and the remedy."""
    if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
        raise ConfigurationError(f"host {plan.host!r} is no name or address known here") from error
    cause = next(_causes(error))
    if isinstance(cause, ConnectionRefusedError):
        advice = f"nothing listens at {plan.where}: start your game there, or name its port"
    else:
        advice = f"cannot connect to {plan.where}: {cause.strerror or cause}"
    sys.stderr.write(f"trio-mud: {advice}\n")
    return NOT_TO_BE_HAD


def _causes(error: BaseException) -> Iterator[OSError]:
    """Yield the errors of the addresses that were tried, and last the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
        return
    if error.__cause__ is not None:
        yield from _causes(error.__cause__)
    if isinstance(error, OSError):
        yield error
