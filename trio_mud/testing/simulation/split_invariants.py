"""The invariants of a split server: those of one process for each of its processes, and I-25 between the two sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from ...cluster.ends import Fenced
from ...driver.core.events import Cause
from ...driver.link.incoming import LATE_ANSWER
from ...errors import Superseded
from .invariants import INVARIANTS
from .players import CANARY
from .split_trace import Arrival, GatewayTrace, SplitTrace, WorldSideTrace

# A gateway has the network, and no game.
OF_GATEWAY: Final = (
    *("I-1", "I-2", "I-3", "I-4", "I-5", "I-6", "I-7", "I-8", "I-9", "I-10", "I-11", "accepting", "I-12"),
    *("I-14", "I-15", "I-18", "I-22", "I-23", "I-24", "abuse", "I-26"),
)
OF_DEAD_GATEWAY: Final = ("I-4", "I-5", "I-8", "I-9", "I-11", "I-22", "I-23")
# A world has the game, and no network.
OF_WORLD: Final = ("I-1", "I-2", "I-3", "I-4", "I-5", "I-11", "I-14", "I-15", "I-18", "I-21", "sessions")
OF_DEAD_WORLD: Final = ("I-4", "I-5", "sessions")
OF_STORE: Final = ("I-21a", "I-21b", "I-21c")


def check_split(trace: SplitTrace) -> Iterator[tuple[str, str]]:
    """Yield every violation: the number of the invariant, and a description."""
    yield from trace.faults
    sides: list[GatewayTrace | WorldSideTrace] = [*trace.gateways, *trace.worlds]
    for side in sides:
        for number, text in side.faults:
            yield number, f"{side}: {text}"
    if trace.stuck is not None:
        yield "I-19", f"{type(trace.stuck).__name__}: {trace.stuck}"
        return
    for side in sides:
        for number in _that_apply(side):
            for text in INVARIANTS[number](side):
                yield number, f"{side}: {text}"
    for world in trace.worlds:
        for text in _secrets(trace, world):
            yield "I-22", f"{world}: {text}"
    for text in _between_the_sides(trace):
        yield "I-25", text


def _that_apply(side: GatewayTrace | WorldSideTrace) -> tuple[str, ...]:
    if side.storage is not None and not side.storage.moments:
        return ()  # it has ended before its store was open
    if isinstance(side, GatewayTrace):
        return OF_DEAD_GATEWAY if side.is_dead else OF_GATEWAY
    return (*(OF_DEAD_WORLD if side.is_dead else OF_WORLD), *(OF_STORE if side.storage is not None else ()))


def _secrets(trace: SplitTrace, world: WorldSideTrace) -> Iterator[str]:
    """No event contains a password, unless it answers the question of an earlier world too late to be recognised."""
    for happening in world.happenings:
        if CANARY not in repr(happening.event):
            continue
        arrival = None if happening.connection is None else world.arrivals.get(happening.connection.number)
        if arrival is not None and happening.kind == "Input":
            is_over_at = _question_is_over_at(trace.arrivals[arrival.place], world)
            if is_over_at is not None and happening.at >= is_over_at + LATE_ANSWER:
                continue
        yield f"contained in {happening.kind}"


def _question_is_over_at(arrivals: Sequence[Arrival], world: WorldSideTrace) -> float | None:
    """Return when the hidden question of an earlier world was over: when the next one knew the connection."""
    has_asked, over_at = False, None
    for arrival in arrivals:
        if has_asked and over_at is None:
            over_at = arrival.at
        if arrival.world is world:
            return over_at
        if arrival.world.watch(arrival.connection).may_skip:
            has_asked, over_at = True, None
    return over_at


def _between_the_sides(trace: SplitTrace) -> Iterator[str]:
    """Each line takes effect once and in order, each output arrives at most once, quits stand, and one world counts."""
    for world in trace.worlds:
        if isinstance(world.raised, Fenced | Superseded) and world is trace.worlds[-1]:
            yield f"{world} was fenced, and no other world has followed"
    for place, arrivals in trace.arrivals.items():
        for arrival in arrivals:
            yield from _lines_of(trace, arrival)
            yield from _texts_of(arrival)
        for earlier, later in pairwise(arrivals):
            if earlier.world is later.world:
                yield from _twice(trace, earlier, later)
            elif earlier.has_quit and later.taken:
                yield f"{earlier} has quit, and {later} has taken {later.taken}"
        yield from _never(trace, arrivals[-1])
        if not arrivals[-1].world.is_dead and not trace.typed[place].keys() >= set(
            range(1, arrivals[-1].acknowledged + 1)
        ):
            yield f"{arrivals[-1]} has acknowledged {arrivals[-1].acknowledged} of {trace.typed[place]}"


def _lines_of(trace: SplitTrace, arrival: Arrival) -> Iterator[str]:
    """A world takes the lines in the order of their numbers, from the first that no other world has acknowledged."""
    lines = list(trace.lines_of(arrival).values())
    if arrival.world.watch(arrival.connection).may_skip:
        rest = iter([line.text for line in lines])
        is_in_order = all(line in rest for line in arrival.taken)
    else:  # it has asked for no hidden line, so it drops those
        lines = [line for line in lines if not line.is_hidden]
        is_in_order = arrival.taken == [line.text for line in lines[: len(arrival.taken)]]
    if not is_in_order:
        yield f"{arrival}: sent {[line.text for line in lines]}, taken {arrival.taken}"


def _never(trace: SplitTrace, last: Arrival) -> Iterator[str]:
    """No line is left over, unless its gateway died with it, or a world has ended the connection."""
    gateway = trace.gateway_at(last.place)
    watched, cause = last.world.watch(last.connection), last.connection.ending
    if gateway is None or gateway.is_dead or watched.may_skip or watched.robbed or watched.ended_in_dialog:
        return
    if cause is not None and (cause not in (Cause.RESET, Cause.EOF, Cause.DEAD_PEER) or last.world.was_cut):
        return
    if last.place[2] in gateway.watched and gateway.watched[last.place[2]].may_skip:
        return
    lines = [line.text for line in trace.lines_of(last).values() if not line.is_hidden]
    is_over = last.world.is_dead or isinstance(last.world.raised, Fenced)
    count = len(last.taken) if not is_over else max(trace.lines(last), last.dismissed_with or 0)
    if lines[count:]:
        yield f"{last}: of {lines} {count} had an effect, and the others never ({cause})"


def _texts_of(arrival: Arrival) -> Iterator[str]:
    """A world commits each text once, in the order in which the game wrote it."""
    said = arrival.world.watch(arrival.connection).said
    if arrival.shown != [line for line in said if line in set(arrival.shown)]:
        yield f"{arrival}: written {said}, committed {arrival.shown}"
    elif arrival.shown != said[: len(arrival.shown)] and not arrival.may_lose_text:
        yield f"{arrival}: something is missing between: written {said}, committed {arrival.shown}"


def _twice(trace: SplitTrace, earlier: Arrival, later: Arrival) -> Iterator[str]:
    """A connection that arrives in the same world again begins behind all that the first one has taken."""
    if earlier.world.watch(earlier.connection).may_skip:
        return
    numbers = [number for number, line in trace.lines_of(earlier).items() if not line.is_hidden]
    taken = numbers[: len(earlier.taken)]
    if taken and later.began_after < taken[-1]:
        yield f"{earlier} has taken {earlier.taken}, up to {taken[-1]}, and {later} begins after {later.began_after}"
