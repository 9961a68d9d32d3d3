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
from .network import Quality

if TYPE_CHECKING:
    from .players import Player
    from .stage import Stage

Act = Callable[["Stage", "Player", Random], bool]


class Deed(NamedTuple):
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

# Input that costs the server work and makes no line.
_FLOODS: Final = (
    bytes((IAC, NOP)),
    bytes((IAC, WONT, 99)),
    bytes((IAC, SB, 99, IAC, SE)),
    bytes((IAC, SB, IAC, SE)),
    _RESIZE,
    b"a\x7f",
)

_HARMLESS: Final = ("look", "look", "wait 0.1", "spin", "read", "wait 0")
_HARMFUL: Final = ("raise", "group", "hang", "stubborn", "dialog raise", "work raise", "twice")


def _type(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.types(player, stage.lines(player, chance, 1))


def _burst(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.types(player, stage.lines(player, chance, chance.randint(2, 5)))


def _flood(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.types(player, stage.lines(player, chance, 1) * 30)


def _half_line(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.sends(player, stage.lines(player, chance, 1)[0].encode()[:-1] or b"x")


def _long_line(stage: Stage, player: Player, chance: Random) -> bool:
    line = "look " + "x" * chance.choice((79, 300, 5000))
    if chance.random() < 0.5:
        return stage.types(player, [line])
    return stage.types(player, [*stage.game.slow(player), *[line] * 8])  # this many wait at once


def _secret(stage: Stage, player: Player, chance: Random) -> bool:
    found = stage.game.secret(player, chance)
    if not found:
        return False
    line, prompt, secret = found
    stage.start(partial(player.answer, line, prompt, secret))
    return True


def _enter(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.types(player, stage.game.enter(chance.randrange(3), chance))


def _race(stage: Stage, player: Player, chance: Random) -> bool:
    """Let all players enter the same character at once."""
    who = chance.randrange(3)
    for other in stage.players:
        stage.types(other, stage.game.enter(who, chance))
    return len(stage.players) > 1


def _come_back(stage: Stage, player: Player, chance: Random) -> bool:
    """Let another connection from the same address take up this player's session."""
    lines = stage.game.come_back(player, chance)
    back = stage.join(chance, address=player.address)
    return back is not None and stage.types(back, lines)


def _token(stage: Stage, player: Player, chance: Random) -> bool:
    """Let two connections send the same token at once: one of them is too late."""
    lines = stage.game.use_token(chance)
    if not lines:
        return False
    rivals = [stage.join(chance, fate="welcome"), stage.join(chance, fate="welcome")]
    came = [rival for rival in rivals if rival is not None]
    for rival in came:
        stage.types(rival, lines)
    return bool(came)


def _resize(stage: Stage, player: Player, chance: Random) -> bool:
    """Send a window size; some programs also send invalid content without meaning harm."""
    if chance.random() < 0.6:
        return stage.sends(player, bytes((IAC, WILL, NAWS)) + _RESIZE)
    frames = [bytes((IAC, SB)) + chance.choice(_ODD) + bytes((IAC, SE)) for _ in range(chance.choice((1, 4, 12)))]
    agreed = bytes((IAC, DO, GMCP, IAC, WILL, NAWS, IAC, WILL, TTYPE, IAC, DO, MSDP))
    return stage.sends(player, agreed + b"".join(frames) + _RESIZE)


def _storm(stage: Stage, player: Player, chance: Random) -> bool:
    """Send contradicting negotiation, or more valid input than the peer's budget, then a line."""
    if chance.random() < 0.6:
        unit = chance.choice(_FLOODS)
        stage.sends(player, unit * (chance.choice((60, 400, 600)) * 2 // len(unit)))
        return stage.types(player, stage.lines(player, chance, chance.choice((1, 3))))
    verbs = (WILL, WONT, DO, DONT)
    player.mishaps.add("garbled")
    return stage.sends(
        player,
        b"".join(bytes((IAC, chance.choice(verbs), chance.choice(_CODES))) for _ in range(chance.choice((5, 60)))),
    )


def _broken_word(stage: Stage, player: Player, chance: Random) -> bool:
    """Make a compressing program end its stream, or break it; make an inflating one withdraw and ask again."""
    if chance.random() < 0.5:
        senders = [other for other in stage.players if other.program == "packed both ways" and other.can_type]
        sender = chance.choice(senders) if senders else stage.join(chance, fate="welcome", program="packed both ways")
        if sender is None:
            return False
        ends_stream = chance.random() < 0.3
        if not ends_stream:
            sender.mishaps.add("garbled")
        before, behind = (stage.lines(sender, chance, chance.choice(counts)) for counts in ((0, 1, 3), (1, 40)))
        stage.start(partial(sender.break_word, before, behind, ends_stream=ends_stream))
        return True
    readers = [other for other in stage.players if other.terminal is not None and other.terminal.is_compressed]
    verbs = chance.choice(((DONT,), (DONT, DO), (DONT, DO, DONT), (DO, DONT)))
    return bool(readers) and stage.sends(chance.choice(readers), b"".join(bytes((IAC, verb, MCCP2)) for verb in verbs))


def _junk(stage: Stage, player: Player, chance: Random) -> bool:
    player.mishaps.add("garbled")
    return stage.sends(player, bytes(chance.choice(_JUNK) for _ in range(chance.choice((3, 20, 120)))))


def _browser(stage: Stage, player: Player, chance: Random) -> bool:
    visitor = stage.join(chance, fate="welcome")
    if visitor is None:
        return False
    visitor.mishaps.add("stranger")
    return stage.sends(visitor, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")


def _scan(stage: Stage, player: Player, chance: Random) -> bool:
    visitor = stage.join(chance)
    if visitor is None:
        return False
    if chance.random() < 0.5:
        visitor.vanish()
    else:
        stage.start(visitor.hang_up)
    return True


def _reset(stage: Stage, player: Player, chance: Random) -> bool:
    player.vanish()
    return True


def _reset_meets_quit(stage: Stage, player: Player, chance: Random) -> bool:
    """Let both detectors of an ending race."""
    stage.types(player, stage.game.leave(chance))
    if chance.random() < 0.5:
        player.vanish()
    else:
        stage.start(player.hang_up)
    return True


def _hang_up(stage: Stage, player: Player, chance: Random) -> bool:
    stage.start(player.hang_up)
    return True


def _half_close(stage: Stage, player: Player, chance: Random) -> bool:
    slow = stage.game.slow(player) if chance.random() < 0.5 else ()
    stage.types(player, [*slow, *stage.lines(player, chance, chance.randint(1, 3))])
    stage.start(player.end_input)
    return player.can_type


def _stall(stage: Stage, player: Player, chance: Random) -> bool:
    player.stall()
    return True


def _deafness(stage: Stage, player: Player, chance: Random) -> bool:
    player.be_deaf()
    return True


def _recovery(stage: Stage, player: Player, chance: Random) -> bool:
    was_ill = bool(player.mishaps & {"stalled", "deaf"})
    player.recover()
    return was_ill


def _no_descriptors(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.fails(OSError(chance.choice((errno.EMFILE, errno.ENFILE)), "too many open files"))


def _aborted(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.fails(OSError(errno.ECONNABORTED, "gone before it was accepted"))


def _comes(stage: Stage, chance: Random) -> bool:
    return stage.join(chance) is not None


def _comes_quietly(stage: Stage, chance: Random) -> bool:
    """Connect over a perfect network, without an action in the connect hook."""
    return stage.join(chance, fate="welcome", quality=Quality(), program="mute") is not None


def _type_quietly(stage: Stage, player: Player, chance: Random) -> bool:
    """Type a line that affects no other player; the first player's fails, if faults are on."""
    is_culprit = player.number == 1 and stage.plan.faults
    return stage.types(player, [chance.choice(_HARMFUL if is_culprit else _HARMLESS)])


def _post(stage: Stage, player: Player, chance: Random) -> bool:
    return stage.game.post(stage.server, chance)


def _pass(stage: Stage, player: Player, chance: Random) -> bool:
    stage.pause = chance.choice((0.0, 0.0, 0.05, 0.1, 0.5, 1.0, 2.0, 3.0, 7.0))
    return True


COMINGS: Final[dict[str, Callable[[Stage, Random], bool]]] = {"join": _comes, "join quietly": _comes_quietly}

DEEDS: Final[dict[str, Deed]] = {
    "join": Deed(lambda stage, player, chance: _comes(stage, chance), 2),
    "type": Deed(_type, 9),
    "pass": Deed(_pass, 8),
    "burst": Deed(_burst, 4),
    "flood": Deed(_flood, 0.6),
    "half line": Deed(_half_line, 1),
    "long line": Deed(_long_line, 0.5),
    "secret": Deed(_secret, 2),
    "enter": Deed(_enter, 4),
    "race": Deed(_race, 2),
    "come back": Deed(_come_back, 2),
    "token": Deed(_token, 1.5),
    "resize": Deed(_resize, 1),
    "storm": Deed(_storm, 0.4),
    "junk": Deed(_junk, 0.6),
    "broken word": Deed(_broken_word, 1.5),
    "browser": Deed(_browser, 0.3),
    "scan": Deed(_scan, 0.7),
    "reset": Deed(_reset, 1.5),
    "reset meets quit": Deed(_reset_meets_quit, 1.2),
    "hang up": Deed(_hang_up, 1.2),
    "half-close": Deed(_half_close, 1.2),
    "stall": Deed(_stall, 0.8),
    "deafness": Deed(_deafness, 0.8),
    "recovery": Deed(_recovery, 1.2),
    "no descriptors": Deed(_no_descriptors, 0.5),
    "aborted": Deed(_aborted, 0.5),
    "post": Deed(_post, 1),
    # For comparisons, never chosen at random
    "join quietly": Deed(lambda stage, player, chance: _comes_quietly(stage, chance), 0),
    "type quietly": Deed(_type_quietly, 0),
}
