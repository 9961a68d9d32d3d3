"""Beings, which fight, and travellers, which are in the world only while they are played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from trio_mud import Session, Text
from trio_mud.storage import live

from .phrases import FightPhrases
from .thing import Thing

if TYPE_CHECKING:
    from .world import World

__all__ = ["Being", "Traveller"]

ROUND: Final = 2.0  # seconds of world time


class Being(Thing):
    """A creature that can fight, by rounds of two seconds.

    Override `strike` for rules of your own, and `die` for what happens to the loser.

    Attributes:
        sentences: What is read of its fights: `sentences = FightPhrases(hit="…")` in a class of its own.
        health: Blows take it away; at 0 it dies.
        max_health: Its health when it is well.
        strength: The health that a blow of its own takes away.
        foe: The being that it fights, set by `attack`; assign None to stop. A fight ends at a restart.
    """

    is_fixed: bool = True
    health: int = 20
    max_health: int = 20
    strength: int = 3
    foe: Being | None = live()

    sentences: ClassVar[FightPhrases] = FightPhrases()

    def attack(self, foe: Being) -> None:
        """Begin a fight; the other one defends itself, unless it is fighting already."""
        self._face(foe)
        if foe.foe is None:
            foe._face(self)

    def _face(self, foe: Being) -> None:
        """Take on a foe. Only those who fight have a call due, so peaceful creatures cost nothing."""
        self.foe = foe
        if self.time_left(self.fight) is None:
            self.after(ROUND, self.fight)

    def fight(self) -> None:
        """Strike once in each round, while the foe lives and is in the same room."""
        foe = self.foe
        if foe is None:
            return
        is_over = foe.health <= 0 or self.health <= 0
        # A traveller who is away keeps its place, but not its world.
        if is_over or foe._world is None or foe.room is None or foe.room is not self.room:
            self.foe = None
            return
        self.after(ROUND, self.fight)  # first: a rule of the game that raises costs one round
        self.strike(foe)
        if foe.health <= 0:
            self.foe = None
            foe.die()

    def strike(self, foe: Being) -> None:
        """Hit the foe, and show it."""
        foe.health -= self.strength
        said = self.sentences
        self.act(said.hit, said.others_hit, target=foe, to_target=said.target_hit)

    def die(self) -> None:
        """Fall dead: its belongings fall into the room; a traveller wakes up in the first room of the map."""
        self.act(self.sentences.die, self.sentences.others_die)
        if not self._travels:
            self.destroy()
            return
        for thing in self.contents:
            thing.place = self.place
        self.health = self.max_health
        self.place = self.world.start


class Traveller(Thing):
    """The body of a player. It is in memory, with all that it carries, while a session plays it.

    A class of a game derives from it, and from `Being` if players fight: `class Hero(Traveller, Being)`. Its key is
    that of its character in `trio_mud.accounts`. While it is away it is in no room, and its time stands still.

    Attributes:
        account: The key of its account; empty for a guest.
        session: The session that plays it.
        left_at: The world time at which it went away; None while it is in the game.
        run: The number of crashes before it came into the game.
    """

    is_fixed: bool = True
    account: str = ""
    left_at: float | None = None
    run: int = 0
    session: Session | None = live()
    _is_held: bool = live(default=False)

    _travels: ClassVar[bool] = True

    def write(self, text: Text, /) -> bool:
        """Show a text to its player; return False if no player reads it."""
        return self.session is not None and self.session.write(text)

    def hear(self, text: Text) -> None:
        """Show it to its player."""
        self.write(text)

    def on_attach(self) -> None:
        """Stay out of its place until it is held."""
        if not self._is_present() and self.place is not None:
            self.place._inside.pop(self, None)

    def on_hold(self) -> None:
        """Come into the world, with everything it carries and their time."""
        if self.place is not None and self._place_there() is None:
            self.place = None
        self._is_held = True
        if self.place is not None:
            self.place._inside[self] = None
        world = self._home()
        if world is None:
            return
        away = world.clock.now - self._gone_since(world)
        if self.left_at is not None:
            self.left_at = None
        if self.run != (crashes := world._count_crashes()):
            self.run = crashes
        for thing in self._with_it():
            thing._shift(away)
            thing._come(world)

    def on_release(self) -> None:
        """Go out of the world, and take along the time of everything it carries; other travellers stay."""
        world: Any = self._world
        for thing in list(self._walk_to_travellers()):
            if thing._travels:
                thing.place = self.place
        self._is_held = False
        if self.place is not None:
            self.place._inside.pop(self, None)
        for thing in self._with_it():
            thing._world = None
        if world is not None:
            self.left_at = world.clock.now
            world.clock.store_time()

    def _gone_since(self, world: World) -> float:
        """Return the world time at which its own time stopped: when it left, or when a crash ended its run."""
        if self.left_at is not None:
            return self.left_at
        crashed = world._first_crash_after(self.run)
        return world.began if crashed is None else crashed

    def _stop(self, now: float) -> None:
        if self._is_held:
            self.left_at = now

    def _place_there(self) -> Thing | None:
        """Return its place, if that is still in the world, and not away with another traveller."""
        place = self.place
        if place is None or (place._tracker is None and place._world is None):
            return None
        owner = place.owner
        return place if owner is None or owner._is_present() else None

    def _place_of_contents(self) -> Thing | None:
        place = self._place_there()
        world = next((home for thing in self._inside if (home := thing._home()) is not None), None)
        return place if place is not None or world is None else world.limbo

    def _is_present(self) -> bool:
        return self._is_held or self._tracker is None

    def _connection(self) -> Any:
        if self.session is None or type(self).hear is not Traveller.hear:
            return None
        return self.session.connection
