"""The table of actions of players and network. To add one, write a function and one line at the end.

An action is called with the harness, the player whose turn it is, and its own source of randomness. It never waits,
but may start work that does. It returns True if it succeeded, because an action that never succeeds tests nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from ...telnet.codes import CHARSET, DO, DONT, GMCP, IAC, MCCP2, MSDP, NAWS, NOP, SB, SE, TTYPE, WILL, WONT
from ..web_wire import EMPTY_TEXT
from .by_words import NAMES
from .doors import PAGES, TELNET, TLS
from .network import Quality
from .scenes import return_by_token

if TYPE_CHECKING:
    from .harness import Harness
    from .players import SimulatedPlayer

Act = Callable[["Harness", "SimulatedPlayer", Random], bool]


class Action(NamedTuple):
    """An action, one kind of step."""

    act: Act
    weight: float  # relative frequency; 0: never chosen at random


_RESIZE: Final = bytes((IAC, SB, NAWS, 0, 90, 0, 30, IAC, SE))
_CODES: Final = (NAWS, TTYPE, GMCP, 1, 3, 200)  # none for compression: a program without it could not read the result
_JUNK: Final = (IAC, SB, SE, WILL, WONT, DO, DONT, NAWS, TTYPE, 0, 7, 8, 10, 13, 27, 0x7F, 0x9B, 0xC3, 0xE2, 65, 66)

# Sent by well-meaning programs: invalid content in valid frames.
_ODD: Final = (
    bytes((GMCP,)) + b"client webmud.example",
    bytes((GMCP,)) + b"char.vitals { 'hp': 1 }",
    bytes((GMCP,)) + b'Core.Supports.Set ["Char 0"]',
    bytes((GMCP,)) + b'Core.Hello {"client": "Mudlet", "version": 3.14.0}',
    bytes((NAWS, 0, 90)),
    bytes((NAWS, 0, IAC, 0, 50)),  # 255 columns, with ff not doubled
    bytes((TTYPE, 0)),
    bytes((TTYPE, 0)) + b"\x1b[c",
    bytes((MSDP, 2, 4)),
    bytes((CHARSET, 9)),
)

# Frames of a WebSocket: pings, empty messages, and what no client sends. The zeros are the mask.
_RAW: Final = (
    *((b"\x89\x80\0\0\0\0",), (b"\x89\x84\0\0\0\0ping",), (b"\x8a\x80\0\0\0\0",), (EMPTY_TEXT,) * 3),
    *((b"\xff\xff",), (b"\x82\x03abc",), (b"\x81\x81\0\0\0\0\xff",), (b"\x88\x82\0\0\0\0\x03\xe8",)),
    *((b"\x80\x81\0\0\0\0a",), (b"\x89\x80\0\0\0\0",) * 60),
)

# Input that costs the server work and makes no line.
_FLOODS: Final = (
    bytes((IAC, NOP)),
    bytes((IAC, WONT, 99)),
    bytes((IAC, SB, 99, IAC, SE)),
    bytes((IAC, SB, IAC, SE)),
    _RESIZE,
    b"a\x7f",
)

LOGINS: Final = ("account", "show", "new", *NAMES)  # lines by which a new connection logs in
_HARMLESS: Final = ("look", "look", "wait 0.1", "spin", "read", "wait 0")
_HARMFUL: Final = ("raise", "group", "hang", "stubborn", "dialog raise", "work raise", "twice")


def _type(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.types(player, harness.lines(player, chance, 1))


def _burst(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.types(player, harness.lines(player, chance, chance.randint(2, 5)))


def _flood(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.types(player, harness.lines(player, chance, 1) * 30)


def _half_line(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.sends(player, harness.lines(player, chance, 1)[0].encode()[:-1] or b"x")


def _long_line(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    line = "look " + "x" * chance.choice((79, 300, 5000))
    if chance.random() < 0.5:
        return harness.types(player, [line])
    return harness.types(player, [*harness.game.slow(player), *[line] * 8])  # this many wait at once


def _secret(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    found = harness.game.secret(player, chance)
    if not found:
        return False
    if found[0].split()[0] in LOGINS:
        player = harness.join(chance, outcome="welcome") or player
    harness.start(partial(player.answer, *found))
    return True


def _enter(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.types(player, harness.game.enter(chance.randrange(3), chance))


def _race(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Let all players enter the same character at once."""
    who = chance.randrange(3)
    for other in harness.players:
        harness.types(other, harness.game.enter(who, chance))
    return len(harness.players) > 1


def _come_back(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Let another connection from the same address take up this player's session."""
    if chance.random() < 0.5:
        harness.start(partial(return_by_token, harness, chance, tabs=1))
        return True
    lines = harness.game.come_back(player, chance)
    back = harness.join(chance, address=player.address)
    return back is not None and harness.types(back, lines)


def _token(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Let two connections send the same token at once: one of them is too late."""
    if chance.random() < 0.5:
        harness.start(partial(return_by_token, harness, chance, tabs=2))
        return True
    lines = harness.game.use_token(chance)
    if not lines:
        return False
    rivals = [harness.join(chance, outcome="welcome"), harness.join(chance, outcome="welcome")]
    came = [rival for rival in rivals if rival is not None]
    for rival in came:
        harness.types(rival, lines)
    return bool(came)


def _resize(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Send a window size; some programs also send invalid content without meaning harm."""
    if chance.random() < 0.6:
        return harness.sends(player, bytes((IAC, WILL, NAWS)) + _RESIZE)
    frames = [bytes((IAC, SB)) + chance.choice(_ODD) + bytes((IAC, SE)) for _ in range(chance.choice((1, 4, 12)))]
    agreed = bytes((IAC, DO, GMCP, IAC, WILL, NAWS, IAC, WILL, TTYPE, IAC, DO, MSDP))
    return harness.sends(player, agreed + b"".join(frames) + _RESIZE)


def _storm(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Send contradicting negotiation, or more valid input than the peer's budget, then a line."""
    if chance.random() < 0.6:
        unit = chance.choice(_FLOODS)
        harness.sends(player, unit * (chance.choice((60, 400, 600)) * 2 // len(unit)))
        return harness.types(player, harness.lines(player, chance, chance.choice((1, 3))))
    verbs = (WILL, WONT, DO, DONT)
    player.faults.add("garbled")
    return harness.sends(
        player,
        b"".join(bytes((IAC, chance.choice(verbs), chance.choice(_CODES))) for _ in range(chance.choice((5, 60)))),
    )


def _broken_word(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Make a compressing program end its stream, or break it; make an inflating one withdraw and ask again."""
    if chance.random() < 0.5:
        senders = [
            each for each in harness.players if each.program == "packed both ways" and each.can_type and not each.wire
        ]
        sender = (
            chance.choice(senders)
            if senders
            else harness.join(chance, outcome="welcome", program="packed both ways", doors=(TELNET,))
        )
        if sender is None:
            return False
        ends_stream = chance.random() < 0.3
        if not ends_stream:
            sender.faults.add("garbled")
        before, behind = (harness.lines(sender, chance, chance.choice(counts)) for counts in ((0, 1, 3), (1, 40)))
        harness.start(partial(sender.break_word, before, behind, ends_stream=ends_stream))
        return True
    readers = [other for other in harness.players if other.terminal is not None and other.terminal.is_compressed]
    verbs = chance.choice(((DONT,), (DONT, DO), (DONT, DO, DONT), (DO, DONT)))
    if not readers:
        return False
    reader = chance.choice(readers)
    reader.faults.add("garbled")  # its program does not know of these verbs, so it may argue without end (RFC 1143)
    return harness.sends(reader, b"".join(bytes((IAC, verb, MCCP2)) for verb in verbs))


def _junk(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    player.faults.add("garbled")
    if player.door not in (TELNET, TLS) and chance.random() < 0.5:
        return player.send_raw(*chance.choice(_RAW))
    return harness.sends(player, bytes(chance.choice(_JUNK) for _ in range(chance.choice((3, 20, 120)))))


def _browser(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    visitor = harness.join(chance, outcome="welcome", doors=(TELNET, PAGES))
    if visitor is None:
        return False
    visitor.faults.add("stranger")
    return harness.sends(visitor, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")


def _scan(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    visitor = harness.join(chance)
    if visitor is None:
        return False
    if chance.random() < 0.5:
        visitor.vanish()
    else:
        harness.start(visitor.hang_up)
    return True


def _reset(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    player.vanish()
    return True


def _reset_meets_quit(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Let both detectors of an ending race."""
    harness.types(player, harness.game.leave(chance))
    if chance.random() < 0.5:
        player.vanish()
    else:
        harness.start(player.hang_up)
    return True


def _hang_up(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    harness.start(player.hang_up)
    return True


def _half_close(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    slow = harness.game.slow(player) if chance.random() < 0.5 else ()
    harness.types(player, [*slow, *harness.lines(player, chance, chance.randint(1, 3))])
    harness.start(player.end_input)
    return player.can_type


def _stall(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    player.stall()
    return True


def _deafness(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    player.be_deaf()
    return True


def _recovery(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    was_ill = bool(player.faults & {"stalled", "deaf"})
    player.recover()
    return was_ill


def _no_descriptors(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.fails(OSError(chance.choice((errno.EMFILE, errno.ENFILE)), "too many open files"))


def _aborted(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.fails(OSError(errno.ECONNABORTED, "gone before it was accepted"))


def _comes(harness: Harness, chance: Random) -> bool:
    return harness.join(chance) is not None


def _comes_quietly(harness: Harness, chance: Random) -> bool:
    """Connect over a perfect network, without an action in the connect hook."""
    return harness.join(chance, outcome="welcome", quality=Quality(), program="mute") is not None


def _type_quietly(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    """Type a line that affects no other player; the first player's fails, if faults are on."""
    is_culprit = player.number == 1 and harness.plan.faults
    return harness.types(player, [chance.choice(_HARMFUL if is_culprit else _HARMLESS)])


def _post(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    return harness.game.post(harness.server, chance)


def _pass(harness: Harness, player: SimulatedPlayer, chance: Random) -> bool:
    harness.pause = chance.choice((0.0, 0.0, 0.05, 0.1, 0.5, 1.0, 2.0, 3.0, 7.0))
    return True


COMINGS: Final[dict[str, Callable[[Harness, Random], bool]]] = {"join": _comes, "join quietly": _comes_quietly}

ACTIONS: Final[dict[str, Action]] = {
    "join": Action(lambda harness, player, chance: _comes(harness, chance), 2),
    "type": Action(_type, 9),
    "pass": Action(_pass, 8),
    "burst": Action(_burst, 4),
    "flood": Action(_flood, 0.6),
    "half line": Action(_half_line, 1),
    "long line": Action(_long_line, 0.5),
    "secret": Action(_secret, 2),
    "enter": Action(_enter, 4),
    "race": Action(_race, 2),
    "come back": Action(_come_back, 2),
    "token": Action(_token, 1.5),
    "resize": Action(_resize, 1),
    "storm": Action(_storm, 0.4),
    "junk": Action(_junk, 0.6),
    "broken word": Action(_broken_word, 1.5),
    "browser": Action(_browser, 0.3),
    "scan": Action(_scan, 0.7),
    "reset": Action(_reset, 1.5),
    "reset meets quit": Action(_reset_meets_quit, 1.2),
    "hang up": Action(_hang_up, 1.2),
    "half-close": Action(_half_close, 1.2),
    "stall": Action(_stall, 0.8),
    "deafness": Action(_deafness, 0.8),
    "recovery": Action(_recovery, 1.2),
    "no descriptors": Action(_no_descriptors, 0.5),
    "aborted": Action(_aborted, 0.5),
    "post": Action(_post, 1),
    # For comparisons, never chosen at random
    "join quietly": Action(lambda harness, player, chance: _comes_quietly(harness, chance), 0),
    "type quietly": Action(_type_quietly, 0),
}
