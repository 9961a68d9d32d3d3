"""The invariant of clients that return by a token: each line that a dead link has swallowed arrives once.

`simulator` imports it, which registers it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...driver.core.events import Cause, Reason
from .invariants import DecodedOutput, invariant, numbered
from .players import SimulatedPlayer
from .trace import Trace, Watched

GARBLES = {"garbled", "stranger"}  # such a client may have asked the server to abort its output


@invariant("I-32")
def a_client_that_returns_misses_no_line_and_reads_none_twice(trace: Trace) -> Iterator[str]:
    """A returned client shows the lines written to its earlier connection behind those that it showed before.

    It holds if the session lived on. None is shown twice. None is missing unless it is reported as lost, or the new
    link is cut, too.
    """
    if not trace.game_is_known:
        return
    for player in trace.players:
        former = player.came_from
        report = _report(player)
        if former is None or report is None or (player.faults | former.faults) & GARBLES:
            continue
        watched = _watched(trace, former)
        if watched is None or _has_left(watched):
            continue
        mark = f"<{watched.connection.number}:"
        before = [line for line in numbered(_whole(player.shown_before)) if line.startswith(mark)]
        after = [line for line in numbered(_whole(_text(player))) if line.startswith(mark)]
        said = watched.said
        if before != said[: len(before)]:
            continue  # output was dropped because the client read too slowly; I-8 judges that
        missing = said[len(before) :]
        if report["lost"]:
            missing = missing[len(missing) - len(after) :] if len(after) <= len(missing) else missing
        if after != missing[: len(after)]:
            yield f"{player}: of {said} it had shown {before}, and after its return {after}"
        elif len(after) < len(missing) and player.reads_all and not trace.was_cut and trace.aborting_at is None:
            yield f"{player}: of {said} it had shown {before}, and after its return only {after}"


def _report(player: SimulatedPlayer) -> dict[str, int] | None:
    """Return the data of `Session.Resumed`; None if the client has not received it."""
    messages = [] if player.terminal is None else player.terminal.gmcp
    for package, data in messages:
        if package == "Session.Resumed" and isinstance(data, dict):
            return {name: value for name, value in data.items() if isinstance(value, int)}
    return None


def _watched(trace: Trace, player: SimulatedPlayer) -> Watched | None:
    """Return the observations of a player's connection."""
    found = [watched for watched in trace.watched.values() if trace.player_of(watched.connection) is player]
    return found[0] if found else None


def _has_left(watched: Watched) -> bool:
    """Return True if the connection's end was also that of its session, whose text is gone with it."""
    cause = watched.connection.ending
    return cause is not None and cause.reason is Reason.QUIT and cause is not Cause.TAKEOVER


def _text(player: SimulatedPlayer) -> str:
    return DecodedOutput(bytes(player.read)).text.replace("\r\n", "\n")


def _whole(text: str) -> str:
    """Return the text up to its last line end, with the line ends of the network."""
    return text[: text.rfind("\n") + 1].replace("\n", "\r\n")
