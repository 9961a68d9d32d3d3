"""The invariant of clients that return by a token: each line that a dead link has swallowed arrives once.

`simulator` imports it, which registers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from ...driver.core.events import Cause, Reason
from ...telnet.codes import GMCP
from ...telnet.events import AnomalyKind
from ...telnet.scanner import Scanner
from .invariants import DecodedOutput, invariant, numbered
from .players import SimulatedPlayer
from .scenes import FOREIGN
from .trace import Trace, Watched

GARBLES: Final = {"garbled", "stranger"}  # such a client may have asked the server to abort its output
_RESUMED: Final = b"Session.Resumed "


@invariant("I-32")
def a_client_that_returns_misses_no_line_and_reads_none_twice(trace: Trace) -> Iterator[str]:
    """A returned client shows the text sent to the earlier links of its session behind that which it showed before.

    It holds if the session lived on and no other client entered it meanwhile. None is shown twice. None is missing
    unless it is reported as lost, or the new link is cut, too. A token is good once, and a client whose token is void
    reads nothing of the session.
    """
    yield from _used_twice(trace)
    for player in trace.players:
        if not player.faults & GARBLES:
            yield from _replayed(trace, player)
    if trace.game_is_known:
        for player in trace.players:
            yield from _of_others(trace, player)
            yield from _numbered(trace, player)


def _used_twice(trace: Trace) -> Iterator[str]:
    presented = Counter(
        player.returns.token for player in trace.players if player.returns is not None and _report(player) is not None
    )
    for token, count in presented.items():
        if count > 1:
            yield f"the token {token!r} was good for {count} clients"
        if token == FOREIGN:
            yield "a token that no server gave was good"


def _replayed(trace: Trace, player: SimulatedPlayer) -> Iterator[str]:
    """Compare what is sent again with all that was sent to the session: it knows no game."""
    report, watched = _report(player), _watched(trace, player)
    if report is None or watched is None:
        return
    returned = trace.returned.get(watched.connection.number)
    if returned is None:
        yield f"{player} has returned, and no token was taken from it"
        return
    total, lines, missed, lost = returned.text.count(b"\n"), report["lines"], report["missed"], report["lost"]
    seen = returned.seen if returned.seen is not None and 0 <= returned.seen <= total else 0
    if (seen + lost, lines + missed) != (lines, total):
        yield f"{player} has received {seen} of {total} lines, and was told {report}"
    if lost and returned.size <= trace.plan.limits.max_tail:
        yield f"{player} has lost {lost} lines, and there was room for all {total}"
    after = _SentAgain(bytes(player.read)).text.split(b"\n")[:-1][:missed]
    missing = _SentAgain.text_of(returned.text).split(b"\n")[lines:-1]
    if after != missing[: len(after)]:
        yield f"{player} is missing {missing}, and was sent {after}"
    elif len(after) < missed and player.reads_all and not trace.was_cut and trace.aborting_at is None:
        yield f"{player} is missing {missing}, and was sent only {after}"


def _of_others(trace: Trace, player: SimulatedPlayer) -> Iterator[str]:
    """Find lines of links that the player does not continue."""
    own = {watched.connection.number for watched in _links(trace, player)}
    marks = {f"<{number}" for number in own}
    foreign = [line for line in numbered(_text(player)) if line.partition(":")[0] not in marks]
    if foreign and "stranger" not in player.faults:
        yield f"{player} read the lines {foreign} of others"


def _links(trace: Trace, player: SimulatedPlayer) -> Iterator[Watched]:
    """Yield the connection of a player, and those which it has continued by tokens."""
    link: SimulatedPlayer | None = player
    while link is not None:
        if (watched := _watched(trace, link)) is not None:
            yield watched
        link = link.came_from if _continues(trace, link) else None


def _continues(trace: Trace, player: SimulatedPlayer) -> bool:
    """Return True if the player has returned to a session that no other client had entered meanwhile."""
    if player.came_from is None or _report(player) is None:
        return False
    watched, former = _watched(trace, player), _watched(trace, player.came_from)
    if watched is None or former is None:
        return False
    return trace.continued.get(watched.connection.number) == former.connection.number


def _numbered(trace: Trace, player: SimulatedPlayer) -> Iterator[str]:
    """Compare the lines that a player shows with those that the game wrote to its earlier link."""
    former, report = player.came_from, _report(player)
    if former is None or report is None or (player.faults | former.faults) & GARBLES:
        return
    watched = _watched(trace, former)
    if watched is None or _has_left(watched) or not _continues(trace, player):
        return
    mark = f"<{watched.connection.number}:"
    before = [line for line in numbered(_whole(player.shown_before)) if line.startswith(mark)]
    after = [line for line in numbered(_whole(_text(player))) if line.startswith(mark)]
    said = watched.said
    if before != said[: len(before)]:
        return  # output was dropped because the client read too slowly; I-8 judges that
    missing = said[len(before) :]
    is_empty = player.returns is not None and player.returns.lines < 0  # and lines before the first token are not kept
    if report["lost"] or is_empty:
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


class _SentAgain:
    """The text behind the message `Session.Resumed` in received bytes.

    Attributes:
        text: As bytes, without telnet commands.
    """

    def __init__(self, data: bytes) -> None:
        self.text = b""
        Scanner().receive(data, self)

    @classmethod
    def text_of(cls, data: bytes) -> bytes:
        """Return the text in bytes without such a message."""
        return cls(data).text

    def heard_text(self, data: bytes) -> None:
        """Keep it."""
        self.text += data

    def heard_command(self, code: int) -> None:
        """Ignore a mark."""

    def heard_negotiation(self, verb: int, code: int) -> None:
        """Ignore it."""

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        """Begin again at the message."""
        if code == GMCP and payload.startswith(_RESUMED):
            self.text = b""

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        """Ignore it: I-8 finds it."""

    def payload_limit(self, code: int) -> int:
        """Return a limit beyond any payload in use."""
        return 1 << 20
