"""A game with a world: players carry, give and hide things, light lights, fight and leave, and the game is killed.

Each command moves, makes or destroys things in one step, also the async ones: they wait first, or between two deeds. So
the map and a tally say at every moment how many things there are, and each light knows how often it was lit.

It adds these commands to those of the hostile game. `games` uses it; `judge` is its part of the invariants.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Final

import trio

from ... import Text
from ...driver.connection.connection import Connection
from ...driver.connection.events import Admitted, Input
from ...driver.core.hooks import Hooks
from ...driver.server.events import Started
from ...driver.sessions.events import SessionEnded
from ...errors import ConnectionEnded, DuplicateKey, LocalProtocolError, NotSaved, SessionInUse
from ...storage import Record
from ...world import Being, Container, Game, Room, Thing, Traveller, World, every
from .by_words import StoredRecords
from .hostile import HostileGame
from .players import SimulatedPlayer
from .stay_trace import StayTrace
from .storage_trace import RESETS, WORLD_TIME, WorldState
from .trace import Trace

MAP: Final = Path(__file__).with_name("moor.toml")
NAMES: Final = ("Gwen", "Hugh", "Ivor")
ONCE: Final = {
    "coin": 5,
    "rushlight": 2,
    "candle": 4,
    "chest": 1,
}  # made once, never destroyed
TALLOW: Final = {"rushlight": 4.0, "candle": 30.0}  # of the map
SACKS: Final = 2  # of the map; others are woven
_LINES: Final = (
    *("take", "take", "take", "drop", "drop", "put", "put", "give", "give", "push", "push", "push"),
    *("go", "go", "go", "light", "light", "light", "snuff", "eat", "hit", "hit", "say"),
    *("weave", "burn", "send", "send", "logout", "logout", "save", "save 0.3"),
    *("juggle 4", "juggle 8", "juggle 8", "wait 1", "wait 3"),
)
_REFUSED: Final = (ConnectionEnded, SessionInUse, LocalProtocolError)


class MoorTally(Record, family="tally", resident=True):
    """What became of things that resets make again, and that players make."""

    eaten: int = 0
    dead: int = 0
    woven: int = 0
    burnt: int = 0


class Moorlander(Being, kind="simulated_moorlander"):
    """A being whose fights are shown in the form in which the invariants know the lines of the game."""

    def act(self, own: str, others: str, *, target: Thing | None = None, to_target: str = "", **words: object) -> None:
        """Show an event."""
        own, others, to_target = (
            text and (text if text.startswith("[") else "[fight]") for text in (own, others, to_target)
        )
        super().act(own, others, target=target, to_target=to_target, **words)


class Moorman(Traveller, Moorlander, kind="simulated_moorman"):
    """The body of a player."""


class Rushlight(Thing, kind="simulated_rushlight"):
    """A light that goes out after a time, and counts how often each thing happened to it."""

    tallow: float = 4.0  # seconds
    times_lit: int = 0
    times_snuffed: int = 0
    times_out: int = 0

    def light(self) -> None:
        """Burn for a time, from now on if it burns already."""
        if not self.due:
            self.times_lit += 1
        self.after(self.tallow, self.go_out)

    def snuff(self) -> None:
        """Stop burning."""
        if self.due:
            self.times_snuffed += 1
            self.cancel(self.go_out)

    def go_out(self) -> None:
        """Note that the time is over."""
        self.times_out += 1
        if self.room is not None:
            self.room.tell("[out]")


class Magpie(Moorlander, kind="simulated_magpie"):
    """A bird that flies and steals, also while a text is told to it."""

    beat: list[Room] = []  # noqa: RUF012  a Record copies it
    moves: int = 0

    @every(1.5)
    def fly(self) -> None:
        """Go to the next room."""
        if self.foe is None and self.beat:
            self.moves += 1
            self.place = self.beat[self.moves % len(self.beat)]
            self.act("", "[flies in]")

    def hear(self, text: Text) -> None:
        """Fly away, or take something, while others in the room are still to be told."""
        room = self.room
        if room is None or self.foe is not None:
            return
        loose = [thing for thing in room.contents if not thing.is_fixed]
        if loose and len(self.contents) < 3:
            loose[0].place = self
        elif self.moves % 3 == 0:
            self.moves += 1
            self.place = self.beat[self.moves % len(self.beat)]

    def die(self) -> None:
        """Count it."""
        tally = self.world.store.get(MoorTally, "tally")
        assert tally is not None
        tally.dead += 1
        super().die()


class WorldGame(HostileGame):
    """The game of one life."""

    classes: ClassVar[tuple[type[Record], ...]] = (MoorTally, Thing)

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._chance = Random(f"world {trace.plan.seed} {trace.plan.life}")
        self._world: World | None = None
        self.hooks.on(Admitted)(self._arrive)
        self.hooks.on(SessionEnded)(self._release)
        self.records = StoredRecords(Game(self._build, records=self.classes, maps=(MAP,)), judge)

    def _build(self, world: World) -> Hooks:
        self._world = world
        if world.store.get(MoorTally, "tally") is None:
            world.store.add(MoorTally(), "tally")
        self._trace.stays = StayTrace(world.store, Moorman)
        return self.hooks

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a line about things, or one of the hostile game."""
        if chance.random() < 0.85:
            return self._numbered(player, chance.choice(_LINES))
        return super().line(player, chance)

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return a line that enters a character, or one of the hostile game."""
        return [f"play {NAMES[who % 3]}"] if chance.random() < 0.85 else super().enter(who, chance)

    # Hooks

    def _wind(self, event: Started) -> None:
        super()._wind(event)
        event.server.every(0.3, self.stir)

    def _arrive(self, event: Admitted) -> Awaitable[object] | None:
        """Let most players begin as a character."""
        if self._chance.random() < 0.8:
            return self.play(event.connection, self._chance.choice(NAMES))
        return None

    def _obey(self, event: Input) -> Awaitable[object] | None:
        first, *words = event.line.split() or [""]
        action = _ACTIONS.get(first)
        if action is None:
            return super()._obey(event)
        self.say(event.connection)
        return action(self, event.connection, words)

    def _release(self, event: SessionEnded) -> None:
        if isinstance(event.session.body, Moorman):
            self.world.store.release(event.session.body)

    async def play(self, connection: Connection, name: str) -> None:
        """Enter a character, which is made if there is none."""
        store, key = self.world.store, name.lower()
        body = await store.hold(Moorman, key)
        if body is None:
            with suppress(DuplicateKey):  # another player may have made it meanwhile
                self.world.add(Moorman(name=name), key)
            body = await store.hold(Moorman, key)
        assert body is not None
        sessions = connection.server.sessions
        known = sessions.get(key)
        try:
            session = sessions.enter(key, connection, body=body)
        except _REFUSED:
            store.release(body)
            return
        if session is known:  # that session holds its body already
            store.release(body)
        elif self._chance.random() < 0.7:
            self.equip(body)

    def equip(self, who: Moorman) -> None:
        """Give a burning light to one who has come into the game, so that most who go away take one along."""
        lights = [light for light in self.world.store.all(Rushlight) if light.owner is None and not light.due]
        light = self.pick(lights)
        if isinstance(light, Rushlight):
            light.place = who
            light.light()

    # The world

    @property
    def world(self) -> World:
        """The world of the open store."""
        assert self._world is not None
        return self._world

    def body(self, connection: Connection) -> Moorman | None:
        """Return the body that a connection plays."""
        body = connection.session.body if connection.session is not None else None
        return body if isinstance(body, Moorman) and connection.ending is None else None

    def stir(self) -> None:
        """Do something with every body that is in the game."""
        for who in self.world.store.all(Moorman):
            if who._world is not None and self._chance.random() < 0.8:
                self.deed(self._chance.choice(_OFTEN), who)

    def pick(self, things: Sequence[Thing]) -> Thing | None:
        """Return one of them; None if there is none."""
        return self._chance.choice(things) if things else None

    def deed(self, name: str, who: Moorman) -> None:
        """Do one thing, in one step; what the world refuses, though a player may do it, is a violation."""
        try:
            _DEEDS[name](self, who)
        except Exception as error:  # noqa: BLE001 - of any kind
            self._trace.fault("world", f"{name} of {who!r} raised {error!r}")

    def loose(self, things: Sequence[Thing]) -> list[Thing]:
        """Return those that can be carried."""
        return [thing for thing in things if not thing.is_fixed]

    async def save(self, within: float) -> bool:
        """Return True if everything is acknowledged."""
        try:
            await self.world.store.saved(within)
        except NotSaved:
            return False
        return True


def judge(kept: WorldState) -> Iterator[str]:
    """Yield what is wrong with the kept rows: things that were made or lost, and calls that were lost or made twice."""
    things = _fields(kept, "thing")
    if not things:
        return  # killed before the first write
    tally = _fields(kept, "tally")["tally"]
    now, times = (json.loads(kept.values.get(name, b"null")) for name in (WORLD_TIME, RESETS))
    if now is None or not times or not {f"{template} in lane" for template in ("magpie", "apple")} <= times.keys():
        yield f"things are kept without the time and the resets that belong to them: {now}, {times}"
        return
    number = Counter(fields.get("template") for fields in things.values())
    for template, made in ONCE.items():
        if number[template] != made:
            yield f"{number[template]} of {template} are kept, and there were {made}"
    sacks = SACKS + tally.get("woven", 0) - tally.get("burnt", 0)
    if number["sack"] != sacks:
        yield f"{number['sack']} sacks are kept, and there were {sacks}"
    magpies = number["magpie"] + tally.get("dead", 0)
    if number["feather"] != magpies:
        yield f"{number['feather']} feathers are kept, and there were {magpies} magpies"
    for template, gone, most, interval in (
        ("magpie", tally.get("dead", 0), 1, 9),
        ("apple", tally.get("eaten", 0), 2, 7),
    ):
        first, made = times[f"{template} in lane"] - interval, number[template] + gone
        if made > most * (1 + (first + 0.01) // interval):
            yield f"{made} of {template} were made until {first:g}, by a reset of {most} every {interval} seconds"
    for key, fields in things.items():
        if tallow := TALLOW.get(str(fields.get("template"))):
            yield from _judge_light(key, fields, tallow, now)


def _judge_light(key: str, fields: dict[str, Any], tallow: float, now: float) -> Iterator[str]:
    due = fields.get("due", [])
    burnt = fields.get("times_out", 0) + fields.get("times_snuffed", 0) + len(due)
    if fields.get("times_lit", 0) != burnt:
        yield f"{key} was lit {fields.get('times_lit', 0)} times, and {burnt} times it went out or burns"
    for name, at in due:
        if at > now + tallow + 0.001:
            yield f"{name} of {key} is due at {at:g}, later than it was set for at {now:g}"


def _fields(kept: WorldState, family: str) -> dict[str, dict[str, Any]]:
    return {key: json.loads(row[1]) for (of, key), row in kept.rows.items() if of == family}


# What a player does in one step

Deed = Callable[[WorldGame, Moorman], None]


def _take(game: WorldGame, who: Moorman) -> None:
    boxes = [box for box in who.in_reach() if isinstance(box, Container)]
    around = [thing for place in (who.place, *boxes) if place is not None for thing in place.contents]
    if thing := game.pick(game.loose(around)):
        if who in thing.all_inside:
            return
        thing.place = who
        who.act("[taken]", "[takes]")


def _drop(game: WorldGame, who: Moorman) -> None:
    if thing := game.pick(who.contents):
        thing.place = who.place
        who.act("[dropped]", "[drops]")


def _put(game: WorldGame, who: Moorman) -> None:
    thing = game.pick(who.contents)
    boxes = [box for box in who.in_reach() if isinstance(box, Container) and box is not thing]
    box = game.pick(boxes)
    if thing is not None and box is not None and box not in thing.all_inside:
        thing.place = box
        who.act("[put]", "[puts]")


def _give(game: WorldGame, who: Moorman) -> None:
    thing = game.pick(who.contents)
    taker = game.pick([being for being in game.world.store.all(Being) if being is not who and being._world])
    if thing is not None and taker is not None:
        thing.place = taker
        who.act("[given]", "[gives]", target=taker, to_target="[is given]")


def _push(game: WorldGame, who: Moorman) -> None:
    """Move any thing into any place."""
    things = list(game.world.store.all(Thing))
    thing = game.pick(game.loose(things))
    place = game.pick([thing for thing in things if isinstance(thing, Room | Container | Being)])
    if thing is not None and place is not None and place is not thing and place not in thing.all_inside:
        thing.place = place


def _go(game: WorldGame, who: Moorman) -> None:
    room = who.room
    assert room is not None
    ways = list(room.exits)
    if ways:
        way = game._chance.choice(ways)
        if (door := room.doors.get(way)) is not None:
            door.is_open = not door.is_open
        who.act("", "[leaves]")
        who.place = room.exits[way]
        who.act("[there]", "[comes]")


def _light(game: WorldGame, who: Moorman) -> None:
    lights = [thing for thing in game.world.store.all(Rushlight) if thing._world is not None]
    if game._chance.random() < 0.9:
        lights = [light for light in lights if not light.due]
    light = game.pick([light for light in lights if light in who.contents] or lights)
    if isinstance(light, Rushlight):
        light.light()
        who.act("[lit]", "[lights]")


def _snuff(game: WorldGame, who: Moorman) -> None:
    light = game.pick([thing for thing in game.world.store.all(Rushlight) if thing.due])
    if isinstance(light, Rushlight) and game._chance.random() < 0.5:
        light.snuff()


def _eat(game: WorldGame, who: Moorman) -> None:
    apple = game.pick([thing for thing in game.world.store.all(Thing) if thing.template == "apple"])
    if apple is not None:
        _tally(game).eaten += 1
        apple.destroy()
        who.act("[eaten]", "[eats]")


def _hit(game: WorldGame, who: Moorman) -> None:
    foe = game.pick([being for being in game.world.store.all(Being) if being is not who and being._world])
    if isinstance(foe, Being):
        who.place = foe.room
        who.attack(foe)
        who.act("[on]", "[fights]", target=foe, to_target="[at you]")


def _weave(game: WorldGame, who: Moorman) -> None:
    if _tally(game).woven - _tally(game).burnt < 4:
        game.world.make("sack", who)
        _tally(game).woven += 1


def _burn(game: WorldGame, who: Moorman) -> None:
    sack = game.pick([thing for thing in game.world.store.all(Container) if thing.template == "sack"])
    if sack is not None and _tally(game).woven > _tally(game).burnt:
        sack.destroy()
        _tally(game).burnt += 1


def _tally(game: WorldGame) -> MoorTally:
    tally = game.world.store.get(MoorTally, "tally")
    assert tally is not None
    return tally


_DEEDS: Final[dict[str, Deed]] = {
    "take": _take,
    "drop": _drop,
    "put": _put,
    "give": _give,
    "push": _push,
    "go": _go,
    "light": _light,
    "snuff": _snuff,
    "eat": _eat,
    "hit": _hit,
    "weave": _weave,
    "burn": _burn,
    "say": lambda game, who: who.act("[said]", "[says]"),
}

_OFTEN: Final = tuple(line for line in _LINES if line in _DEEDS)

# Called with the words after the first; the last of them is the line's number, such as #3.7.
Action = Callable[[WorldGame, Connection, Sequence[str]], "Awaitable[object] | None"]


def _do(name: str) -> Action:
    def act(game: WorldGame, connection: Connection, words: Sequence[str]) -> None:
        who = game.body(connection)
        if who is not None:
            game.deed(name, who)

    return act


async def _juggle(game: WorldGame, connection: Connection, words: Sequence[str]) -> None:
    """Do something at every step of this task while another one saves, so that some is between two slices."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(game.save, 1.0)
        for _ in range(int(words[0])):
            await trio.lowlevel.checkpoint()
            if (who := game.body(connection)) is not None and who._world is not None:
                game.deed(game._chance.choice(list(_DEEDS)), who)


async def _send(game: WorldGame, connection: Connection, words: Sequence[str]) -> None:
    """Give something to a character that may be away, or take something from it."""
    other = await game.world.store.load(Moorman, game._chance.choice(NAMES).lower())
    who = game.body(connection)
    if other is None or who is None or other is who:
        return
    giver, taker = (who, other) if game._chance.random() < 0.6 else (other, who)
    if thing := game.pick(game.loose(giver.contents)):
        try:
            thing.place = taker
        except Exception as error:  # noqa: BLE001 - of any kind
            game._trace.fault("world", f"sending {thing!r} to {taker!r} raised {error!r}")


async def _save(game: WorldGame, connection: Connection, words: Sequence[str]) -> None:
    is_saved = await game.save(float(words[0]) if len(words) > 1 else 5.0)
    game.say(connection, " saved" if is_saved else " not saved")


def _log_out(game: WorldGame, connection: Connection, words: Sequence[str]) -> None:
    if connection.session is not None and game.body(connection) is not None:
        connection.session.leave("[away]")


_ACTIONS: Final[dict[str, Action]] = {
    **{name: _do(name) for name in _DEEDS},
    "juggle": _juggle,
    "send": _send,
    "save": _save,
    "logout": _log_out,
    "play": lambda game, connection, words: game.play(connection, words[0]),
}
